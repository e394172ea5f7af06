package config

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// Store is what config needs of a storage engine.
type Store interface {
	// Define runs fn in one transaction that has the whole deployment to itself. An error of
	// fn, or of any method of tx, undoes everything and is returned so that errors.Is finds
	// it. fn may be run again from the start if the engine asks for it.
	Define(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
}

// Tx is one transaction on the deployment.
type Tx interface {
	// Studies reads every study with its sites.
	Studies(ctx context.Context) ([]*registry.Study, error)

	// PutStudy writes a study and its sites. With ID 0 it is inserted and its ID set, and so
	// is each of its sites. A site that the study does not list is left alone.
	PutStudy(ctx context.Context, study *registry.Study) error

	Users(ctx context.Context) ([]*access.User, error)

	// PutUser writes a user and replaces their grants. With ID 0 it is inserted and its ID set.
	PutUser(ctx context.Context, user *access.User) error

	ServiceAccounts(ctx context.Context) ([]*access.ServiceAccount, error)

	// PutServiceAccount writes an account and replaces its studies and keys. With ID 0 it is
	// inserted and its ID set.
	PutServiceAccount(ctx context.Context, account *access.ServiceAccount) error

	// Record writes audit events of a study; study 0 is the deployment.
	Record(ctx context.Context, study registry.StudyID, at time.Time, events []audit.Event) error
}

// Options say how [Apply] works.
type Options struct {
	DryRun  bool                      // do everything, then undo it
	Now     func() time.Time          // the clock
	NewGUID func() (uuid.UUID, error) // makes the GUIDs that the files leave out
	Origin  audit.Origin              // who applies, for the audit events
}

// errDryRun undoes the transaction of a dry run.
var errDryRun = errors.New("dry run")

// Apply makes the deployment what the definitions say, in one transaction, and answers what
// was otherwise before, in the order of the definitions. Applied again it answers nothing.
//
// For what the definitions list they are the truth: a setting that they leave out gets its
// default, a user's roles and an account's studies and keys become exactly those listed.
// Three things are kept where nothing is said: a study's GUID, a user's password, and the
// sites of a study that are not listed. What is not listed at all is left alone. Nothing is
// deleted but what a difference names.
//
// Its error is [Problems] if the definitions do not fit together with what the store holds.
func Apply(ctx context.Context, store Store, defs *Definitions, opts Options) ([]Difference, error) {
	if opts.Now == nil || opts.NewGUID == nil {
		return nil, errors.New("apply: a clock and a source of GUIDs are required")
	}
	secrets, err := prepareSecrets(ctx, store, defs)
	if err != nil {
		return nil, err
	}
	var differences []Difference
	err = store.Define(ctx, func(ctx context.Context, tx Tx) error {
		p, err := newPlan(ctx, tx, defs, secrets, opts)
		if err != nil {
			return err
		}
		if err := p.write(ctx, tx); err != nil {
			return err
		}
		differences = p.differences
		if opts.DryRun {
			return errDryRun
		}
		return nil
	})
	var problems Problems
	switch {
	case errors.Is(err, errDryRun), err == nil:
		return differences, nil
	case errors.As(err, &problems):
		return nil, problems
	default:
		return nil, fmt.Errorf("apply definitions: %w", err)
	}
}

// newPlan reads what the store holds and decides what it should hold. Nothing is written yet.
func newPlan(ctx context.Context, tx Tx, defs *Definitions, secrets secrets, opts Options) (*plan, error) {
	studies, err := tx.Studies(ctx)
	if err != nil {
		return nil, fmt.Errorf("read studies: %w", err)
	}
	users, err := tx.Users(ctx)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	accounts, err := tx.ServiceAccounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("read service accounts: %w", err)
	}
	p := &plan{
		at:     opts.Now().UTC().Truncate(time.Microsecond),
		origin: opts.Origin, newGUID: opts.NewGUID, secrets: secrets,
	}
	if err := p.planStudies(defs, studies); err != nil {
		return nil, err
	}
	p.planUsers(defs, users)
	p.planServiceAccounts(defs, accounts)
	if err := p.problems.err(defs.files); err != nil {
		return nil, err
	}
	return p, nil
}
