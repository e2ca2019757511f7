package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// CheckSettings validates settings against an adapter's schema. Error:
// *InvalidError with all that is wrong; another one when the schema itself is.
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

// property is what we read of one setting in an adapter's schema.
type property struct {
	Default json.RawMessage `json:"default"`
	Secret  bool            `json:"x-secret"`
}

func properties(schema []byte) map[string]property {
	var declared struct {
		Properties map[string]property `json:"properties"`
	}
	if json.Unmarshal(schema, &declared) != nil {
		return nil
	}
	return declared.Properties
}

// withDefaults adds the schema's defaults of settings that aren't given.
func withDefaults(schema, settings []byte) []byte {
	return rewrite(settings, func(given map[string]json.RawMessage) {
		for name, p := range properties(schema) {
			if _, ok := given[name]; !ok && len(p.Default) > 0 {
				given[name] = p.Default
			}
		}
	})
}

// withSecrets puts stored secrets among the settings, as the schema sees them.
func withSecrets(schema, settings []byte, secrets map[string]string) []byte {
	return rewrite(settings, func(given map[string]json.RawMessage) {
		for name, p := range properties(schema) {
			if secret := secrets[name]; p.Secret && secret != "" {
				text, _ := json.Marshal(secret)
				given[name] = text
			}
		}
	})
}

// split takes the secrets out of settings: they are stored sealed, and never read
// back.
func split(schema, settings []byte) (open []byte, secrets map[string]string) {
	secrets = map[string]string{}
	open = rewrite(settings, func(given map[string]json.RawMessage) {
		declared := properties(schema)
		maps.DeleteFunc(given, func(name string, value json.RawMessage) bool {
			var text string
			if !declared[name].Secret || json.Unmarshal(value, &text) != nil {
				return false
			}
			secrets[name] = text
			return true
		})
	})
	return open, secrets
}

// rewrite changes a JSON object's members; what is no object stays as it is.
func rewrite(object []byte, change func(map[string]json.RawMessage)) []byte {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(object, &members) != nil || members == nil {
		return object
	}
	change(members)
	text, err := json.Marshal(members)
	if err != nil {
		return object
	}
	return text
}
