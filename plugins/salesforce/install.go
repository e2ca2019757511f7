package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// permissionSet makes the key fields visible: a new field is hidden from
// everybody, its maker included (salesforce.md §9.3).
const permissionSet = "Clientele_Connector"

// Install makes the key field of each object through the Tooling API and lets
// the connection's user see it through a permission set. Everything that exists
// already counts as done. What the user may not do comes back as a manual step
// with what an administrator has to click.
func (a *adapter) Install(ctx context.Context, req sdk.InstallRequest) (sdk.InstallReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.InstallReply{}, err
	}
	for _, name := range req.Objects {
		if !fieldName(name) {
			return sdk.InstallReply{}, refused("", "objects: "+name+" is no API name of an object")
		}
	}
	names := req.Objects
	if len(names) == 0 {
		names = o.objects()
	}
	in := &installation{org: o, names: names}
	if failed := in.run(ctx); failed != nil {
		return sdk.InstallReply{}, o.Fail(failed)
	}
	return sdk.InstallReply{Steps: in.steps(), Usage: o.Usage()}, nil
}

// installation is one run of Install: what is wanted, what was found, and why
// something could not be done.
type installation struct {
	org     *org
	names   []string
	seen    map[string]described
	refused map[string]string // by object: why the field could not be made
	hidden  string            // why the fields could not be made visible
}

func (in *installation) run(ctx context.Context) *sdk.Error {
	in.refused = map[string]string{}
	if failed := in.look(ctx); failed != nil {
		return failed
	}
	var made []string
	for _, name := range in.names {
		if in.done(name) || in.wrong(name) {
			continue
		}
		failed := in.makeField(ctx, name)
		switch {
		case failed == nil:
			made = append(made, name)
		case passing(failed):
			return failed
		default:
			in.refused[name] = failed.Message
		}
	}
	if len(made) == 0 {
		return nil
	}
	if failed := in.grant(ctx, made); failed != nil {
		if passing(failed) {
			return failed
		}
		in.hidden = failed.Message
	}
	return in.look(ctx)
}

// passing tells whether an error goes away by itself or with a new token, so
// that the whole call is to be made again.
func passing(e *sdk.Error) bool {
	switch e.Class {
	case sdk.ClassAuth, sdk.ClassQuota, sdk.ClassThrottled, sdk.ClassTransient, sdk.ClassUnknownOutcome, sdk.ClassLock:
		return true
	default:
		return false
	}
}

func (in *installation) look(ctx context.Context) *sdk.Error {
	seen, _, failed := in.org.describeAll(ctx, in.names)
	in.seen = seen
	return failed
}

// done tells whether an object's key field is there and usable.
func (in *installation) done(name string) bool {
	_, keyed := in.org.lacks(name, in.seen[name])
	return keyed
}

// wrong tells whether a field of that name is there and is not fit: another one
// cannot be made beside it.
func (in *installation) wrong(name string) bool {
	_, there := in.seen[name].find(in.org.keyField(name))
	return there && !in.done(name)
}

// owner is the object on which a field is defined: tasks and events share
// theirs (salesforce.md §4.4).
func owner(object string) string {
	if object == objectTask || object == objectEvent {
		return "Activity"
	}
	return object
}

// makeField makes a key field. On activities uniqueness is not asked for, since
// it may not be on offer.
func (in *installation) makeField(ctx context.Context, name string) *sdk.Error {
	type metadata struct {
		Label         string `json:"label"`
		Type          string `json:"type"`
		Length        int    `json:"length"`
		Required      bool   `json:"required"`
		Unique        bool   `json:"unique"`
		ExternalID    bool   `json:"externalId"`
		CaseSensitive bool   `json:"caseSensitive,omitempty"`
		Description   string `json:"description"`
	}
	unique := owner(name) != "Activity"
	_, failed := in.org.call(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: in.org.path("/tooling/sobjects/CustomField"), Writes: true,
		Body: struct {
			FullName string
			Metadata metadata
		}{owner(name) + "." + in.org.keyField(name), metadata{
			Label: label(in.org.keyField(name)), Type: "Text", Length: 64, Unique: unique, ExternalID: true, CaseSensitive: unique,
			Description: "Key of this record in Clientele. Written by the integration; do not edit.",
		}},
	}, nil)
	if failed != nil && failed.Code == "DUPLICATE_DEVELOPER_NAME" {
		return nil
	}
	return failed
}

// label turns an API name into what people read: "Clientele_Id__c" into
// "Clientele Id".
func label(field string) string {
	return strings.ReplaceAll(strings.TrimSuffix(field, "__c"), "_", " ")
}

// grant lets the connection's user read and write the fields.
func (in *installation) grant(ctx context.Context, objects []string) *sdk.Error {
	set, failed := in.permissionSet(ctx)
	if failed != nil {
		return failed
	}
	var grants []record
	for _, name := range objects {
		for _, on := range grantees(name) {
			grants = append(grants, record{object: "FieldPermissions", fields: map[string]sdk.Value{
				"ParentId": sdk.Text(set), "SobjectType": sdk.Text(on), "Field": sdk.Text(on + "." + in.org.keyField(name)),
				"PermissionsRead": sdk.Bool(true), "PermissionsEdit": sdk.Bool(true),
			}})
		}
	}
	if failed := in.createAll(ctx, grants); failed != nil {
		return failed
	}
	me, failed := in.org.me(ctx)
	if failed != nil {
		return failed
	}
	return in.createAll(ctx, []record{{object: "PermissionSetAssignment", fields: map[string]sdk.Value{
		"PermissionSetId": sdk.Text(set), "AssigneeId": sdk.Text(me.ID),
	}}})
}

// grantees are the objects on which a field's visibility is set.
func grantees(object string) []string {
	if owner(object) == "Activity" {
		return []string{objectTask, objectEvent}
	}
	return []string{object}
}

// permissionSet finds or makes the permission set.
func (in *installation) permissionSet(ctx context.Context) (string, *sdk.Error) {
	answers, _, failed := in.org.query(ctx, soql{text: "SELECT Id FROM PermissionSet WHERE Name = " + quote(permissionSet)})
	if failed != nil {
		return "", failed
	}
	if len(answers[0]) > 0 {
		return text(answers[0][0], "Id"), nil
	}
	var made rowResult
	_, failed = in.org.call(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: in.org.path("/sobjects/PermissionSet"), Writes: true,
		Body: map[string]string{"Name": permissionSet, "Label": label(permissionSet)},
	}, &made)
	return made.ID, failed
}

// createAll creates records that may be there already.
func (in *installation) createAll(ctx context.Context, records []record) *sdk.Error {
	var results []rowResult
	_, failed := in.org.call(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: in.org.path("/composite/sobjects"), Writes: true, Body: collection{Records: records},
	}, &results)
	if failed != nil {
		return failed
	}
	for _, r := range results {
		if !r.Success && len(r.Errors) > 0 && r.Errors[0].code() != "DUPLICATE_VALUE" {
			return rowError(dialect(), r.Errors[0])
		}
	}
	return nil
}

// steps says how far everything is, for each object its field and its
// visibility.
func (in *installation) steps() []sdk.InstallStep {
	var steps []sdk.InstallStep
	for _, name := range in.names {
		full := owner(name) + "." + in.org.keyField(name)
		field := sdk.InstallStep{Name: "field " + full, State: sdk.StepDone}
		access := sdk.InstallStep{Name: "access to " + full, State: sdk.StepDone}
		switch {
		case in.done(name):
		case in.wrong(name):
			missing, _ := in.org.lacks(name, in.seen[name])
			field.State = sdk.StepManual
			field.Instructions = "The field is there but cannot serve as key. Ask an administrator to set: " + strings.Join(missing, "; ") + "."
		case in.refused[name] != "":
			field.State, access.State = sdk.StepManual, sdk.StepManual
			field.Instructions = "Salesforce did not let this user make the field (" + in.refused[name] + "). " + in.howToMake(name)
			access.Instructions = in.howToShow(name)
		case in.hidden != "":
			access.State = sdk.StepManual
			access.Instructions = "Salesforce did not let this user grant access (" + in.hidden + "). " + in.howToShow(name)
		default:
			access.State = sdk.StepPending // granted; it takes some seconds to show
		}
		steps = append(steps, field, access)
	}
	return steps
}

func (in *installation) howToMake(name string) string {
	field := in.org.keyField(name)
	unique := "Unique (treat upper and lower case as different values), "
	if owner(name) == "Activity" {
		unique = ""
	}
	return fmt.Sprintf("An administrator makes it so: Setup > Object Manager > %s > Fields & Relationships > New > Text; "+
		"Field Label %q, Length 64, Field Name %q, tick %sExternal ID; Next, choose who sees it, Next, Save.",
		owner(name), label(field), strings.TrimSuffix(field, "__c"), unique)
}

func (in *installation) howToShow(name string) string {
	return fmt.Sprintf("An administrator grants it so: Setup > Permission Sets > New, Label %q; Object Settings > %s > Edit: "+
		"Read Access and Edit Access for %q; Save; Manage Assignments > Add Assignment: the user of this connection.",
		label(permissionSet), strings.Join(grantees(name), " and > "), label(in.org.keyField(name)))
}
