//go:build !unix

package pgtest

import (
	"errors"
	"syscall"
)

var errNotHere = errors.New("the tests of PostgreSQL run on Unix only")

// account is the user whom the programs run as.
type account struct{}

func unprivileged() (*account, error) { return nil, errNotHere }

func (*account) attributes() *syscall.SysProcAttr { return nil }
func (*account) own(string) error                 { return errNotHere }
func (*account) reaches(string) bool              { return false }

func killAll(int) error { return errNotHere }
