package sqlite

import (
	"database/sql/driver"
	"fmt"
	"sync"

	sqlitedriver "modernc.org/sqlite"

	"rollcall/internal/registry"
)

// foldFunction is registry.Fold within SQL; NULL stays NULL.
const foldFunction = "rollcall_fold"

// registerFold makes the function known to the driver, which holds such functions for the
// whole process.
var registerFold = sync.OnceValue(func() error {
	return sqlitedriver.RegisterDeterministicScalarFunction(foldFunction, 1,
		func(_ *sqlitedriver.FunctionContext, args []driver.Value) (driver.Value, error) {
			switch v := args[0].(type) {
			case nil:
				return nil, nil
			case string:
				return registry.Fold(v), nil
			default:
				return registry.Fold(fmt.Sprint(v)), nil
			}
		})
})
