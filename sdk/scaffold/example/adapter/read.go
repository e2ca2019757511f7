package adapter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// Check implements sdk.Adapter.
func (a *Adapter) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	s, bad := a.open(req.Connection)
	if bad != nil {
		return sdk.CheckReply{}, bad
	}
	var who struct{ Account, User, Version string }
	if _, failed := s.JSON(ctx, get("/account", nil), &who); failed != nil {
		return sdk.CheckReply{}, s.Fail(failed)
	}
	return sdk.CheckReply{
		Account: who.Account, User: who.User, APIVersion: who.Version,
		ExternalKey: map[string]bool{people: true, notes: true}, Usage: s.Usage(),
	}, nil
}

// Install implements sdk.Adapter: there is nothing to create.
func (*Adapter) Install(context.Context, sdk.InstallRequest) (sdk.InstallReply, error) {
	return sdk.InstallReply{Steps: []sdk.InstallStep{{Name: "The CRM has the external key by itself", State: sdk.StepDone}}}, nil
}

// DescribeObject implements sdk.Adapter.
func (a *Adapter) DescribeObject(ctx context.Context, req sdk.DescribeObjectRequest) (sdk.DescribeObjectReply, error) {
	s, bad := a.open(req.Connection)
	if bad != nil {
		return sdk.DescribeObjectReply{}, bad
	}
	var answer struct {
		Fields []struct {
			Name, Label      string
			Length           int
			Required, Unique bool
		}
	}
	if _, failed := s.JSON(ctx, get("/"+req.Object+"/fields", nil), &answer); failed != nil {
		return sdk.DescribeObjectReply{}, s.Fail(failed)
	}
	reply := sdk.DescribeObjectReply{Object: sdk.Object{Name: req.Object, ExternalKeyField: keyField}, Usage: s.Usage()}
	for _, f := range answer.Fields {
		reply.Fields = append(reply.Fields, sdk.Field{
			Name: f.Name, Label: f.Label, Type: "text", Kind: sdk.KindText, MaxLength: f.Length, Required: f.Required, Unique: f.Unique,
			Createable: sdk.Yes, Updateable: sdk.Yes,
		})
	}
	return reply, nil
}

// Find implements sdk.Adapter: a request for each kind of key.
func (a *Adapter) Find(ctx context.Context, req sdk.FindRequest) (sdk.FindReply, error) {
	s, bad := a.open(req.Connection)
	if bad != nil {
		return sdk.FindReply{}, bad
	}
	values := map[sdk.FindBy][]string{}
	for _, k := range req.Keys {
		values[k.By] = append(values[k.By], k.Value)
	}
	var reply sdk.FindReply
	for by, wanted := range values {
		var answer struct{ Rows []record }
		_, failed := s.JSON(ctx, crmhttp.Request{
			Method: http.MethodPost, Path: "/" + req.Object + "/lookup", Bucket: bucketDaily,
			Body: map[string]any{"by": by, "values": wanted},
		}, &answer)
		if failed != nil {
			return sdk.FindReply{}, s.Fail(failed)
		}
		for _, r := range answer.Rows {
			for _, k := range req.Keys {
				if k.By == by && k.Value == r.by(by) {
					reply.Hits = append(reply.Hits, sdk.Hit{ItemID: k.ItemID, By: by, Record: r.shown(req.Object, req.Fields)})
				}
			}
		}
	}
	reply.Usage = s.Usage()
	return reply, nil
}

func (r record) by(by sdk.FindBy) string {
	switch by {
	case sdk.FindByID:
		return r.ID
	case sdk.FindByExternalKey:
		return r.Key
	case sdk.FindByEmail:
		return strings.ToLower(r.Fields["email"])
	default:
		return r.Fields[string(by)]
	}
}

func (r record) shown(object string, fields []string) sdk.Record {
	return sdk.Record{
		Object: object, ID: r.ID, ExternalKey: r.Key, Version: strconv.Itoa(r.Version), UpdatedAt: r.Changed, Fields: r.texts(fields),
	}
}

// Changes implements sdk.Adapter.
func (a *Adapter) Changes(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
	s, bad := a.open(req.Connection)
	if bad != nil {
		return sdk.ChangesReply{}, bad
	}
	query := url.Values{"cursor": {"now"}, "limit": {strconv.Itoa(req.Limit)}}
	if req.Cursor != "" {
		query.Set("cursor", req.Cursor)
	}
	var answer struct {
		Rows      []record
		Next, Now string
		More      bool
	}
	if _, failed := s.JSON(ctx, get("/"+req.Object+"/changes", query), &answer); failed != nil {
		return sdk.ChangesReply{}, s.Fail(failed)
	}
	reply := sdk.ChangesReply{Next: answer.Next, More: answer.More, Usage: s.Usage()}
	if !answer.More {
		reply.Horizon = answer.Now
	}
	for _, r := range answer.Rows {
		switch {
		case r.Gone:
			reply.Deleted = append(reply.Deleted, r.ID)
		case r.Into != "":
			reply.Remapped = append(reply.Remapped, sdk.Remap{FromID: r.ID, ToID: r.Into})
		default:
			reply.Changed = append(reply.Changed, r.shown(req.Object, req.Fields))
		}
	}
	return reply, nil
}

func get(path string, query url.Values) crmhttp.Request {
	return crmhttp.Request{Method: http.MethodGet, Path: path, Query: query, Bucket: bucketDaily}
}

func encode(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err
}
