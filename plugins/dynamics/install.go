package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
)

// The states of an alternate key's index (§4.4).
const (
	keyActive = "Active"
	keyFailed = "Failed"
)

// keyList is the answer about a table's alternate keys.
type keyList struct {
	Value []alternateKey `json:"value"`
}

type alternateKey struct {
	LogicalName, SchemaName, EntityKeyIndexStatus string
	KeyAttributes                                 []string
}

func keyColumns() []string {
	return []string{"LogicalName", "SchemaName", "KeyAttributes", "EntityKeyIndexStatus"}
}

// over finds the key that has this column alone.
func (l keyList) over(column string) (alternateKey, bool) {
	for _, k := range l.Value {
		if len(k.KeyAttributes) == 1 && k.KeyAttributes[0] == column {
			return k, true
		}
	}
	return alternateKey{}, false
}

// Install implements sdk.Adapter: for contact and account the column
// <prefix>_clientele_id and an alternate key over it (§4.4). Activities need
// nothing, their key is their id. Calls go one after another, since an
// environment takes one customization at a time.
func (a *adapter) Install(ctx context.Context, req sdk.InstallRequest) (sdk.InstallReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.InstallReply{}, err
	}
	objects := req.Objects
	if len(objects) == 0 {
		for _, t := range tables() {
			objects = append(objects, t.name)
		}
	}
	var out sdk.InstallReply
	for _, object := range objects {
		kind, failed := s.kindOf(ctx, a, object, "contact")
		if failed != nil {
			return sdk.InstallReply{}, s.fail(failed)
		}
		if kind.table != "" {
			out.Steps = append(out.Steps, sdk.InstallStep{Name: kind.table + ": the id is the key", State: sdk.StepDone})
			continue
		}
		t, bad := tableOf(object)
		if bad != nil {
			return sdk.InstallReply{}, bad
		}
		steps, failed := s.installTable(ctx, t)
		if failed != nil {
			return sdk.InstallReply{}, s.fail(failed)
		}
		out.Steps = append(out.Steps, steps...)
	}
	out.Usage = s.usage()
	return out, nil
}

func (s *session) installTable(ctx context.Context, t table) ([]sdk.InstallStep, *sdk.Error) {
	column, failed := s.installColumn(ctx, t)
	if failed != nil {
		return nil, failed
	}
	if column.State != sdk.StepDone {
		key := sdk.InstallStep{Name: s.keyStep(t), State: sdk.StepPending, Instructions: "waits for the column"}
		if column.State == sdk.StepManual {
			key.State, key.Instructions = sdk.StepManual, s.keyInstructions(t)
		}
		return []sdk.InstallStep{column, key}, nil
	}
	key, failed := s.installKey(ctx, t)
	return []sdk.InstallStep{column, key}, failed
}

// installColumn makes sure that the column is there.
func (s *session) installColumn(ctx context.Context, t table) (sdk.InstallStep, *sdk.Error) {
	name := s.settings.keyColumn()
	step := sdk.InstallStep{Name: "column " + name + " on " + t.name, State: sdk.StepDone}
	var have struct{ LogicalName string }
	failed := s.get(ctx, query("EntityDefinitions(LogicalName='"+t.name+"')/Attributes(LogicalName='"+name+"')",
		selecting([]string{"LogicalName"})), map[string]string{"Consistency": "Strong"}, &have)
	if failed == nil {
		return step, nil
	}
	if failed.Class != sdk.ClassNotFound && failed.Class != sdk.ClassSchema {
		return s.byHand(step, failed, s.columnInstructions(t))
	}
	body, bad := encode(map[string]any{
		"@odata.type":   "Microsoft.Dynamics.CRM.StringAttributeMetadata",
		"AttributeType": "String", "AttributeTypeName": map[string]string{"Value": "StringType"},
		"SchemaName": name, "MaxLength": keyLength, "FormatName": map[string]string{"Value": "Text"},
		"RequiredLevel": map[string]any{"Value": "None", "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"},
		"DisplayName":   label("Clientele Id"),
		"Description":   label("The id of this record in Clientele. Do not change it."),
	})
	if bad != nil {
		return step, bad
	}
	// The column answers a little later (quirk 26), so that the key is the next
	// call's work.
	step.State, step.Instructions = sdk.StepPending, "the CRM is making the column"
	if failed = s.customize(ctx, "EntityDefinitions(LogicalName='"+t.name+"')/Attributes", body); failed != nil {
		return s.byHand(step, failed, s.columnInstructions(t))
	}
	return step, nil
}

// installKey makes sure that the alternate key is there and its index built.
func (s *session) installKey(ctx context.Context, t table) (sdk.InstallStep, *sdk.Error) {
	name := s.settings.keyColumn()
	step := sdk.InstallStep{Name: s.keyStep(t), State: sdk.StepDone}
	var keys keyList
	failed := s.get(ctx, query("EntityDefinitions(LogicalName='"+t.name+"')/Keys", selecting(keyColumns())),
		map[string]string{"Consistency": "Strong"}, &keys)
	if failed != nil {
		return s.byHand(step, failed, s.keyInstructions(t))
	}
	if have, ok := keys.over(name); ok {
		switch have.EntityKeyIndexStatus {
		case keyActive:
		case keyFailed:
			step.State = sdk.StepManual
			step.Instructions = fmt.Sprintf("The index of key %s failed, since several rows of %s have the same value in %s. Find and repair them "+
				"(Advanced find, sort by that column), then choose the key in the table's Keys list and select Reactivate.", have.SchemaName, t.name, name)
		default:
			step.State, step.Instructions = sdk.StepPending, "the CRM is building the key's index ("+have.EntityKeyIndexStatus+")"
		}
		return step, nil
	}
	body, bad := encode(map[string]any{
		"SchemaName": name + "_key", "DisplayName": label("Clientele Id key"), "KeyAttributes": []string{name},
	})
	if bad != nil {
		return step, bad
	}
	step.State, step.Instructions = sdk.StepPending, "the CRM is building the key's index"
	if failed = s.customize(ctx, "EntityDefinitions(LogicalName='"+t.name+"')/Keys", body); failed != nil {
		return s.byHand(step, failed, s.keyInstructions(t))
	}
	return step, nil
}

// customize sends one change of the schema. That it is there already is no
// failure: another call was faster.
func (s *session) customize(ctx context.Context, path string, body []byte) *sdk.Error {
	header := map[string]string{"Content-Type": "application/json"}
	if s.settings.Solution != "" {
		header["MSCRM.SolutionUniqueName"] = s.settings.Solution
	}
	reply, failed := s.Do(ctx, s.request(operation{method: http.MethodPost, path: path, header: header, body: body}, true))
	failed = refine(failed, reply)
	if failed != nil && (failed.Code == "0x80060893" || failed.Code == "0x80060894" || failed.Class == sdk.ClassDuplicate || failed.Class == sdk.ClassUnknownOutcome) {
		return nil
	}
	return failed
}

// byHand turns a refusal into work for the admin; any other failure is the
// call's.
func (s *session) byHand(step sdk.InstallStep, failed *sdk.Error, instructions string) (sdk.InstallStep, *sdk.Error) {
	switch failed.Class {
	case sdk.ClassPermission, sdk.ClassValidation, sdk.ClassSchema:
		step.State = sdk.StepManual
		step.Instructions = instructions + " (The CRM said: " + failed.Message + ")"
		return step, nil
	}
	return step, failed
}

func (s *session) keyStep(t table) string {
	return "alternate key over " + s.settings.keyColumn() + " on " + t.name
}

func (s *session) columnInstructions(t table) string {
	return fmt.Sprintf("In make.powerapps.com open Tables, %s, Columns, New column: display name Clientele Id, data type single line of text (plain text), "+
		"schema name %s, maximum length %d, required: optional. The publisher of the solution must have the prefix %q.",
		t.label, s.settings.keyColumn(), keyLength, s.settings.PublisherPrefix)
}

func (s *session) keyInstructions(t table) string {
	return fmt.Sprintf("In make.powerapps.com open Tables, %s, Keys, New key: display name Clientele Id key, column Clientele Id (%s) alone. "+
		"Save and wait until its status is Active.", t.label, s.settings.keyColumn())
}

// label is a text of the schema in English (1033), the language every
// environment knows.
func label(text string) map[string]any {
	return map[string]any{
		"@odata.type": "Microsoft.Dynamics.CRM.Label",
		"LocalizedLabels": []any{map[string]any{
			"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033,
		}},
	}
}
