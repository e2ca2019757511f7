package main

import (
	"context"
	"net/http"
	"slices"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// linkTypes is HubSpot's type of an association between a new record and an old
// one; the direction matters (hubspot.md §4.2).
func linkTypes(from, to string) (int, bool) {
	id, ok := map[string]int{
		"contacts/companies": 279,
		"notes/contacts":     202, "notes/companies": 190,
		"communications/contacts": 81, "communications/companies": 87,
		"calls/contacts": 194, "calls/companies": 182,
		"emails/contacts": 198, "emails/companies": 186,
	}[from+"/"+to]
	return id, ok
}

// pair is an association to be made or removed.
type pair struct{ from, to string }

// associate joins contacts that were updated or upserted to their company:
// those calls cannot do it themselves (§2.5). Repeating it changes nothing.
func (ac *account) associate(ctx context.Context, w *writing, req sdk.WriteRequest) {
	var pairs []pair
	owners := map[pair]string{}
	for _, item := range req.Items {
		o := w.outcomes[item.ItemID]
		if item.AssociateCRMID == "" || o.Done == sdk.Failed || item.CRMID == "" && item.Mode == sdk.ModeCreate {
			continue
		}
		p := pair{o.CRMID, item.AssociateCRMID}
		pairs, owners[p] = append(pairs, p), item.ItemID
	}
	failures, failed := ac.link(ctx, req.Object, companies, pairs)
	for p, itemID := range owners {
		o := w.outcomes[itemID]
		switch f, bad := failures[p]; {
		case failed != nil:
			o.Done, o.Err = sdk.Failed, failed
		case bad:
			o.Done, o.Err = sdk.Failed, rowError(f)
		default:
			continue
		}
		o.Notes = append(o.Notes, "the fields were written, the association with the company was not")
		w.put(o)
	}
}

// linkAnswer is the envelope of association batches.
type linkAnswer struct {
	Results []struct {
		From linkEnd `json:"from"`
		To   []struct {
			ID id `json:"toObjectId"`
		} `json:"to"`
	} `json:"results"`
	Errors []failure `json:"errors"`
}

// maxLinks is the number of pairs in one association call (§4.3: 2,000 are
// reported to work, the specification is silent).
const maxLinks = 1000

// link makes default associations; it returns the failures by pair.
func (ac *account) link(ctx context.Context, from, to string, pairs []pair) (map[pair]failure, *sdk.Error) {
	failures := map[pair]failure{}
	for start := 0; start < len(pairs); start += maxLinks {
		chunk := pairs[start:min(start+maxLinks, len(pairs))]
		type input struct {
			From linkEnd `json:"from"`
			To   linkEnd `json:"to"`
		}
		inputs := make([]input, len(chunk))
		for i, p := range chunk {
			inputs[i] = input{linkEnd{id(p.from)}, linkEnd{id(p.to)}}
		}
		var answer struct {
			Errors []failure `json:"errors"`
		}
		_, failed := ac.JSON(ctx, crmhttp.Request{
			Method: http.MethodPost, Path: ac.associationPath(from, to, "/batch/associate/default"),
			Body: map[string]any{"inputs": inputs}, Bucket: bucketAssociations, Writes: true,
		}, &answer)
		if failed != nil {
			return nil, failed
		}
		for _, f := range answer.Errors {
			for _, p := range chunk {
				if slices.Contains(f.Context["fromObjectId"], p.from) && slices.Contains(f.Context["toObjectId"], p.to) {
					failures[p] = f
				}
			}
		}
	}
	return failures, nil
}

// unlink removes associations.
func (ac *account) unlink(ctx context.Context, from, to string, pairs []pair) *sdk.Error {
	type input struct {
		From linkEnd   `json:"from"`
		To   []linkEnd `json:"to"`
	}
	var inputs []input
	for _, p := range pairs {
		inputs = append(inputs, input{linkEnd{id(p.from)}, []linkEnd{{id(p.to)}}})
	}
	_, failed := ac.Do(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: ac.associationPath(from, to, "/batch/archive"),
		Body: map[string]any{"inputs": inputs}, Bucket: bucketAssociations, Writes: true,
	})
	return failed
}

// linked reads what records are associated with; a record with nothing is
// reported by HubSpot as an error and is none (§4.3).
func (ac *account) linked(ctx context.Context, from, to string, ids []string) (map[string][]string, *sdk.Error) {
	out := map[string][]string{}
	inputs := make([]linkEnd, len(ids))
	for i, one := range ids {
		inputs[i] = linkEnd{id(one)}
	}
	var answer linkAnswer
	_, failed := ac.JSON(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: ac.associationPath(from, to, "/batch/read"),
		Body: map[string]any{"inputs": inputs}, Bucket: bucketAssociations,
	}, &answer)
	if failed != nil {
		return nil, failed
	}
	for _, r := range answer.Results {
		for _, t := range r.To {
			out[string(r.From.ID)] = append(out[string(r.From.ID)], string(t.ID))
		}
	}
	return out, nil
}
