package sdk

import (
	"strings"
	"time"

	pb "github.com/clientele-crm/clientele/sdk/adapterpb"
)

// This file and its counterpart are the only places that know both the contract
// and its wire form: to… builds messages, from… reads them. A field added to the
// contract and forgotten here fails TestEveryFieldIsCarried.

// each translates a list; an empty one stays nil.
func each[A, B any](in []A, f func(A) B) []B {
	if len(in) == 0 {
		return nil
	}
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

// eachValue translates a field map; an empty one stays nil.
func eachValue[A, B any](in map[string]A, f func(A) B) map[string]B {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]B, len(in))
	for k, a := range in {
		out[k] = f(a)
	}
	return out
}

// valid replaces what is not UTF-8: protobuf would refuse the whole message, on
// the way back even after the CRM has committed.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func toValue(v Value) *pb.Value {
	switch v.kind {
	case KindText:
		return &pb.Value{Kind: &pb.Value_Text{Text: valid(v.text)}}
	case KindNumber:
		return &pb.Value{Kind: &pb.Value_Number{Number: v.number}}
	case KindBool:
		return &pb.Value{Kind: &pb.Value_Truth{Truth: v.truth}}
	case KindList:
		return &pb.Value{Kind: &pb.Value_List{List: &pb.TextList{Items: each(v.list, valid)}}}
	default:
		return &pb.Value{}
	}
}

func toDescription(d Description) *pb.Description {
	return &pb.Description{
		Name: d.Name, Label: d.Label, Version: d.Version, Protocol: int32(d.Protocol),
		Objects:        each(d.Objects, toObject),
		Capabilities:   d.Capabilities,
		Batch:          &pb.BatchLimits{Min: int32(d.Batch.Min), Start: int32(d.Batch.Start), Max: int32(d.Batch.Max)},
		UniformFields:  d.UniformFields,
		Auth:           each(d.Auth, toAuthMethod),
		SettingsSchema: d.SettingsSchema,
		DefaultMapping: each(d.DefaultMapping, toMappingRow),
		Simulator:      d.Simulator,
	}
}

func toAuthMethod(a AuthMethod) *pb.AuthMethod {
	return &pb.AuthMethod{
		Kind: a.Kind, Label: a.Label, AuthorizeUrl: a.AuthorizeURL, TokenUrl: a.TokenURL, Scopes: a.Scopes,
		Pkce: a.PKCE, KeepExtras: a.KeepExtras, TokenHosts: a.TokenHosts, ReauthErrors: a.ReauthErrors,
	}
}

func toMappingRow(m MappingRow) *pb.MappingRow {
	return &pb.MappingRow{
		Object: m.Object, Field: m.Field, Expr: m.Expr, Blank: m.Blank, MaxLength: int32(m.MaxLength),
	}
}

func toObject(o Object) *pb.Object {
	return &pb.Object{Name: o.Name, Label: o.Label, Role: o.Role, ExternalKeyField: o.ExternalKeyField}
}

func toConnection(c Connection) *pb.Connection {
	return &pb.Connection{
		Id: c.ID, Settings: c.Settings,
		Token: &pb.Token{AccessToken: c.Token.AccessToken, Extras: c.Token.Extras},
	}
}

func toUsage(u Usage) *pb.Usage {
	return &pb.Usage{
		Calls: each(u.Calls, func(c BucketCalls) *pb.BucketCalls {
			return &pb.BucketCalls{Bucket: c.Bucket, N: int32(c.N)}
		}),
		Quotas: each(u.Quotas, func(q Quota) *pb.Quota {
			return &pb.Quota{Bucket: q.Bucket, Limit: q.Limit, Remaining: q.Remaining, ResetSeconds: q.ResetSeconds}
		}),
	}
}

func toRecord(r Record) *pb.Record {
	return &pb.Record{
		Object: r.Object, Id: r.ID, ExternalKey: r.ExternalKey, Version: r.Version, UpdatedAt: r.UpdatedAt,
		Fields: eachValue(r.Fields, toValue),
	}
}

func toError(e *Error) *pb.Error {
	if e == nil {
		return nil
	}
	return &pb.Error{
		Class: string(e.Class), Retry: string(e.Retry), AfterMillis: e.After.Milliseconds(), Field: e.Field,
		Code: valid(e.Code), Message: valid(e.Message), Status: int32(e.Status), RequestId: e.RequestID, Usage: toUsage(e.Usage),
	}
}

func toOutcome(o Outcome) *pb.Outcome {
	return &pb.Outcome{
		ItemId: o.ItemID, Done: string(o.Done), Object: o.Object, CrmId: o.CRMID, Version: o.Version,
		Echo: eachValue(o.Echo, toValue), Candidates: o.Candidates, Notes: o.Notes, Err: toError(o.Err),
	}
}

func toCheckRequest(r CheckRequest) *pb.CheckRequest {
	return &pb.CheckRequest{Connection: toConnection(r.Connection)}
}

func toCheckReply(r CheckReply) *pb.CheckReply {
	return &pb.CheckReply{
		Account: r.Account, User: r.User, ApiVersion: r.APIVersion, Sandbox: r.Sandbox, Missing: r.Missing,
		ExternalKey: r.ExternalKey, Usage: toUsage(r.Usage),
	}
}

func toInstallRequest(r InstallRequest) *pb.InstallRequest {
	return &pb.InstallRequest{Connection: toConnection(r.Connection), Objects: r.Objects}
}

func toInstallReply(r InstallReply) *pb.InstallReply {
	return &pb.InstallReply{
		Steps: each(r.Steps, func(s InstallStep) *pb.InstallStep {
			return &pb.InstallStep{Name: s.Name, State: string(s.State), Instructions: s.Instructions}
		}),
		Usage: toUsage(r.Usage),
	}
}

func toDescribeObjectRequest(r DescribeObjectRequest) *pb.DescribeObjectRequest {
	return &pb.DescribeObjectRequest{Connection: toConnection(r.Connection), Object: r.Object}
}

func toDescribeObjectReply(r DescribeObjectReply) *pb.DescribeObjectReply {
	return &pb.DescribeObjectReply{
		Object: toObject(r.Object), Fields: each(r.Fields, toField), Usage: toUsage(r.Usage),
	}
}

func toField(f Field) *pb.Field {
	return &pb.Field{
		Name: f.Name, Label: f.Label, Type: f.Type, Kind: string(f.Kind), MaxLength: int32(f.MaxLength),
		Required: f.Required, Unique: f.Unique, Custom: f.Custom, ExternalId: f.ExternalID,
		Createable: string(f.Createable), Updateable: string(f.Updateable),
		Picklist: each(f.Picklist, func(p PickValue) *pb.PickValue {
			return &pb.PickValue{Value: p.Value, Label: p.Label, Active: p.Active}
		}),
		PicklistRestricted: f.PicklistRestricted, References: f.References,
		DefaultedOnCreate: f.DefaultedOnCreate, IsDate: f.IsDate,
	}
}

func toFindRequest(r FindRequest) *pb.FindRequest {
	return &pb.FindRequest{
		Connection: toConnection(r.Connection), Object: r.Object, Fields: r.Fields,
		Keys: each(r.Keys, func(k FindKey) *pb.FindKey {
			return &pb.FindKey{ItemId: k.ItemID, By: string(k.By), Value: k.Value}
		}),
	}
}

func toFindReply(r FindReply) *pb.FindReply {
	return &pb.FindReply{
		Hits: each(r.Hits, func(h Hit) *pb.Hit {
			return &pb.Hit{ItemId: h.ItemID, By: string(h.By), Record: toRecord(h.Record)}
		}),
		Usage: toUsage(r.Usage),
	}
}

func toWriteRequest(r WriteRequest) *pb.WriteRequest {
	return &pb.WriteRequest{Connection: toConnection(r.Connection), Object: r.Object, Items: each(r.Items, toWriteItem)}
}

func toWriteItem(i WriteItem) *pb.WriteItem {
	return &pb.WriteItem{
		ItemId: i.ItemID, Mode: string(i.Mode), ExternalKey: i.ExternalKey, CrmId: i.CRMID, Version: i.Version,
		Fields: eachValue(i.Fields, toValue), ContentionKey: i.ContentionKey, AssociateCrmId: i.AssociateCRMID,
	}
}

func toWriteReply(r WriteReply) *pb.WriteReply {
	return &pb.WriteReply{Outcomes: each(r.Outcomes, toOutcome), Usage: toUsage(r.Usage)}
}

func toLogActivitiesRequest(r LogActivitiesRequest) *pb.LogActivitiesRequest {
	return &pb.LogActivitiesRequest{Connection: toConnection(r.Connection), Items: each(r.Items, toActivity)}
}

func toActivity(a Activity) *pb.Activity {
	return &pb.Activity{
		ItemId: a.ItemID, ExternalKey: a.ExternalKey, CrmId: a.CRMID, CrmObject: a.CRMObject, Channel: a.Channel,
		Subject: a.Subject, Body: a.Body, Link: a.Link, Direction: a.Direction,
		StartedAt: a.StartedAt, EndedAt: a.EndedAt, ContactCrmIds: a.ContactCRMIDs, ContactObject: a.ContactObject,
		From: a.From, To: a.To, CallStatus: a.CallStatus,
	}
}

func toDeleteRequest(r DeleteRequest) *pb.DeleteRequest {
	return &pb.DeleteRequest{
		Connection: toConnection(r.Connection), Object: r.Object,
		Items: each(r.Items, func(i DeleteItem) *pb.DeleteItem {
			return &pb.DeleteItem{ItemId: i.ItemID, CrmId: i.CRMID}
		}),
	}
}

func toChangesRequest(r ChangesRequest) *pb.ChangesRequest {
	return &pb.ChangesRequest{
		Connection: toConnection(r.Connection), Object: r.Object, Cursor: r.Cursor, Fields: r.Fields, Limit: int32(r.Limit),
	}
}

func toChangesReply(r ChangesReply) *pb.ChangesReply {
	return &pb.ChangesReply{
		Changed: each(r.Changed, toRecord), Deleted: r.Deleted,
		Remapped: each(r.Remapped, func(m Remap) *pb.Remap {
			return &pb.Remap{FromId: m.FromID, ToId: m.ToID, ToObject: m.ToObject}
		}),
		Next: r.Next, More: r.More, Horizon: r.Horizon, Usage: toUsage(r.Usage),
	}
}

func toPlanReply(r PlanReply) *pb.PlanReply {
	return &pb.PlanReply{
		Requests: each(r.Requests, func(p PlannedRequest) *pb.PlannedRequest {
			return &pb.PlannedRequest{Method: p.Method, Path: p.Path, Body: p.Body, Bucket: p.Bucket}
		}),
		Items: each(r.Items, func(p PlannedItem) *pb.PlannedItem {
			return &pb.PlannedItem{
				ItemId: p.ItemID, CrmId: p.CRMID, Action: p.Action,
				Before: eachValue(p.Before, toValue), After: eachValue(p.After, toValue),
			}
		}),
		Usage: toUsage(r.Usage),
	}
}

// millis reads a wire duration.
func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
