package mydatahelps

import (
	"os"
	"testing"

	"rollcall/internal/store/enginetest"
)

var engines = enginetest.Share()

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }
