package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"github.com/clientele-crm/clientele/sdk"
)

func describeChecks() []check {
	return []check{
		{name: "starts", level: Describes, run: starts},
		{name: "describes itself", level: Describes, run: describes},
		{name: "describes its settings", level: Describes, run: describesSettings},
		{name: "describes itself the same again", level: Describes, run: describesAgain},
	}
}

// starts: two processes serve beside each other, as in a swap, and end when asked.
func starts(ctx context.Context, t *trial) error {
	second, err := t.dial(ctx)
	if err != nil {
		return fmt.Errorf("a second process beside the first: %w", err)
	}
	_, err = second.Adapter.Describe(ctx)
	if second.Stop != nil {
		second.Stop()
	}
	if err != nil {
		return fmt.Errorf("a second process beside the first: Describe: %w", err)
	}
	if _, err = t.adapter.Describe(ctx); err != nil {
		return fmt.Errorf("after the second process ended, the first: Describe: %w", err)
	}
	return nil
}

func describes(_ context.Context, t *trial) error {
	d := t.about
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`).MatchString(d.Name) {
		wrong("Name %q: want at most 40 lower-case letters, digits and hyphens, starting with a letter", d.Name)
	}
	if d.Version == "" {
		wrong("Version is empty: operators tell versions apart by it")
	}
	if d.Protocol != sdk.Protocol {
		wrong("Protocol is %d, this suite is for %d", d.Protocol, sdk.Protocol)
	}
	if b := d.Batch; b.Min < 1 || b.Start < b.Min || b.Max < b.Start {
		wrong("Batch %+v: want 1 ≤ Min ≤ Start ≤ Max", b)
	}
	seen := map[string]bool{}
	for _, o := range d.Objects {
		if o.Name == "" || seen[o.Name] {
			wrong("Objects: the name %q is empty or there twice", o.Name)
		}
		seen[o.Name] = true
		if !slices.Contains([]string{sdk.RoleClient, sdk.RoleCompany, sdk.RoleActivity}, o.Role) {
			wrong("Objects: %s has the role %q, want client, company or activity", o.Name, o.Role)
		}
		if o.ExternalKeyField == "" {
			wrong("Objects: %s names no external-key field: without one a record could be made twice", o.Name)
		}
	}
	kinds := []string{sdk.AuthStaticToken, sdk.AuthClientCredentials, sdk.AuthAuthorizationCode, sdk.AuthJWTBearer}
	for _, a := range d.Auth {
		if !slices.Contains(kinds, a.Kind) {
			wrong("Auth: the kind %q is none of %v", a.Kind, kinds)
		}
	}
	if len(d.Auth) == 0 {
		wrong("Auth is empty: nobody could connect")
	}
	for _, row := range d.DefaultMapping {
		if !seen[row.Object] || row.Field == "" || row.Expr == "" || row.Blank != "ignore" && row.Blank != "clear" {
			wrong("DefaultMapping: %+v needs an object of Objects, a field, an expression, and blank ignore or clear", row)
		}
	}
	return errors.Join(errs...)
}

// describesSettings: the host makes a form of the schema; secrets are marked in it.
func describesSettings(_ context.Context, t *trial) error {
	var schema struct {
		Type       string
		Properties map[string]json.RawMessage
	}
	if err := json.Unmarshal(t.about.SettingsSchema, &schema); err != nil {
		return fmt.Errorf("SettingsSchema is no JSON: %w", err)
	}
	if schema.Type != "object" {
		return fmt.Errorf("SettingsSchema has the type %q, want object", schema.Type)
	}
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(t.conn.Settings, &settings); err != nil {
		return fmt.Errorf("the settings of the trial are no JSON object: %w", err)
	}
	for name := range settings {
		if _, known := schema.Properties[name]; !known && schema.Properties != nil {
			return fmt.Errorf("SettingsSchema knows nothing of %q, which the simulator's subject sets", name)
		}
	}
	return nil
}

func describesAgain(ctx context.Context, t *trial) error {
	again, err := t.adapter.Describe(ctx)
	if err != nil {
		return err
	}
	if !bytes.Equal(again.SettingsSchema, t.about.SettingsSchema) || !reflect.DeepEqual(again, t.about) {
		return errors.New("two answers of Describe differ")
	}
	return nil
}
