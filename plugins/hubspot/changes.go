package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// The window of incremental reads (hubspot.md §9): it starts before the last one
// ended, because rows reach search late, and ends before now.
const (
	overlap = 5 * time.Minute
	lag     = time.Minute
)

// cursor is where reading stands: a window of change times read in the order of
// ids, then, now and then, the recycle bin.
type cursor struct {
	// Since and Until bound the window; Until is zero between windows.
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"`
	// LastID is the last record read inside the window.
	LastID string `json:"last_id,omitempty"`
	// Swept is the time up to which deletions are known. While the bin is being
	// read, Sweeping is when that began and After the page.
	Swept    time.Time `json:"swept"`
	Sweeping time.Time `json:"sweeping,omitzero"`
	After    string    `json:"after,omitempty"`
}

// Changes answers one page: changed records by search with a window on the time
// of change and a key on the id, never by deep paging, so that neither the
// 10,000 cap nor many equal times lose a row; deletions from the list of archived
// records. Records deleted for privacy are in no list and are not seen.
func (a *adapter) Changes(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.ChangesReply{}, err
	}
	now := a.now().UTC().Truncate(time.Millisecond)
	if req.Cursor == "" {
		c := cursor{Since: now.Add(-lag), Swept: now}
		return sdk.ChangesReply{Next: c.String(), Horizon: c.horizon()}, nil
	}
	var c cursor
	if err := json.Unmarshal([]byte(req.Cursor), &c); err != nil || c.Since.IsZero() {
		return sdk.ChangesReply{}, ac.Fail(invalid("cursor", "not a cursor of this adapter; start again with an empty one"))
	}
	var reply sdk.ChangesReply
	var failed *sdk.Error
	if c.Sweeping.IsZero() {
		reply, failed = ac.changed(ctx, req, &c, now)
	} else {
		reply, failed = ac.deleted(ctx, req, &c)
	}
	if failed != nil {
		return sdk.ChangesReply{}, ac.Fail(failed)
	}
	reply.Next, reply.Horizon, reply.Usage = c.String(), c.horizon(), ac.Usage()
	return reply, nil
}

func (c cursor) String() string {
	data, err := json.Marshal(c)
	if err != nil {
		return "" // times and texts: cannot happen
	}
	return string(data)
}

// horizon is the time up to which nothing can turn up any more: later rows may
// still be on their way into the index.
func (c cursor) horizon() string { return c.Since.Add(-overlap).Format(time.RFC3339) }

// mergedIDs is the property that lists the records merged into one (§8).
const mergedIDs = "hs_merged_object_ids"

// changed reads the next page of the window.
func (ac *account) changed(ctx context.Context, req sdk.ChangesRequest, c *cursor, now time.Time) (sdk.ChangesReply, *sdk.Error) {
	if c.Until.IsZero() {
		c.Until, c.LastID = now.Add(-lag), "0"
	}
	when := "hs_lastmodifieddate"
	fields := withFields(req.Fields)
	if req.Object == contacts {
		when, fields = "lastmodifieddate", withFields(req.Fields, mergedIDs)
	}
	limit := min(max(req.Limit, 1), maxSearchPage)
	answer, failed := ac.search(ctx, req.Object, searchQuery{
		FilterGroups: []filterGroup{{Filters: []filter{
			{Property: when, Operator: "GTE", Value: millis(c.Since.Add(-overlap))},
			{Property: when, Operator: "LTE", Value: millis(c.Until)},
			{Property: "hs_object_id", Operator: "GT", Value: c.LastID},
		}}},
		Sorts:      []sort{{Property: "hs_object_id", Direction: "ASCENDING"}},
		Properties: fields, Limit: limit,
	})
	if failed != nil {
		return sdk.ChangesReply{}, failed
	}
	var reply sdk.ChangesReply
	for _, r := range answer.Results {
		reply.Changed = append(reply.Changed, toRecord(req.Object, r, req.Fields))
		for old := range strings.SplitSeq(r.property(mergedIDs), ";") {
			if old != "" && old != r.ID {
				reply.Remapped = append(reply.Remapped, sdk.Remap{FromID: old, ToID: r.ID})
			}
		}
	}
	if len(answer.Results) == limit {
		c.LastID, reply.More = answer.Results[limit-1].ID, true
		return reply, nil
	}
	c.Since, c.Until, c.LastID = c.Until, time.Time{}, ""
	if now.Sub(c.Swept) >= time.Duration(ac.SweepMinutes)*time.Minute {
		c.Sweeping, reply.More = now, true
	}
	return reply, nil
}

// deleted reads the next page of the recycle bin and keeps what went there since
// the last look; the list has no other order than by id.
func (ac *account) deleted(ctx context.Context, req sdk.ChangesRequest, c *cursor) (sdk.ChangesReply, *sdk.Error) {
	query := url.Values{"archived": {"true"}, "limit": {strconv.Itoa(min(max(req.Limit, 1), maxBatch))}, "properties": {keyField}}
	if c.After != "" {
		query.Set("after", c.After)
	}
	var answer page
	_, failed := ac.JSON(ctx, crmhttp.Request{
		Method: http.MethodGet, Path: ac.objectPath(req.Object, ""), Query: query, Bucket: bucketBurst,
	}, &answer)
	if failed != nil {
		return sdk.ChangesReply{}, failed
	}
	var reply sdk.ChangesReply
	for _, r := range answer.Results {
		at, err := time.Parse(time.RFC3339, r.ArchivedAt)
		if err != nil || !at.Before(c.Swept.Add(-overlap)) {
			reply.Deleted = append(reply.Deleted, r.ID)
		}
	}
	slices.Sort(reply.Deleted)
	if c.After = answer.Paging.Next.After; c.After == "" {
		c.Swept, c.Sweeping = c.Sweeping, time.Time{}
		return reply, nil
	}
	reply.More = true
	return reply, nil
}

// millis is a time as search filters take it.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
