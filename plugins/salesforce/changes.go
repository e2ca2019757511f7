package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

const (
	// overlap is how far each pass goes back over what was read: rows commit late
	// with an earlier SystemModstamp (salesforce.md §6.3). They are answered
	// again; who compares values loses nothing.
	overlapTime = 10 * time.Minute
	// settleTime is what a pass leaves open at its end.
	settleTime = 30 * time.Second
	// pageMax is the most rows of one query page.
	pageMax = 2000
)

// Changes reads what changed by SystemModstamp and id, the recycle bin included,
// so that changes, deletions and merges come in one order from one query: a call
// for each page. A cursor mid-pass names the last row; a finished one goes back
// by overlapTime.
func (a *adapter) Changes(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.ChangesReply{}, err
	}
	if field, bad := badField(req.Object, req.Fields); bad {
		return sdk.ChangesReply{}, refused(field, "fields: "+field+" is no API name of an object or field")
	}
	if req.Cursor == "" {
		return o.present(ctx)
	}
	c, err := readCursor(req.Cursor)
	if err != nil {
		return sdk.ChangesReply{}, refused("cursor", err.Error())
	}
	limit := min(max(req.Limit, 1), pageMax)
	key := o.keyField(req.Object)
	answers, reply, failed := o.query(ctx, soql{text: c.query(req.Object, key, req.Fields, limit), all: true})
	if failed != nil {
		return sdk.ChangesReply{}, o.Fail(failed)
	}
	now, ok := serverTime(reply)
	if !ok {
		return sdk.ChangesReply{}, o.Fail(odd(false, "an answer without a date, which the next window is built on"))
	}
	out := readChanges(req.Object, key, req.Fields, answers[0])
	next := c.done(now)
	out.Horizon = latest(now.Add(-settleTime), c.Since).Format(time.RFC3339)
	if len(answers[0]) >= limit {
		last := answers[0][len(answers[0])-1]
		at, ok := readTime(text(last, "SystemModstamp"))
		if !ok {
			return sdk.ChangesReply{}, o.Fail(odd(false, "a row whose SystemModstamp is no time"))
		}
		next = cursor{Since: c.Since, At: at, ID: text(last, "Id")}
		out.More, out.Horizon = true, at.Format(time.RFC3339)
	}
	out.Next, out.Usage = next.String(), o.Usage()
	return out, nil
}

// present answers a cursor for now, by the server's clock. The version list needs
// no allowance (salesforce.md §2.1).
func (o *org) present(ctx context.Context) (sdk.ChangesReply, error) {
	reply, failed := o.call(ctx, crmhttp.Request{Method: http.MethodGet, Path: "/services/data", Bucket: bucketFree}, nil)
	if failed != nil {
		return sdk.ChangesReply{}, o.Fail(failed)
	}
	now, ok := serverTime(reply)
	if !ok {
		return sdk.ChangesReply{}, o.Fail(odd(false, "an answer without a date, which the first window is built on"))
	}
	return sdk.ChangesReply{Next: cursor{Since: now}.String(), Horizon: now.Format(time.RFC3339), Usage: o.Usage()}, nil
}

// cursor is a place in the order of SystemModstamp and id. At and ID are the last
// row of a pass that is not finished.
type cursor struct {
	Since time.Time `json:"since"`
	At    time.Time `json:"at,omitzero"`
	ID    string    `json:"id,omitempty"`
}

// String writes the cursor as the host keeps it.
func (c cursor) String() string {
	data, err := json.Marshal(c)
	if err != nil {
		return "" // a year beyond 9999: the host starts again
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func readCursor(s string) (cursor, error) {
	var c cursor
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err == nil && (c.Since.IsZero() || c.At.IsZero() != (c.ID == "") || c.ID != "" && !isID(c.ID)) {
		err = fmt.Errorf("its parts do not fit together")
	}
	if err != nil {
		return cursor{}, fmt.Errorf("cursor: is not one of this adapter (%w): start again with an empty one", err)
	}
	return c, nil
}

// done is where the next pass starts: never before this one did.
func (c cursor) done(now time.Time) cursor {
	return cursor{Since: latest(now.Add(-overlapTime), c.Since)}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// query asks for the rows after the cursor. Thousands of rows may share one
// SystemModstamp, which the id then tells apart (salesforce.md §10, quirk 10).
func (c cursor) query(object, key string, fields []string, limit int) string {
	where := "SystemModstamp >= " + literal(c.Since)
	if c.ID != "" {
		where = fmt.Sprintf("(SystemModstamp = %s AND Id > %s) OR SystemModstamp > %s", literal(c.At), quote(c.ID), literal(c.At))
	}
	extra := []string{"IsDeleted"}
	if merges(object) {
		extra = append(extra, "MasterRecordId")
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY SystemModstamp ASC, Id ASC LIMIT %d",
		selectFields(recordFields(object, key), extra, fields), object, where, limit)
}

// literal is a time in SOQL, unquoted (salesforce.md §6.2).
func literal(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func readChanges(object, key string, fields []string, page rows) sdk.ChangesReply {
	var out sdk.ChangesReply
	for _, row := range page {
		id, master := text(row, "Id"), text(row, "MasterRecordId")
		switch {
		case truth(row, "IsDeleted") && master != "":
			out.Remapped = append(out.Remapped, sdk.Remap{FromID: id, ToID: master})
		case truth(row, "IsDeleted"):
			out.Deleted = append(out.Deleted, id)
		default:
			rec := readRecord(object, key, fields, row)
			if rec.Object != object {
				out.Remapped = append(out.Remapped, sdk.Remap{FromID: id, ToID: rec.ID, ToObject: rec.Object})
				continue
			}
			out.Changed = append(out.Changed, rec)
		}
	}
	return out
}
