package postgres

import "time"

// WithLimits is the config with other limits of a transaction.
func (c Config) WithLimits(statement, lock, idle time.Duration) Config {
	c.limits = limits{statement, lock, idle}
	return c
}

// Classify is how failures get their kind.
var Classify = classify

// CommitFault is the fault of a COMMIT that failed.
var CommitFault = commitFault
