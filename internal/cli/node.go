package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
)

// nodeFile is the file in the data directory that holds the node's name.
const nodeFile = "node-id"

// nodeID is the name under which this node holds the leases of jobs. It is made once and kept in
// the data directory, which the node has locked: so a node that starts again takes its own jobs
// up at once, and no two nodes have one name. Without the file the node is another, and waits
// until the leases of the old one have run out.
func nodeID(dir string) (string, error) {
	path := filepath.Join(dir, nodeFile)
	text, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(text)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the name of this node: %w", err)
	}
	name := uuid.NewString()
	if err := writeWhole(path, []byte(name+"\n")); err != nil {
		return "", fmt.Errorf("keep the name of this node: %w", err)
	}
	return name, nil
}
