package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/files"
	"rollcall/internal/store"
)

// registryKey is the name of the server key by which a place of files knows its registry.
const (
	registryKey     = "registry"
	registryKeySize = 16 // bytes
)

// registryID is the name by which a place of files knows its registry.
func registryID(ctx context.Context, st store.Store) (string, error) {
	key, err := st.ServerKey(ctx, registryKey, registryKeySize)
	return hex.EncodeToString(key), err
}

// place is where the files of a registry are kept, as a server has been told. A node that was
// told wrong would take jobs whose uploads it cannot find, and put logs where nobody finds them:
// so a server proves its place before it works on a job.
type place struct {
	*files.Files
	store  store.Store
	accept bool // although none of the files that jobs need are there
	log    *slog.Logger
}

// fewFiles is how many of the files that jobs need are looked for in a place without a mark.
const fewFiles = 50

// prove answers an error unless the files of the registry are kept here: its mark is here, or one
// of the files that its jobs need, or its jobs need none. Fault Unavailable while that cannot be
// told.
func (p *place) prove(ctx context.Context) error {
	registry, err := registryID(ctx, p.store)
	if err != nil {
		return err
	}
	marked, err := p.Marked(ctx, registry)
	if err != nil || marked {
		return err
	}
	uploads, outputs, err := neededFiles(ctx, p.store)
	if err != nil {
		return err
	}
	needed := slices.Concat(uploads, outputs)
	found := len(needed) == 0 || p.accept
	for _, file := range needed[:min(len(needed), fewFiles)] {
		if found {
			break
		}
		_, err := p.Size(ctx, file.key)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		found = err == nil
	}
	if !found {
		return wrong("the files of this registry are not kept in %s", p).
			withHint("give the --files-url that the other nodes have; if the files are lost for good, start once with --accept-missing-files")
	}
	return p.Mark(ctx, registry)
}

// proveAgain is how often a place that is away is looked for.
const proveAgain = 5 * time.Second

// await waits until the place is proved.
func (p *place) await(ctx context.Context) error {
	for {
		err := p.prove(ctx)
		if err == nil || fault.KindOf(err) != fault.Unavailable {
			return err
		}
		p.log.ErrorContext(ctx, "files cannot be reached, jobs wait; check --files-url, and run rollcall doctor", "place", p.String(), "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the place of files: %w", ctx.Err())
		case <-time.After(proveAgain):
		}
	}
}
