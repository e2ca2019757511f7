package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// CheckSettings validates settings against an adapter's schema. Error:
// *InvalidError; another one when the schema itself is wrong.
func CheckSettings(schemaText, settings []byte) error {
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schemaText)))
	if err != nil {
		return fmt.Errorf("the adapter's settings schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("settings.json", schema); err != nil {
		return fmt.Errorf("the adapter's settings schema: %w", err)
	}
	compiled, err := compiler.Compile("settings.json")
	if err != nil {
		return fmt.Errorf("the adapter's settings schema: %w", err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(settings)))
	if err != nil {
		return &InvalidError{Field: "settings", Rule: "are no JSON", WayOut: `write {"key": "value"}`}
	}
	err = compiled.Validate(value)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		rules := leaves(invalid, message.NewPrinter(language.English))
		return &InvalidError{Field: "settings", Rule: "break the adapter's schema: " + strings.Join(rules, "; "), WayOut: "see the adapter's README"}
	}
	return err
}

// leaves are the single rules that were broken, each with its place.
func leaves(e *jsonschema.ValidationError, words *message.Printer) []string {
	if len(e.Causes) == 0 {
		return []string{"/" + strings.Join(e.InstanceLocation, "/") + " " + e.ErrorKind.LocalizedString(words)}
	}
	var rules []string
	for _, cause := range e.Causes {
		rules = append(rules, leaves(cause, words)...)
	}
	return rules
}

// withDefaults adds the schema's defaults of settings that aren't given.
func withDefaults(schema, settings []byte) []byte {
	var declared struct {
		Properties map[string]struct {
			Default json.RawMessage `json:"default"`
		} `json:"properties"`
	}
	given := map[string]json.RawMessage{}
	if json.Unmarshal(schema, &declared) != nil || json.Unmarshal(settings, &given) != nil {
		return settings
	}
	for name, p := range declared.Properties {
		if _, ok := given[name]; !ok && len(p.Default) > 0 {
			given[name] = p.Default
		}
	}
	full, err := json.Marshal(given)
	if err != nil {
		return settings
	}
	return full
}
