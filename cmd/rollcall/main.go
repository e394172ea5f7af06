// Command rollcall is a participant registry for clinical studies that speaks OpenClinica's
// and MyDataHelps' participant APIs.
package main

import (
	"context"
	"os"

	"rollcall/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
