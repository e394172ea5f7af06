package relational

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/fault"
)

// signInTurn is a turn as it was taken.
type signInTurn struct {
	number   int64
	failures string
}

func scanTurn(row scanner) (signInTurn, error) {
	var t signInTurn
	return t, row.Scan(&t.number, &t.failures)
}

// beginTurn takes the turn of an address unless somebody has it.
func (db *DB) beginTurn() string {
	clock := db.engine.Clock()
	return `INSERT INTO sign_ins (address, turn, turn_until, updated_at) VALUES ($1, $2, ` + clock + ` + $3, $4)
	ON CONFLICT (study_id, address) DO UPDATE
	  SET turn = excluded.turn, turn_until = excluded.turn_until, updated_at = excluded.updated_at
	  WHERE sign_ins.turn_until <= ` + clock + `
	RETURNING turn, failures`
}

// BeginSignIn implements access.Store.
func (db *DB) BeginSignIn(ctx context.Context, address string, limit time.Duration, now time.Time) (int64, []time.Time, error) {
	if err := db.forgetSignIns(ctx, now.Add(-access.SignInMemory)); err != nil {
		return 0, nil, db.engine.Classify("forget old sign-ins", err)
	}
	var turn signInTurn // number 0 if somebody has it
	number := newTurn()
	err := db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		var err error
		turn, _, err = queryOne(ctx, w, scanTurn, db.beginTurn(), address, number, limit.Microseconds(), now.UnixMicro())
		return err
	})
	if err != nil {
		err = db.engine.Classify("begin a sign-in", err)
		if fault.KindOf(err) == fault.Unavailable {
			db.leaveTurn(ctx, address, number)
		}
		return 0, nil, err
	}
	if turn.number == 0 {
		return 0, nil, nil
	}
	failures, err := parseTimes(turn.failures)
	if err != nil {
		return 0, nil, fmt.Errorf("read failures to sign in: %w", err)
	}
	return turn.number, failures, nil
}

// leaveLimit is how long to try to give back a turn that may not have been taken.
const leaveLimit = time.Second

// leaveTurn gives back a turn of which nobody knows whether it was taken, lest the address waits
// for its end. If it fails, the turn is void in time.
func (db *DB) leaveTurn(ctx context.Context, address string, number int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveLimit)
	defer cancel()
	_ = db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		_, err := w.Exec(ctx, "UPDATE sign_ins SET turn = 0, turn_until = 0 WHERE study_id = 0 AND address = $1 AND turn = $2", address, number)
		return err
	})
}

// newTurn makes the number of a turn. It is random, since a row that has gone leaves no last
// number behind to count on from.
func newTurn() int64 {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program rather than return short
	return 1 + int64(binary.BigEndian.Uint64(b[:])>>2)
}

// forgetSignIns forgets addresses last touched then or before, in a transaction of its own:
// nobody who has a row waits for another.
func (db *DB) forgetSignIns(ctx context.Context, then time.Time) error {
	return db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		_, err := w.Exec(ctx, "DELETE FROM sign_ins WHERE updated_at <= $1 AND turn_until <= "+db.engine.Clock(), then.UnixMicro())
		return err
	})
}

// EndSignIn implements access.Store.
func (db *DB) EndSignIn(ctx context.Context, address string, turn int64, failures []time.Time, now time.Time) error {
	held := " WHERE study_id = 0 AND address = $1 AND turn = $2 AND turn_until > " + db.engine.Clock()
	err := db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		if len(failures) == 0 {
			_, err := w.Exec(ctx, "DELETE FROM sign_ins"+held, address, turn)
			return err
		}
		_, err := w.Exec(ctx, "UPDATE sign_ins SET turn = 0, turn_until = 0, failures = $3, updated_at = $4"+held,
			address, turn, formatTimes(failures), now.UnixMicro())
		return err
	})
	return db.engine.Classify("end a sign-in", err)
}

// formatTimes writes times as a JSON array of microseconds.
func formatTimes(times []time.Time) string {
	text := []byte{'['}
	for i, at := range times {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Append(text, at.UnixMicro())
	}
	return string(append(text, ']'))
}

func parseTimes(text string) ([]time.Time, error) {
	var micros []int64
	if err := json.Unmarshal([]byte(text), &micros); err != nil {
		return nil, err
	}
	var times []time.Time
	for _, at := range micros {
		times = append(times, time.UnixMicro(at).UTC())
	}
	return times, nil
}
