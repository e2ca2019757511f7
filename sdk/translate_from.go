package sdk

import (
	pb "github.com/clientele-crm/clientele/sdk/adapterpb"
)

// The second half of the translation; see translate.go. Absent messages read as
// zero values, so a sender may leave out what it does not have.

func fromValue(v *pb.Value) Value {
	switch k := v.GetKind().(type) {
	case *pb.Value_Text:
		return Text(k.Text)
	case *pb.Value_Number:
		return Number(k.Number)
	case *pb.Value_Truth:
		return Bool(k.Truth)
	case *pb.Value_List:
		return List(k.List.GetItems()...)
	default:
		return Clear()
	}
}

func fromDescription(d *pb.Description) Description {
	return Description{
		Name: d.GetName(), Label: d.GetLabel(), Version: d.GetVersion(), Protocol: int(d.GetProtocol()),
		Objects:      each(d.GetObjects(), fromObject),
		Capabilities: d.GetCapabilities(),
		Batch: BatchLimits{
			Min: int(d.GetBatch().GetMin()), Start: int(d.GetBatch().GetStart()), Max: int(d.GetBatch().GetMax()),
		},
		UniformFields:  d.GetUniformFields(),
		Auth:           each(d.GetAuth(), fromAuthMethod),
		SettingsSchema: d.GetSettingsSchema(),
		DefaultMapping: each(d.GetDefaultMapping(), fromMappingRow),
		Simulator:      d.GetSimulator(),
	}
}

func fromAuthMethod(a *pb.AuthMethod) AuthMethod {
	return AuthMethod{
		Kind: a.GetKind(), Label: a.GetLabel(), AuthorizeURL: a.GetAuthorizeUrl(), TokenURL: a.GetTokenUrl(),
		Scopes: a.GetScopes(), PKCE: a.GetPkce(), KeepExtras: a.GetKeepExtras(), TokenHosts: a.GetTokenHosts(),
		ReauthErrors: a.GetReauthErrors(),
	}
}

func fromMappingRow(m *pb.MappingRow) MappingRow {
	return MappingRow{
		Object: m.GetObject(), Field: m.GetField(), Expr: m.GetExpr(), Blank: m.GetBlank(), MaxLength: int(m.GetMaxLength()),
	}
}

func fromObject(o *pb.Object) Object {
	return Object{
		Name: o.GetName(), Label: o.GetLabel(), Role: o.GetRole(), ExternalKeyField: o.GetExternalKeyField(),
	}
}

func fromConnection(c *pb.Connection) Connection {
	return Connection{
		ID: c.GetId(), Settings: c.GetSettings(),
		Token: Token{AccessToken: c.GetToken().GetAccessToken(), Extras: c.GetToken().GetExtras()},
	}
}

func fromUsage(u *pb.Usage) Usage {
	return Usage{
		Calls: each(u.GetCalls(), func(c *pb.BucketCalls) BucketCalls {
			return BucketCalls{Bucket: c.GetBucket(), N: int(c.GetN())}
		}),
		Quotas: each(u.GetQuotas(), func(q *pb.Quota) Quota {
			return Quota{
				Bucket: q.GetBucket(), Limit: q.GetLimit(), Remaining: q.GetRemaining(), ResetSeconds: q.GetResetSeconds(),
			}
		}),
	}
}

func fromRecord(r *pb.Record) Record {
	return Record{
		Object: r.GetObject(), ID: r.GetId(), ExternalKey: r.GetExternalKey(), Version: r.GetVersion(),
		UpdatedAt: r.GetUpdatedAt(), Fields: eachValue(r.GetFields(), fromValue),
	}
}

func fromError(e *pb.Error) *Error {
	if e == nil {
		return nil
	}
	return &Error{
		Class: Class(e.GetClass()), Retry: Retry(e.GetRetry()), After: millis(e.GetAfterMillis()), Field: e.GetField(),
		Code: e.GetCode(), Message: e.GetMessage(), Status: int(e.GetStatus()), RequestID: e.GetRequestId(),
		Usage: fromUsage(e.GetUsage()),
	}
}

func fromOutcome(o *pb.Outcome) Outcome {
	return Outcome{
		ItemID: o.GetItemId(), Done: Done(o.GetDone()), Object: o.GetObject(), CRMID: o.GetCrmId(), Version: o.GetVersion(),
		Echo: eachValue(o.GetEcho(), fromValue), Candidates: o.GetCandidates(), Notes: o.GetNotes(),
		Err: fromError(o.GetErr()),
	}
}

func fromCheckRequest(r *pb.CheckRequest) CheckRequest {
	return CheckRequest{Connection: fromConnection(r.GetConnection())}
}

func fromCheckReply(r *pb.CheckReply) CheckReply {
	return CheckReply{
		Account: r.GetAccount(), User: r.GetUser(), APIVersion: r.GetApiVersion(), Sandbox: r.GetSandbox(),
		Missing: r.GetMissing(), ExternalKey: r.GetExternalKey(), Usage: fromUsage(r.GetUsage()),
	}
}

func fromInstallRequest(r *pb.InstallRequest) InstallRequest {
	return InstallRequest{Connection: fromConnection(r.GetConnection()), Objects: r.GetObjects()}
}

func fromInstallReply(r *pb.InstallReply) InstallReply {
	return InstallReply{
		Steps: each(r.GetSteps(), func(s *pb.InstallStep) InstallStep {
			return InstallStep{Name: s.GetName(), State: StepState(s.GetState()), Instructions: s.GetInstructions()}
		}),
		Usage: fromUsage(r.GetUsage()),
	}
}

func fromDescribeObjectRequest(r *pb.DescribeObjectRequest) DescribeObjectRequest {
	return DescribeObjectRequest{Connection: fromConnection(r.GetConnection()), Object: r.GetObject()}
}

func fromDescribeObjectReply(r *pb.DescribeObjectReply) DescribeObjectReply {
	return DescribeObjectReply{
		Object: fromObject(r.GetObject()), Fields: each(r.GetFields(), fromField), Usage: fromUsage(r.GetUsage()),
	}
}

func fromField(f *pb.Field) Field {
	return Field{
		Name: f.GetName(), Label: f.GetLabel(), Type: f.GetType(), Kind: ValueKind(f.GetKind()),
		MaxLength: int(f.GetMaxLength()), Required: f.GetRequired(), Unique: f.GetUnique(), Custom: f.GetCustom(),
		ExternalID: f.GetExternalId(), Createable: Tri(f.GetCreateable()), Updateable: Tri(f.GetUpdateable()),
		Picklist: each(f.GetPicklist(), func(p *pb.PickValue) PickValue {
			return PickValue{Value: p.GetValue(), Label: p.GetLabel(), Active: p.GetActive()}
		}),
		PicklistRestricted: f.GetPicklistRestricted(), References: f.GetReferences(),
		DefaultedOnCreate: f.GetDefaultedOnCreate(), IsDate: f.GetIsDate(),
	}
}

func fromFindRequest(r *pb.FindRequest) FindRequest {
	return FindRequest{
		Connection: fromConnection(r.GetConnection()), Object: r.GetObject(), Fields: r.GetFields(),
		Keys: each(r.GetKeys(), func(k *pb.FindKey) FindKey {
			return FindKey{ItemID: k.GetItemId(), By: FindBy(k.GetBy()), Value: k.GetValue()}
		}),
	}
}

func fromFindReply(r *pb.FindReply) FindReply {
	return FindReply{
		Hits: each(r.GetHits(), func(h *pb.Hit) Hit {
			return Hit{ItemID: h.GetItemId(), By: FindBy(h.GetBy()), Record: fromRecord(h.GetRecord())}
		}),
		Usage: fromUsage(r.GetUsage()),
	}
}

func fromWriteRequest(r *pb.WriteRequest) WriteRequest {
	return WriteRequest{
		Connection: fromConnection(r.GetConnection()), Object: r.GetObject(), Items: each(r.GetItems(), fromWriteItem),
	}
}

func fromWriteItem(i *pb.WriteItem) WriteItem {
	return WriteItem{
		ItemID: i.GetItemId(), Mode: WriteMode(i.GetMode()), ExternalKey: i.GetExternalKey(), CRMID: i.GetCrmId(),
		Version: i.GetVersion(), Fields: eachValue(i.GetFields(), fromValue),
		ContentionKey: i.GetContentionKey(), AssociateCRMID: i.GetAssociateCrmId(),
	}
}

func fromWriteReply(r *pb.WriteReply) WriteReply {
	return WriteReply{Outcomes: each(r.GetOutcomes(), fromOutcome), Usage: fromUsage(r.GetUsage())}
}

func fromLogActivitiesRequest(r *pb.LogActivitiesRequest) LogActivitiesRequest {
	return LogActivitiesRequest{Connection: fromConnection(r.GetConnection()), Items: each(r.GetItems(), fromActivity)}
}

func fromActivity(a *pb.Activity) Activity {
	return Activity{
		ItemID: a.GetItemId(), ExternalKey: a.GetExternalKey(), CRMID: a.GetCrmId(), CRMObject: a.GetCrmObject(),
		Channel: a.GetChannel(), Subject: a.GetSubject(), Body: a.GetBody(), Link: a.GetLink(),
		Direction: a.GetDirection(), StartedAt: a.GetStartedAt(), EndedAt: a.GetEndedAt(),
		ContactCRMIDs: a.GetContactCrmIds(), ContactObject: a.GetContactObject(),
		From: a.GetFrom(), To: a.GetTo(), CallStatus: a.GetCallStatus(),
	}
}

func fromDeleteRequest(r *pb.DeleteRequest) DeleteRequest {
	return DeleteRequest{
		Connection: fromConnection(r.GetConnection()), Object: r.GetObject(),
		Items: each(r.GetItems(), func(i *pb.DeleteItem) DeleteItem {
			return DeleteItem{ItemID: i.GetItemId(), CRMID: i.GetCrmId()}
		}),
	}
}

func fromChangesRequest(r *pb.ChangesRequest) ChangesRequest {
	return ChangesRequest{
		Connection: fromConnection(r.GetConnection()), Object: r.GetObject(), Cursor: r.GetCursor(),
		Fields: r.GetFields(), Limit: int(r.GetLimit()),
	}
}

func fromChangesReply(r *pb.ChangesReply) ChangesReply {
	return ChangesReply{
		Changed: each(r.GetChanged(), fromRecord), Deleted: r.GetDeleted(),
		Remapped: each(r.GetRemapped(), func(m *pb.Remap) Remap {
			return Remap{FromID: m.GetFromId(), ToID: m.GetToId(), ToObject: m.GetToObject()}
		}),
		Next: r.GetNext(), More: r.GetMore(), Horizon: r.GetHorizon(), Usage: fromUsage(r.GetUsage()),
	}
}

func fromPlanReply(r *pb.PlanReply) PlanReply {
	return PlanReply{
		Requests: each(r.GetRequests(), func(p *pb.PlannedRequest) PlannedRequest {
			return PlannedRequest{Method: p.GetMethod(), Path: p.GetPath(), Body: p.GetBody(), Bucket: p.GetBucket()}
		}),
		Items: each(r.GetItems(), func(p *pb.PlannedItem) PlannedItem {
			return PlannedItem{
				ItemID: p.GetItemId(), CRMID: p.GetCrmId(), Action: p.GetAction(),
				Before: eachValue(p.GetBefore(), fromValue), After: eachValue(p.GetAfter(), fromValue),
			}
		}),
		Usage: fromUsage(r.GetUsage()),
	}
}
