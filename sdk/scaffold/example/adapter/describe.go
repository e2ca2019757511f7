package adapter

import (
	"context"

	"github.com/clientele-crm/clientele/sdk"
)

// Version is what the adapter says it is; raise it with every release.
const Version = "0.1.0"

const (
	people = "people"
	notes  = "notes"
	// keyField holds Clientele's id. Here the CRM has a column for it by itself;
	// where it has none, Install creates one.
	keyField = "external_key"
	maxBatch = 100
)

// Describe implements sdk.Adapter.
func (*Adapter) Describe(context.Context) (sdk.Description, error) {
	row := func(field, expr string, length int) sdk.MappingRow {
		return sdk.MappingRow{Object: people, Field: field, Expr: expr, Blank: "ignore", MaxLength: length}
	}
	return sdk.Description{
		Name: "example", Label: "Example CRM", Version: Version, Protocol: sdk.Protocol,
		Objects: []sdk.Object{
			{Name: people, Label: "Person", Role: sdk.RoleClient, ExternalKeyField: keyField},
			{Name: notes, Label: "Note", Role: sdk.RoleActivity, ExternalKeyField: keyField},
		},
		Capabilities: []string{
			sdk.CapInstall, sdk.CapFind, sdk.CapActivities, sdk.CapDelete, sdk.CapChanges, sdk.CapPlan, sdk.CapEcho, sdk.CapVersionChecks,
		},
		Batch:          sdk.BatchLimits{Min: 1, Start: maxBatch, Max: maxBatch},
		Auth:           []sdk.AuthMethod{{Kind: sdk.AuthStaticToken, Label: "Access token", TokenHosts: []string{"api.example.com"}}},
		SettingsSchema: []byte(settingsSchema),
		DefaultMapping: []sdk.MappingRow{
			row("first_name", "client.first_name", 40),
			row("last_name", "client.crm_last_name", 80), // never empty
			row("email", "client.email", 0),
			row("phone", "client.phone", 40),
			row("city", "client.city", 80),
		},
		Simulator: "example",
	}, nil
}
