package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// bulk is S9: CreateMultiple, UpdateMultiple and UpsertMultiple, all or nothing
// (§4.5).
func (c *call) bulk(t *table, name string) (*answer, *failure) {
	known := []string{"CreateMultiple", "UpdateMultiple", "UpsertMultiple"}
	if !slices.Contains(known, name) || !slices.Contains(c.sim.settings.BulkTables, t.Name) {
		return nil, fail(c.sim.settings.BulkStatus, "0x80040265", "%s has not yet been implemented.", name)
	}
	var body struct{ Targets []map[string]any }
	if err := json.Unmarshal(c.body, &body); err != nil || len(body.Targets) == 0 {
		return nil, payload(t, "The parameter 'Targets' is missing.")
	}
	c.charge(len(body.Targets) - 1)
	set := c.set
	c.set = &changeSet{made: map[string]target{}} // one transaction
	defer func() { c.set = set }()
	ids := []string{}
	seen := map[string]bool{}
	for _, one := range body.Targets {
		kind, _ := one["@odata.type"].(string)
		if strings.TrimPrefix(kind, "#") != "Microsoft.Dynamics.CRM."+t.Name {
			return nil, payload(t, "A type name was expected in '@odata.type' of each target.")
		}
		id, refused := c.bulkOne(t, name, one)
		if refused != nil {
			return nil, refused
		}
		if seen[id] {
			return nil, fail(400, "0x80040237", "Cannot insert duplicate key.")
		}
		seen[id] = true
		ids = append(ids, id)
	}
	if name == "CreateMultiple" {
		return respond(http.StatusOK, map[string]any{
			"@odata.context": c.root + "$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse", "Ids": ids,
		}), nil
	}
	return respond(http.StatusNoContent, nil), nil
}

// bulkOne writes one target.
func (c *call) bulkOne(t *table, name string, one map[string]any) (string, *failure) {
	if name == "CreateMultiple" {
		r, refused := c.create(t, one, "", nil)
		return r.ID, refused
	}
	id, _ := one[t.ID].(string)
	var keys map[string]string
	if ref, ok := one["@odata.id"].(string); ok {
		_, key, _ := strings.Cut(strings.TrimSuffix(ref, ")"), "(")
		var refused *failure
		if id, keys, refused = c.address(t, key); refused != nil {
			return "", refused
		}
	}
	var r row
	var exists bool
	if keys != nil {
		var refused *failure
		if r, exists, refused = c.env.byKey(t, keys); refused != nil {
			return "", refused
		}
	} else {
		r, exists = c.env.get(t, id)
	}
	if exists {
		for k := range keys {
			delete(one, k)
		}
		r, refused := c.update(t, r, one)
		return r.ID, refused
	}
	if name == "UpdateMultiple" {
		return "", fail(404, "0x80040217", "%s With Ids = %s Do Not Exist", title(t.Name), id)
	}
	for k := range keys {
		if _, twice := one[k]; twice { // quirk 9
			return "", fail(400, "0x80040216", "An unexpected error occurred.")
		}
	}
	r, refused := c.create(t, one, id, keys)
	return r.ID, refused
}

// messageFilters is S10: which messages a table has.
func (c *call) messageFilters() (*answer, *failure) {
	filter := c.options["$filter"]
	list := []any{}
	for _, name := range c.sim.settings.BulkTables {
		for _, message := range []string{"CreateMultiple", "UpdateMultiple", "UpsertMultiple"} {
			if strings.Contains(filter, "name eq '"+message+"'") && strings.Contains(filter, "primaryobjecttypecode eq '"+name+"'") {
				list = append(list, map[string]any{"@odata.etag": etag(5), "sdkmessagefilterid": c.env.id(message + name)})
			}
		}
	}
	return respond(http.StatusOK, map[string]any{"@odata.context": c.root + "$metadata#sdkmessagefilters(sdkmessagefilterid)", "value": list}), nil
}
