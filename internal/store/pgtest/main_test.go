package pgtest_test

import (
	"os"
	"testing"

	"rollcall/internal/store/pgtest"
)

var postgres = pgtest.Share()

func TestMain(m *testing.M) { os.Exit(postgres.Main(m)) }
