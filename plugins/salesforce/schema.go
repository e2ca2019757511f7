package main

import (
	"context"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// described is what the adapter reads of a describe answer (salesforce.md §3.2,
// §3.3). It is the object as the connection's user may see it.
type described struct {
	Name       string           `json:"name"`
	Label      string           `json:"label"`
	Createable bool             `json:"createable"`
	Updateable bool             `json:"updateable"`
	Queryable  bool             `json:"queryable"`
	Fields     []describedField `json:"fields"`
}

type describedField struct {
	Name               string          `json:"name"`
	Label              string          `json:"label"`
	Type               string          `json:"type"`
	Length             int             `json:"length"`
	Createable         bool            `json:"createable"`
	Updateable         bool            `json:"updateable"`
	Nillable           bool            `json:"nillable"`
	DefaultedOnCreate  bool            `json:"defaultedOnCreate"`
	Custom             bool            `json:"custom"`
	Unique             bool            `json:"unique"`
	ExternalID         bool            `json:"externalId"`
	RestrictedPicklist bool            `json:"restrictedPicklist"`
	ReferenceTo        []string        `json:"referenceTo"`
	PicklistValues     []picklistValue `json:"picklistValues"`
}

type picklistValue struct {
	Value  string `json:"value"`
	Label  string `json:"label"`
	Active bool   `json:"active"`
}

// DescribeObject reads an object's live fields. Fields that the connection's
// user may not see are not among them.
func (a *adapter) DescribeObject(ctx context.Context, req sdk.DescribeObjectRequest) (sdk.DescribeObjectReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.DescribeObjectReply{}, err
	}
	if !fieldName(req.Object) {
		return sdk.DescribeObjectReply{}, refused("", "object: "+req.Object+" is no API name of an object")
	}
	var d described
	if _, failed := o.call(ctx, crmhttp.Request{
		Method: http.MethodGet, Path: o.path("/sobjects/" + req.Object + "/describe"),
	}, &d); failed != nil {
		return sdk.DescribeObjectReply{}, o.Fail(failed)
	}
	reply := sdk.DescribeObjectReply{
		Object: sdk.Object{Name: d.Name, Label: d.Label, Role: role(d.Name), ExternalKeyField: o.keyField(d.Name)},
		Usage:  o.Usage(),
	}
	for _, f := range d.Fields {
		reply.Fields = append(reply.Fields, f.field())
	}
	return reply, nil
}

func role(object string) string {
	switch object {
	case objectAccount:
		return sdk.RoleCompany
	case objectTask, objectEvent:
		return sdk.RoleActivity
	default:
		return sdk.RoleClient
	}
}

// field translates one field. Required means that a create without it fails.
func (f describedField) field() sdk.Field {
	out := sdk.Field{
		Name: f.Name, Label: f.Label, Type: f.Type, Kind: kind(f.Type), MaxLength: f.Length,
		Required: f.Createable && !f.Nillable && !f.DefaultedOnCreate, Unique: f.Unique, Custom: f.Custom,
		ExternalID: f.ExternalID, Createable: tri(f.Createable), Updateable: tri(f.Updateable),
		PicklistRestricted: f.RestrictedPicklist, References: f.ReferenceTo,
		DefaultedOnCreate: f.DefaultedOnCreate, IsDate: f.Type == "date",
	}
	for _, p := range f.PicklistValues {
		out.Picklist = append(out.Picklist, sdk.PickValue{Value: p.Value, Label: p.Label, Active: p.Active})
	}
	return out
}

// kind is what to write into a field of a type (salesforce.md §3.4).
func kind(fieldType string) sdk.ValueKind {
	switch fieldType {
	case "boolean":
		return sdk.KindBool
	case "int", "long", "double", "currency", "percent":
		return sdk.KindNumber
	case "multipicklist":
		return sdk.KindList
	default:
		return sdk.KindText
	}
}

func tri(b bool) sdk.Tri {
	if b {
		return sdk.Yes
	}
	return sdk.No
}

// find is a described field by name; ok is false when the user cannot see it.
func (d described) find(name string) (describedField, bool) {
	for _, f := range d.Fields {
		if sameField(f.Name, name) {
			return f, true
		}
	}
	return describedField{}, false
}
