package main

import (
	"context"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// DescribeObject reads the live properties of an object (hubspot.md §3).
func (a *adapter) DescribeObject(ctx context.Context, req sdk.DescribeObjectRequest) (sdk.DescribeObjectReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.DescribeObjectReply{}, err
	}
	o, known := objectNamed(req.Object)
	if !known {
		return sdk.DescribeObjectReply{}, ac.Fail(&sdk.Error{
			Class: sdk.ClassSchema, Retry: sdk.RetryNever, Message: "the adapter does not write the object " + req.Object,
		})
	}
	var answer struct{ Results []property }
	_, failed := ac.JSON(ctx, crmhttp.Request{
		Method: http.MethodGet, Path: ac.propertyPath(req.Object, ""), Bucket: bucketBurst,
	}, &answer)
	if failed != nil {
		return sdk.DescribeObjectReply{}, ac.Fail(failed)
	}
	reply := sdk.DescribeObjectReply{Object: o, Usage: ac.Usage()}
	for _, p := range answer.Results {
		if !p.Archived {
			reply.Fields = append(reply.Fields, toField(o, p))
		}
	}
	return reply, nil
}

// textLimit is HubSpot's bound on a text property, in characters (§4: notes).
const textLimit = 65_536

func toField(o sdk.Object, p property) sdk.Field {
	f := sdk.Field{
		Name: p.Name, Label: p.Label, Type: p.Type, Kind: kindOf(p), Custom: !p.HubSpotDefined,
		// The definition of email says that it is not unique, and it is (§3.1).
		Unique:     p.Unique || o.Name == contacts && p.Name == "email",
		ExternalID: p.Name == keyField,
		Createable: sdk.Yes, Updateable: sdk.Yes,
		IsDate: p.Type == "date" || p.Type == "datetime",
	}
	if p.Modification.ReadOnlyValue || p.Calculated {
		f.Createable, f.Updateable = sdk.No, sdk.No
	}
	if p.Type == "string" {
		f.MaxLength = textLimit
	}
	if p.Type == "enumeration" {
		f.PicklistRestricted = !p.ExternalOptions
		for _, c := range p.Options {
			f.Picklist = append(f.Picklist, sdk.PickValue{Value: c.Value, Label: c.Label, Active: !c.Hidden})
		}
	}
	return f
}

// kindOf is what to write into a property.
func kindOf(p property) sdk.ValueKind {
	switch {
	case p.Type == "number":
		return sdk.KindNumber
	case p.Type == "bool":
		return sdk.KindBool
	case p.Type == "enumeration" && p.FieldType == "checkbox":
		return sdk.KindList
	default:
		return sdk.KindText
	}
}
