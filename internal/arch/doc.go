// Package arch owns the rules of the house that a machine can check: who may import whom,
// which third-party modules each package may use, where the clock and the random source may
// be asked, how long a file may be. The rules are tests: `go test ./internal/arch` fails with
// one line for each breach, which says what to do.
//
// The import table is in table_test.go. To change it is an architectural decision: change the
// table together with docs/ARCHITECTURE.md, and say why in docs/adr.
//
// The tests parse the sources themselves instead of asking the go command, because the test
// cache notices when a file that a test has read changes, and does not notice what a child
// process has read. The package holds no code of the program and nothing imports it.
package arch
