package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// call sends one request and decodes its JSON answer.
func (o *org) call(ctx context.Context, req crmhttp.Request, out any) (crmhttp.Reply, *sdk.Error) {
	req.Bucket = cmp.Or(req.Bucket, bucketAPI)
	header := map[string]string{"Accept": "application/json", "Sforce-Call-Options": "client=clientele/" + version}
	maps.Copy(header, req.Header)
	req.Header = header
	if out == nil {
		reply, failed := o.Do(ctx, req)
		return reply, refineWhole(failed)
	}
	reply, failed := o.JSON(ctx, req, out)
	return reply, refineWhole(failed)
}

func refineWhole(e *sdk.Error) *sdk.Error {
	if e == nil {
		return nil
	}
	return refine(e)
}

// writeHeader is what every write carries: which rules of the org may run
// (salesforce.md §2.2, §8).
func (o *org) writeHeader() map[string]string {
	header := map[string]string{"Sforce-Auto-Assign": "FALSE"}
	if o.settings.RunAssignment {
		header["Sforce-Auto-Assign"] = "TRUE"
	}
	if o.settings.DuplicateRules == duplicatesAllow {
		header["Sforce-Duplicate-Rule-Header"] = "allowSave=true"
	}
	return header
}

// record is a record as it is written. Salesforce wants attributes first.
type record struct {
	object string
	id     string
	fields map[string]sdk.Value
}

// MarshalJSON writes attributes, id and then the fields in order of their names.
func (r record) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, `{"attributes":{"type":%q}`, r.object)
	if r.id != "" {
		fmt.Fprintf(&out, `,"id":%q`, r.id)
	}
	if err := writeFields(&out, r.fields, ","); err != nil {
		return nil, err
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// fieldsOnly are the fields of a record that is addressed by its URL.
type fieldsOnly map[string]sdk.Value

// MarshalJSON writes the fields in order of their names.
func (f fieldsOnly) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	if err := writeFields(&out, f, ""); err != nil {
		return nil, err
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func writeFields(out *bytes.Buffer, fields map[string]sdk.Value, separator string) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value, err := json.Marshal(wireValue(fields[name]))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(out, "%s%q:", separator, name)
		out.Write(value)
		separator = ","
	}
	return nil
}

// collection is the body of an sObject Collections call (salesforce.md §5.3).
type collection struct {
	AllOrNone bool     `json:"allOrNone"`
	Records   []record `json:"records"`
}

// rowResult is the fate of one record of a collection, by position.
type rowResult struct {
	ID      string      `json:"id"`
	Success bool        `json:"success"`
	Created bool        `json:"created"`
	Errors  []wireError `json:"errors"`
}

// composite runs up to 25 requests as one call (salesforce.md §5.4).
type composite struct {
	AllOrNone bool      `json:"allOrNone"`
	Requests  []subcall `json:"compositeRequest"`
}

type subcall struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	HTTPHeaders map[string]string `json:"httpHeaders,omitempty"`
	Body        any               `json:"body,omitempty"`
}

type subreply struct {
	Body           json.RawMessage `json:"body"`
	HTTPStatusCode int             `json:"httpStatusCode"`
	ReferenceID    string          `json:"referenceId"`
}

// Limits of one composite call.
const (
	compositeMax        = 25
	compositeQueriesMax = 5
)

// composite sends the requests and returns their answers in the same order.
func (o *org) composite(ctx context.Context, requests []subcall, writes bool) ([]subreply, crmhttp.Reply, *sdk.Error) {
	for i := range requests {
		requests[i].ReferenceID = fmt.Sprintf("r%d", i)
	}
	var out struct {
		Replies []subreply `json:"compositeResponse"`
	}
	reply, failed := o.call(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: o.path("/composite"), Body: composite{Requests: requests}, Writes: writes,
	}, &out)
	if failed != nil {
		return nil, reply, failed
	}
	if len(out.Replies) != len(requests) {
		return nil, reply, odd(writes, "a composite answer of %d parts for %d requests", len(out.Replies), len(requests))
	}
	return out.Replies, reply, nil
}

// failure classifies a part of a composite answer; nil when it is good.
func (r subreply) failure(writes bool) *sdk.Error {
	if r.HTTPStatusCode >= 200 && r.HTTPStatusCode < 300 {
		return nil
	}
	d := dialect()
	return refine(d.Classify(crmhttp.Reply{Status: r.HTTPStatusCode, Header: http.Header{}, Body: r.Body}, writes))
}

// odd is the error of a 2xx answer that is not what the page promises: whatever
// was written may be there.
func odd(writes bool, format string, args ...any) *sdk.Error {
	e := &sdk.Error{Class: sdk.ClassTransient, Retry: sdk.RetryLater, Message: "Salesforce sent " + fmt.Sprintf(format, args...)}
	if writes {
		e.Class, e.Retry = sdk.ClassUnknownOutcome, sdk.RetryReadBack
	}
	return e
}

// serverTime is the clock of the org's server, which windows are built on
// (salesforce.md §6.3, rule 7).
func serverTime(r crmhttp.Reply) (time.Time, bool) {
	at, err := http.ParseTime(r.Header.Get("Date"))
	return at.UTC(), err == nil
}

// escape makes a value one segment of a path.
func escape(segment string) string { return url.PathEscape(segment) }
