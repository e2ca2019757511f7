package mapping

import (
	"context"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/clientele-crm/clientele/core/client"
)

// Filter tells which clients sync; it is safe for concurrent use. The nil Filter
// takes everybody.
type Filter struct{ program cel.Program }

// CompileFilter reads an expression over `client` that answers true or false.
// The empty expression is the nil Filter.
func CompileFilter(expression string) (*Filter, error) {
	if strings.TrimSpace(expression) == "" {
		return nil, nil
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	program, ast, problem := compileExpression(env, expression)
	if problem != nil {
		return nil, fmt.Errorf("%s", problem.Rule)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("the expression gives a %s, not true or false", t)
	}
	return &Filter{program}, nil
}

// Takes answers whether the client syncs. A filter that can't be evaluated for a
// client takes it not, and the error says why.
func (f *Filter) Takes(ctx context.Context, c *client.Client) (bool, error) {
	if f == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	out, _, err := f.program.ContextEval(ctx, map[string]any{"client": View(c)})
	if err != nil {
		return false, fmt.Errorf("the filter can't be applied: %w", err)
	}
	takes, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the filter gives a %s, not true or false", out.Type().TypeName())
	}
	return takes, nil
}
