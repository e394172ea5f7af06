package access

import (
	"cmp"
	"context"
	"slices"

	"rollcall/internal/registry"
)

// Holder is a user with the grants that they hold in one study.
type Holder struct {
	Username string
	Grants   []Grant
}

// Holders lists who holds a role in the study or at one of its sites, by name.
func (s *Service) Holders(ctx context.Context, study registry.StudyID) ([]Holder, error) {
	directory, err := s.directory.get(ctx)
	if err != nil {
		return nil, err
	}
	var all []Holder
	for _, user := range directory.users {
		h := Holder{Username: user.Username}
		for _, g := range user.Grants {
			if g.Study == study {
				h.Grants = append(h.Grants, g)
			}
		}
		if len(h.Grants) > 0 {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b Holder) int { return cmp.Compare(registry.Fold(a.Username), registry.Fold(b.Username)) })
	return all, nil
}
