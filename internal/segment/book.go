package segment

import (
	"errors"
	"sync"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// Book makes the rules of studies ready and remembers them while they stay as they are. It
// implements [registry.RuleBook] and can be used at the same time by many.
type Book struct {
	mu    sync.Mutex
	known map[registry.StudyID]*chapter
}

// chapter holds the compiled rules of one study and what they were compiled from.
type chapter struct {
	segments []registry.Segment
	fields   []registry.CustomField
	rules    []registry.Rule
}

// NewBook makes an empty book.
func NewBook() *Book { return &Book{known: map[registry.StudyID]*chapter{}} }

// Rules implements [registry.RuleBook].
func (b *Book) Rules(study *registry.Study) ([]registry.Rule, error) {
	if len(study.Segments) == 0 {
		return nil, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.known[study.ID]; ok && c.fits(study) {
		return c.rules, nil
	}
	c := &chapter{segments: study.Segments, fields: study.CustomFields}
	for _, seg := range study.Segments {
		rule, err := compile(study, seg)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the rule of segment %s does not work", seg.ID)
		}
		c.rules = append(c.rules, rule)
	}
	b.known[study.ID] = c
	return c.rules, nil
}

func (c *chapter) fits(study *registry.Study) bool {
	if len(c.segments) != len(study.Segments) || len(c.fields) != len(study.CustomFields) {
		return false
	}
	for i, seg := range study.Segments {
		if c.segments[i].ID != seg.ID || c.segments[i].Rule != seg.Rule {
			return false
		}
	}
	for i, field := range study.CustomFields {
		if c.fields[i] != field {
			return false
		}
	}
	return true
}

// Check tells whether a rule compiles, is boolean and cheap enough. The error is fault Invalid
// with code [BadRule] around a [*RuleError] that says where.
func Check(study *registry.Study, seg registry.Segment) error {
	_, err := compile(study, seg)
	var wrong *RuleError
	if errors.As(err, &wrong) {
		ferr := fault.Wrap(fault.Invalid, wrong, "%s", wrong.Message)
		ferr.Code = BadRule
		return ferr
	}
	return err
}
