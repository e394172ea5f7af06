package relational

import (
	"context"
	"time"
)

// budgetMemory is how long before the latest window the counts of older ones are kept.
const budgetMemory = time.Hour

// spentBudget is what a payer has spent in a window.
type spentBudget struct{ window, spent int64 }

func scanBudget(row scanner) (spentBudget, error) {
	var b spentBudget
	return b, row.Scan(&b.window, &b.spent)
}

const (
	selectBudget = "SELECT window_start, spent FROM request_budgets WHERE study_id = 0 AND payer = $1"

	// enterWindow has the payer's row for the transaction, in this window or a later one.
	enterWindow = `INSERT INTO request_budgets (payer, window_start, spent) VALUES ($1, $2, 0)
		ON CONFLICT (study_id, payer) DO UPDATE SET
		  spent = CASE WHEN request_budgets.window_start < excluded.window_start THEN 0 ELSE request_budgets.spent END,
		  window_start = CASE WHEN request_budgets.window_start < excluded.window_start
		    THEN excluded.window_start ELSE request_budgets.window_start END
		RETURNING window_start, spent`
)

// SpendBudget implements access.Store.
func (db *DB) SpendBudget(ctx context.Context, payer string, window time.Time, want, limit int64) (granted, spent int64, err error) {
	begun := false // whether the window is new to the payer
	err = db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		granted = 0
		b, known, err := queryOne(ctx, w, scanBudget, selectBudget, payer)
		if err != nil {
			return err
		}
		begun = !known || b.window < window.UnixMicro()
		if begun {
			b.spent = 0
		}
		if spent = b.spent; want <= 0 || spent >= limit {
			begun = false
			return nil
		}
		if b, _, err = queryOne(ctx, w, scanBudget, enterWindow, payer, window.UnixMicro()); err != nil {
			return err
		}
		granted = min(want, max(0, limit-b.spent))
		spent = b.spent + granted
		_, err = w.Exec(ctx, "UPDATE request_budgets SET spent = $2 WHERE study_id = 0 AND payer = $1", payer, spent)
		return err
	})
	if err != nil {
		return 0, 0, db.engine.Classify("spend from a request budget", err)
	}
	if begun {
		_ = db.forgetBudgets(ctx, window.Add(-budgetMemory)) // what stays is forgotten another time
	}
	return granted, spent, nil
}

// forgetBudgets forgets windows before that time, in a transaction of its own: nobody who has
// a row waits for another.
func (db *DB) forgetBudgets(ctx context.Context, before time.Time) error {
	return db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		_, err := w.Exec(ctx, "DELETE FROM request_budgets WHERE window_start < $1", before.UnixMicro())
		return err
	})
}
