// Package segment owns the language of segment rules: CEL expressions over one participant
// (decisions, MyDataHelps 11). It compiles and checks rules, and tells for whom they hold. It
// knows no storage and no dialect; the registry keeps who belongs to which segment.
package segment

import (
	"fmt"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

const (
	// maxRule is the greatest length of a rule in characters.
	maxRule = 4096

	// maxCost bounds the work of one evaluation, in CEL's units of about one step each: enough
	// for hundreds of comparisons, too little for nested comprehensions.
	maxCost = 20_000
)

// BadRule is the code of a rule that does not compile, is not boolean or is too costly.
const BadRule fault.Code = "badRule"

// RuleError is what is wrong with a rule, and where in its text.
type RuleError struct {
	Line, Column int // from 1
	Message      string
}

// Error implements error.
func (e *RuleError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// compile makes one rule of the study ready. Errors are of type *RuleError.
func compile(study *registry.Study, seg registry.Segment) (registry.Rule, error) {
	none := registry.Rule{}
	if len(seg.Rule) > maxRule {
		return none, &RuleError{1, 1, fmt.Sprintf("the rule is longer than %d characters", maxRule)}
	}
	env, err := environment(study)
	if err != nil {
		return none, fmt.Errorf("prepare the language of rules: %w", err)
	}
	checked, issues := env.Compile(seg.Rule)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return none, &RuleError{first.Location.Line(), first.Location.Column() + 1, first.Message}
	}
	if checked.OutputType() != cel.BoolType {
		return none, &RuleError{1, 1, fmt.Sprintf("the rule is of type %s; it has to be true or false", checked.OutputType())}
	}
	cost, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		return none, fmt.Errorf("estimate the cost of a rule: %w", err)
	}
	if cost.Max > maxCost {
		return none, &RuleError{1, 1, "the rule is too costly to evaluate for every participant"}
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return none, &RuleError{1, 1, err.Error()}
	}
	return registry.Rule{
		Segment: seg.ID,
		Dated:   dated(checked.NativeRep()),
		Holds: func(study *registry.Study, p *registry.Participant, now time.Time) bool {
			out, _, err := program.Eval(&person{study: study, participant: p, now: now})
			return err == nil && out == types.True
		},
	}, nil
}

// dated tells whether a rule speaks of age or of now.
func dated(rule *ast.AST) bool {
	found := false
	ast.PostOrderVisit(rule.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && (e.AsIdent() == "age" || e.AsIdent() == "now") {
			found = true
		}
	}))
	return found
}
