package adapter

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// bucketDaily is the limit that every call counts against.
const bucketDaily = "daily"

// problem is how the CRM says no.
type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field"`
	Into    string `json:"into"`
}

// row is one line of a batch, on the way there and back. A null value empties a
// field.
type row struct {
	Ref     string         `json:"ref"`
	ID      string         `json:"id,omitempty"`
	Key     string         `json:"external_key,omitempty"`
	Mode    string         `json:"mode,omitempty"`
	Version string         `json:"version,omitempty"`
	Fields  map[string]any `json:"fields,omitempty"`
	Status  int            `json:"status,omitempty"`
	Error   *problem       `json:"error,omitempty"`
}

type rows struct {
	Rows []row `json:"rows"`
}

// record is a record as the CRM shows it.
type record struct {
	ID      string            `json:"id"`
	Key     string            `json:"external_key"`
	Version int               `json:"version"`
	Changed string            `json:"changed"`
	Fields  map[string]string `json:"fields"`
	Gone    bool              `json:"gone"`
	Into    string            `json:"into"`
}

// dialect says where the CRM keeps its error words and what they mean; what it
// doesn't name has its general HTTP meaning.
func dialect() crmhttp.Dialect {
	return crmhttp.Dialect{
		Words: func(r crmhttp.Reply) crmhttp.Words {
			var p problem
			_ = json.Unmarshal(r.Body, &p) // a proxy's page has no words
			return crmhttp.Words{Code: p.Code, Message: p.Message, Field: p.Field, RequestID: r.Header.Get("X-Request-Id")}
		},
		Rules: []crmhttp.Rule{
			{Code: "DAILY_LIMIT", Class: sdk.ClassQuota, Retry: sdk.RetryLater},
			{Code: "NO_SUCH_FIELD", Class: sdk.ClassSchema, Retry: sdk.RetryNever},
			{Code: "NO_SUCH_OBJECT", Class: sdk.ClassSchema, Retry: sdk.RetryNever},
			{Code: "MERGED", Class: sdk.ClassRemapped, Retry: sdk.RetryNever},
			{Code: "EXISTS", Class: sdk.ClassDuplicate, Retry: sdk.RetryNever},
			{Code: "TAKEN", Class: sdk.ClassDuplicate, Retry: sdk.RetryNever},
			{Status: http.StatusUnprocessableEntity, Class: sdk.ClassValidation, Retry: sdk.RetryNever},
			{Status: http.StatusBadRequest, Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		},
		Quotas: func(h http.Header) []sdk.Quota {
			limit, remaining := crmhttp.HeaderInt(h, "X-Daily-Limit"), crmhttp.HeaderInt(h, "X-Daily-Remaining")
			if limit < 0 && remaining < 0 {
				return nil
			}
			return []sdk.Quota{{Bucket: bucketDaily, Limit: limit, Remaining: remaining, ResetSeconds: -1}}
		},
	}
}

// failure is what is wrong with one row.
func (r row) failure() *sdk.Error {
	p := problem{}
	if r.Error != nil {
		p = *r.Error
	}
	rule := dialect().Rule(r.Status, p.Code)
	return &sdk.Error{Class: rule.Class, Retry: rule.Retry, After: rule.After, Field: p.Field, Code: p.Code, Message: p.Message, Status: r.Status}
}

// outcome is what became of the item that a row was sent for.
func (r row) outcome(itemID, object string) sdk.Outcome {
	if r.Status < 200 || r.Status > 299 {
		failed := sdk.Fail(itemID, r.failure())
		if r.Error != nil {
			failed.CRMID = r.Error.Into
		}
		return failed
	}
	out := sdk.Outcome{ItemID: itemID, Done: sdk.Updated, Object: object, CRMID: r.ID, Version: r.Version, Echo: map[string]sdk.Value{}}
	if r.Status == http.StatusCreated {
		out.Done = sdk.Created
	}
	for name, v := range r.Fields {
		if text, ok := v.(string); ok {
			out.Echo[name] = sdk.Text(text)
		}
	}
	return out
}

// send writes rows and answers an outcome for each. A row that the CRM's answer
// doesn't mention may have been written.
func send(s *crmhttp.Session, do func(any) *sdk.Error, out []row, object string) (sdk.WriteReply, error) {
	var answer rows
	if failed := do(&answer); failed != nil {
		return sdk.WriteReply{}, s.Fail(failed)
	}
	by := map[string]row{}
	for _, r := range answer.Rows {
		by[r.Ref] = r
	}
	reply := sdk.WriteReply{Usage: s.Usage()}
	for _, r := range out {
		back, told := by[r.Ref]
		if !told {
			reply.Outcomes = append(reply.Outcomes, sdk.Fail(r.Ref, &sdk.Error{
				Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack, Message: "the CRM's answer leaves this record out",
			}))
			continue
		}
		reply.Outcomes = append(reply.Outcomes, back.outcome(r.Ref, object))
	}
	return reply, nil
}

// value is a value as the CRM takes it: text, or null to empty the field.
func value(v sdk.Value) any {
	switch v.Kind() {
	case sdk.KindClear:
		return nil
	case sdk.KindText:
		return v.Text()
	case sdk.KindList:
		return strings.Join(v.List(), ";")
	default:
		return v.String()
	}
}

// texts are a record's fields as the host takes them, those that were asked for.
func (r record) texts(want []string) map[string]sdk.Value {
	out := map[string]sdk.Value{}
	for _, name := range want {
		if text, ok := r.Fields[name]; ok {
			out[name] = sdk.Text(text)
		} else {
			out[name] = sdk.Clear()
		}
	}
	return out
}
