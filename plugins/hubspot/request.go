package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// maxBatch is the number of records in one batch call (hubspot.md §2.4).
const maxBatch = 100

// record is one record or one row of a batch answer (§2.1).
type record struct {
	ID         string             `json:"id"`
	Properties map[string]*string `json:"properties"`
	UpdatedAt  string             `json:"updatedAt"`
	ArchivedAt string             `json:"archivedAt"`
	New        bool               `json:"new"`
	TraceID    string             `json:"objectWriteTraceId"`
}

// property returns a value; an unset one is "".
func (r record) property(name string) string {
	if v := r.Properties[name]; v != nil {
		return *v
	}
	return ""
}

// batchAnswer is the envelope of a batch; whether rows failed is said by the
// body alone, since statuses differ between versions (§0).
type batchAnswer struct {
	Results []record  `json:"results"`
	Errors  []failure `json:"errors"`
}

// batchInput is one row of a batch. The trace id makes HubSpot answer row by
// row (§2.4).
type batchInput struct {
	ID           string            `json:"id,omitempty"`
	IDProperty   string            `json:"idProperty,omitempty"`
	TraceID      string            `json:"objectWriteTraceId,omitempty"`
	Properties   map[string]string `json:"properties,omitempty"`
	Associations []inlineLink      `json:"associations,omitempty"`
}

type inlineLink struct {
	To    linkEnd    `json:"to"`
	Types []linkType `json:"types"`
}

type linkEnd struct {
	ID id `json:"id"`
}

type linkType struct {
	Category string `json:"associationCategory"`
	TypeID   int    `json:"associationTypeId"`
}

// id takes a JSON string or number: association answers use numbers (§4.3).
type id string

// UnmarshalJSON takes both forms.
func (i *id) UnmarshalJSON(data []byte) error {
	*i = id(bytes.Trim(data, `"`))
	return nil
}

// objectPath is the path of an object's records in the chosen version (§0).
func (s settings) objectPath(object string, more string) string {
	if s.APIVersion == "v3" {
		return "/crm/v3/objects/" + url.PathEscape(object) + more
	}
	return "/crm/objects/" + s.APIVersion + "/" + url.PathEscape(object) + more
}

func (s settings) associationPath(from, to, more string) string {
	if s.APIVersion == "v3" {
		return "/crm/v4/associations/" + from + "/" + to + more
	}
	return "/crm/associations/" + s.APIVersion + "/" + from + "/" + to + more
}

func (s settings) propertyPath(object, more string) string {
	if s.APIVersion == "v3" {
		return "/crm/v3/properties/" + url.PathEscape(object) + more
	}
	return "/crm/properties/" + s.APIVersion + "/" + url.PathEscape(object) + more
}

// batch sends rows to a batch call of an object.
func (ac *account) batch(ctx context.Context, object, call string, body any, writes bool) (batchAnswer, crmhttp.Reply, *sdk.Error) {
	var out batchAnswer
	reply, failed := ac.JSON(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: ac.objectPath(object, "/batch/"+call), Body: body, Bucket: bucketBurst, Writes: writes,
	}, &out)
	return out, reply, failed
}

// readByKey reads records by id ("") or by a unique property; what is not there
// is simply not answered. More than a batch are several calls.
func (ac *account) readByKey(ctx context.Context, object, idProperty string, keys, fields []string) ([]record, *sdk.Error) {
	var out []record
	for start := 0; start < len(keys); start += maxBatch {
		chunk := keys[start:min(start+maxBatch, len(keys))]
		inputs := make([]batchInput, len(chunk))
		for i, key := range chunk {
			inputs[i] = batchInput{ID: key}
		}
		body := map[string]any{"inputs": inputs, "properties": fields}
		if idProperty != "" {
			body["idProperty"] = idProperty
		}
		answer, _, failed := ac.batch(ctx, object, "read", body, false)
		if failed != nil {
			return nil, failed
		}
		out = append(out, answer.Results...)
	}
	return out, nil
}

// survivor reads a record by an id that batch calls do not find: after a merge
// the old id leads to the record that is left (§8). No such record is no error.
func (ac *account) survivor(ctx context.Context, object, oldID string, fields []string) (record, bool, *sdk.Error) {
	var r record
	_, failed := ac.JSON(ctx, crmhttp.Request{
		Method: http.MethodGet, Path: ac.objectPath(object, "/"+url.PathEscape(oldID)),
		Query: url.Values{"properties": {strings.Join(fields, ",")}}, Bucket: bucketBurst,
	}, &r)
	if failed != nil && failed.Class == sdk.ClassNotFound {
		return r, false, nil
	}
	return r, failed == nil, failed
}

// maxSurvivors bounds the single reads of one call; the rest stays not found
// until the next.
const maxSurvivors = 20

// searchQuery is the body of a search (§2.6).
type searchQuery struct {
	FilterGroups []filterGroup `json:"filterGroups"`
	Sorts        []sort        `json:"sorts,omitempty"`
	Properties   []string      `json:"properties,omitempty"`
	Limit        int           `json:"limit"`
	After        string        `json:"after,omitempty"`
}

type filterGroup struct {
	Filters []filter `json:"filters"`
}

type filter struct {
	Property string   `json:"propertyName"`
	Operator string   `json:"operator"`
	Value    string   `json:"value,omitempty"`
	Values   []string `json:"values,omitempty"`
}

type sort struct {
	Property  string `json:"propertyName"`
	Direction string `json:"direction"`
}

// The bounds of a search (§2.6).
const (
	maxSearchBytes = 3000
	maxSearchPage  = 200
)

type page struct {
	Total   int      `json:"total"`
	Results []record `json:"results"`
	Paging  struct {
		Next struct {
			After string `json:"after"`
		} `json:"next"`
	} `json:"paging"`
}

func (ac *account) search(ctx context.Context, object string, q searchQuery) (page, *sdk.Error) {
	var out page
	_, failed := ac.JSON(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: ac.objectPath(object, "/search"), Body: q, Bucket: bucketSearch,
	}, &out)
	return out, failed
}

// size is the number of bytes of a search's body.
func (q searchQuery) size() int {
	data, err := json.Marshal(q)
	if err != nil {
		return maxSearchBytes + 1
	}
	return len(data)
}

// encode turns a value into HubSpot's form: everything is a string, "" clears,
// several choices are joined by semicolons (§3.2).
func encode(v sdk.Value) string {
	switch v.Kind() {
	case sdk.KindText:
		return v.Text()
	case sdk.KindNumber:
		return strconv.FormatFloat(v.Number(), 'f', -1, 64)
	case sdk.KindBool:
		return strconv.FormatBool(v.Bool())
	case sdk.KindList:
		return strings.Join(v.List(), ";")
	default:
		return ""
	}
}

// decode reads a property: HubSpot answers text whatever the type is, and null
// or "" for an empty one.
func decode(v *string) sdk.Value {
	if v == nil || *v == "" {
		return sdk.Clear()
	}
	return sdk.Text(*v)
}

// toRecord makes the contract's record of the fields asked for.
func toRecord(object string, r record, fields []string) sdk.Record {
	out := sdk.Record{
		Object: object, ID: r.ID, ExternalKey: r.property(keyField), Version: r.UpdatedAt, UpdatedAt: r.UpdatedAt,
	}
	if len(fields) > 0 {
		out.Fields = map[string]sdk.Value{}
	}
	for _, name := range fields {
		if v, ok := r.Properties[name]; ok {
			out.Fields[name] = decode(v)
		}
	}
	return out
}

// cut bounds a text of HubSpot's: some list every allowed option (§11.15).
func cut(text string) string { return crmhttp.Cut(text, 600) }
