package files

import (
	"context"
	"strings"

	"rollcall/internal/fault"
)

// markPrefix begins the names of marks among the outputs. No file of a job has such a name.
const markPrefix = ".registry-"

// MarkKey is the key of the mark that says which registry's files are kept in a place. It goes
// where the files go.
func MarkKey(registry string) string { return "outputs/" + markPrefix + registry }

// Mark remembers in the place that it keeps the files of that registry.
func (f *Files) Mark(ctx context.Context, registry string) error {
	_, err := f.Put(ctx, MarkKey(registry), strings.NewReader("The files here belong to a registry of Rollcall.\n"))
	return err
}

// Marked tells whether the place keeps the files of that registry. Fault Unavailable if the place
// is away.
func (f *Files) Marked(ctx context.Context, registry string) (bool, error) {
	_, err := f.Size(ctx, MarkKey(registry))
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return false, nil
	}
	return err == nil, err
}

// isMark tells whether a key is that of a mark, which is no file of a job.
func isMark(key string) bool { return strings.HasPrefix(key, "outputs/"+markPrefix) }
