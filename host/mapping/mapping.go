// Package mapping turns a client into the fields of a CRM record: a document of
// rows, each a CRM field filled from a CEL expression over the client
// (design.md §7). It is pure: documents and clients in, fields and notes out.
package mapping

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/sdk"
)

// The limits of one expression: longer or costlier ones are mistakes or attacks.
const (
	maxExpression = 4096
	maxCost       = 20_000
	maxTime       = 100 * time.Millisecond
)

// Problem is a row that can't be used.
type Problem struct {
	Row    int    `json:"row"`
	Object string `json:"object"`
	Field  string `json:"field"`
	Rule   string `json:"rule"`
	WayOut string `json:"way_out"`
}

// InvalidError is a document with problems, all of them.
type InvalidError struct{ Problems []Problem }

// Error lists the problems.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = fmt.Sprintf("row %d (%s.%s): %s: %s", p.Row, p.Object, p.Field, p.Rule, p.WayOut)
	}
	return strings.Join(parts, "; ")
}

// Mapping is a compiled document; it is safe for concurrent use.
type Mapping struct{ rows []compiled }

type compiled struct {
	sdk.MappingRow
	program cel.Program
}

// Compile checks and compiles rows. Error: *InvalidError.
func Compile(rows []sdk.MappingRow) (*Mapping, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	var problems []Problem
	m := &Mapping{}
	for i, row := range rows {
		program, problem := compile(env, row)
		if problem != nil {
			problem.Row, problem.Object, problem.Field = i+1, row.Object, row.Field
			problems = append(problems, *problem)
			continue
		}
		m.rows = append(m.rows, compiled{row, program})
	}
	if problems != nil {
		return nil, &InvalidError{Problems: problems}
	}
	return m, nil
}

// environment is what expressions may use: the client and functions on text.
func environment() (*cel.Env, error) {
	env, err := cel.NewEnv(cel.Variable("client", cel.MapType(cel.StringType, cel.DynType)), ext.Strings())
	if err != nil {
		return nil, fmt.Errorf("make the expression environment: %w", err)
	}
	return env, nil
}

func compile(env *cel.Env, row sdk.MappingRow) (cel.Program, *Problem) {
	switch {
	case row.Field == "" || row.Object == "":
		return nil, &Problem{Rule: "object or field is empty", WayOut: "name the CRM's object and field"}
	case row.Blank != "" && row.Blank != "ignore" && row.Blank != "clear":
		return nil, &Problem{Rule: fmt.Sprintf("blank is %q", row.Blank), WayOut: "use ignore or clear"}
	}
	program, _, problem := compileExpression(env, row.Expr)
	return program, problem
}

func compileExpression(env *cel.Env, expression string) (cel.Program, *cel.Ast, *Problem) {
	if len(expression) > maxExpression {
		return nil, nil, &Problem{Rule: fmt.Sprintf("the expression is longer than %d bytes", maxExpression), WayOut: "split it or shorten it"}
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, nil, &Problem{Rule: "the expression is wrong: " + strings.ReplaceAll(issues.Err().Error(), "\n", " "), WayOut: "write one such as client.first_name"}
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, nil, &Problem{Rule: "the expression can't be run: " + err.Error(), WayOut: "simplify it"}
	}
	return program, ast, nil
}

// Apply answers the fields of one object for a client. Notes say what was
// changed on the way or left out, and why.
func (m *Mapping) Apply(ctx context.Context, object string, c *client.Client) (fields map[string]sdk.Value, notes []string) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	input := map[string]any{"client": View(c)}
	fields = map[string]sdk.Value{}
	for _, row := range m.rows {
		if row.Object != object {
			continue
		}
		out, _, err := row.program.ContextEval(ctx, input)
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s was left alone: %s", row.Field, err))
			continue
		}
		value, err := toValue(out)
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s was left alone: %s", row.Field, err))
			continue
		}
		value, cut := truncate(value, row.MaxLength)
		if cut {
			notes = append(notes, fmt.Sprintf("%s was cut to %d characters", row.Field, row.MaxLength))
		}
		if blank(value) {
			if row.Blank == "clear" {
				fields[row.Field] = sdk.Clear()
			}
			continue
		}
		fields[row.Field] = value
	}
	return fields, notes
}

// View is a client as expressions see it: the fields of the catalogue by name,
// its primary email and phone, and what is derived for CRMs (R165).
func View(c *client.Client) map[string]any {
	v := map[string]any{
		"id": c.ID.String(), "email": c.Email(), "phone": c.Phone(), "display_name": c.DisplayName(), "kind": string(c.Kind),
		"source": c.Source, "tags": c.Tags, "sensitive": c.Sensitive, "created_at": c.CreatedAt.UTC().Format(time.RFC3339),
	}
	for _, f := range client.Fields() {
		v[f.Name] = f.Get(c)
	}
	if v["metadata"] == "{}" {
		v["metadata"] = ""
	}
	name, provisional := c.CRMLastName()
	v["crm_last_name"], v["crm_last_name_provisional"] = name, provisional
	return v
}

func toValue(out ref.Val) (sdk.Value, error) {
	switch x := out.Value().(type) {
	case nil:
		return sdk.Clear(), nil
	case string:
		return sdk.Text(x), nil
	case bool:
		return sdk.Bool(x), nil
	case int64:
		return sdk.Number(float64(x)), nil
	case uint64:
		return sdk.Number(float64(x)), nil
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return sdk.Value{}, fmt.Errorf("the expression gives no finite number")
		}
		return sdk.Number(x), nil
	}
	list, ok := out.(traits.Lister)
	if !ok {
		if out.Type().TypeName() == "null_type" {
			return sdk.Clear(), nil
		}
		return sdk.Value{}, fmt.Errorf("the expression gives a %s, which no CRM field takes", out.Type().TypeName())
	}
	var items []string
	for it := list.Iterator(); it.HasNext() == types.True; {
		items = append(items, fmt.Sprint(it.Next().Value()))
	}
	return sdk.List(items...), nil
}

func truncate(v sdk.Value, most int) (sdk.Value, bool) {
	if most <= 0 || v.Kind() != sdk.KindText || utf8.RuneCountInString(v.Text()) <= most {
		return v, false
	}
	return sdk.Text(string([]rune(v.Text())[:most])), true
}

func blank(v sdk.Value) bool {
	return v.IsClear() || (v.Kind() == sdk.KindText && strings.TrimSpace(v.Text()) == "") ||
		(v.Kind() == sdk.KindList && len(v.List()) == 0)
}
