package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// whoAmI is S4.
func (c *call) whoAmI() (*answer, *failure) {
	return respond(http.StatusOK, map[string]any{
		"@odata.context": c.root + "$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
		"BusinessUnitId": c.env.id("businessunit"), "UserId": c.user, "OrganizationId": c.env.organization(),
	}), nil
}

func (c *call) currentOrganization() (*answer, *failure) {
	return respond(http.StatusOK, map[string]any{
		"@odata.context": c.root + "$metadata#Microsoft.Dynamics.CRM.RetrieveCurrentOrganizationResponse",
		"Detail": map[string]any{
			"OrganizationId": c.env.organization(), "FriendlyName": "Simulated " + c.env.name, "OrganizationVersion": "9.2.25021.00163",
			"UniqueName": c.env.name, "UrlName": c.env.name, "State": "Enabled", "TenantId": c.sim.settings.TenantID, "OrganizationType": "CustomerTest",
		},
	}), nil
}

// userPrivileges lists what the application user's role holds.
func (c *call) userPrivileges() (*answer, *failure) {
	list := []any{}
	for _, verb := range []string{"Create", "Read", "Write", "Append", "AppendTo", "Delete"} {
		for _, thing := range []string{"Contact", "Account", "Activity", "Note"} {
			if name := "prv" + verb + thing; !c.sim.denied(name) {
				list = append(list, c.privilege(name))
			}
		}
	}
	for _, name := range []string{"prvReadEntity", "prvReadAttribute", "prvCreateAttribute", "prvMerge"} {
		if !c.sim.denied(name) {
			list = append(list, c.privilege(name))
		}
	}
	return respond(http.StatusOK, map[string]any{
		"@odata.context": c.root + "$metadata#Microsoft.Dynamics.CRM.RetrieveUserPrivilegesResponse", "RolePrivileges": list,
	}), nil
}

func (c *call) privilege(name string) map[string]any {
	return map[string]any{"Depth": "Global", "PrivilegeId": c.env.id(name), "BusinessUnitId": c.env.id("businessunit"), "PrivilegeName": name}
}

func (c *call) totalRecordCount() (*answer, *failure) {
	var counts struct{ Keys, Values []any }
	_, list, _ := strings.Cut(c.segments[0].key, "=")
	for _, name := range strings.Split(strings.Trim(list, "[] "), ",") {
		t, ok := c.env.tables[strings.Trim(name, "'\" ")]
		if !ok {
			return nil, fail(400, "0x80041102", "The specified entity was not found.")
		}
		counts.Keys, counts.Values = append(counts.Keys, t.Name), append(counts.Values, c.env.rows[t.Name].Len())
	}
	return respond(http.StatusOK, map[string]any{
		"@odata.context":              c.root + "$metadata#Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse",
		"EntityRecordCountCollection": map[string]any{"Count": len(counts.Keys), "IsReadOnly": false, "Keys": counts.Keys, "Values": counts.Values},
	}), nil
}

// retrieveDuplicates asks the duplicate rules about a row or its values (§8).
func (c *call) retrieveDuplicates() (*answer, *failure) {
	var entity map[string]any
	raw := c.options["@p1"]
	if raw == "" {
		for name, v := range c.options {
			if strings.HasPrefix(name, "@") && strings.HasPrefix(v, "{") && strings.Contains(v, "@odata") {
				raw = v
			}
		}
	}
	if json.Unmarshal([]byte(raw), &entity) != nil && json.Unmarshal([]byte(strings.ReplaceAll(raw, "'", `"`)), &entity) != nil {
		return nil, syntax()
	}
	kind, _ := entity["@odata.type"].(string)
	t, ok := c.env.tables[strings.TrimPrefix(kind, "Microsoft.Dynamics.CRM.")]
	if !ok {
		return nil, fail(400, "0x80041102", "The specified entity was not found.")
	}
	asked := row{Values: entity}
	if id, ok := entity[t.ID].(string); ok {
		if found, ok := c.env.get(t, id); ok {
			asked = found
		}
	}
	list := []any{}
	for _, r := range c.env.duplicates(t, asked) {
		one, refused := c.render(t, r, selection{})
		if refused != nil {
			return nil, refused
		}
		list = append(list, one)
	}
	return respond(http.StatusOK, map[string]any{"@odata.context": c.root + "$metadata#" + t.Set, "value": list}), nil
}

// merge is S13: the subordinate's children move to the target, it is deactivated
// and keeps its key (§8).
func (c *call) merge() (*answer, *failure) {
	var body struct {
		Target, Subordinate, UpdateContent map[string]any
	}
	if c.method != http.MethodPost {
		return nil, c.notAllowed()
	}
	if err := json.Unmarshal(c.body, &body); err != nil {
		return nil, syntax()
	}
	kind, _ := body.Target["@odata.type"].(string)
	t, ok := c.env.tables[strings.TrimPrefix(kind, "Microsoft.Dynamics.CRM.")]
	if !ok || t.Name != "contact" && t.Name != "account" {
		return nil, fail(400, "0x80041102", "The specified entity was not found.")
	}
	into, _ := body.Target[t.ID].(string)
	from, _ := body.Subordinate[t.ID].(string)
	if refused := c.env.merge(c, t, into, from, body.UpdateContent); refused != nil {
		return nil, refused
	}
	return respond(http.StatusNoContent, nil), nil
}

func (e *environment) merge(c *call, t *table, into, from string, content map[string]any) *failure {
	winner, ok := e.get(t, into)
	if !ok {
		return noSuchRow(t, into)
	}
	loser, ok := e.get(t, from)
	if !ok {
		return noSuchRow(t, from)
	}
	if winner.ID == loser.ID {
		return fail(400, "0x80045305", "Merge cannot be performed on master and sub-entities that are identical.")
	}
	if winner.number("statecode") != 0 || loser.number("statecode") != 0 {
		return fail(400, "0x80045304", "Merge cannot be performed on entity that is inactive.")
	}
	for _, name := range append(activityNames(e), "annotation", "activityparty", "contact") {
		other := e.tables[name]
		for _, r := range snapshot(e, other) {
			next, moved := r.clone(), false
			for column, ref := range r.Refs {
				if ref == (target{t.Name, loser.ID}) {
					next.Refs[column] = target{t.Name, winner.ID}
					moved = true
				}
			}
			if moved {
				if _, refused := e.put(other, next); refused != nil {
					return refused
				}
			}
		}
	}
	loser, _ = e.get(t, from)
	gone := loser.clone()
	gone.Values["statecode"], gone.Values["statuscode"], gone.Values["merged"] = float64(1), float64(2), true
	gone.Refs["masterid"] = target{t.Name, winner.ID}
	c.derive(t, &gone)
	if _, refused := e.put(t, gone); refused != nil {
		return refused
	}
	_, refused := c.update(t, winner, content)
	return refused
}

func activityNames(e *environment) []string {
	var out []string
	for _, t := range e.activities() {
		out = append(out, t.Name)
	}
	return out
}

// job is an asynchronous operation.
type job struct {
	Started time.Time `json:"started"`
	Table   string    `json:"table"`
}

// jobTime is how long a job takes on the simulated clock.
const jobTime = 2 * time.Second

// bulkDelete deletes what simple equality conditions match (§8).
func (c *call) bulkDelete() (*answer, *failure) {
	var body struct {
		QuerySet []struct {
			EntityName string
			Criteria   struct {
				Conditions []struct {
					AttributeName, Operator string
					Values                  []struct{ Value any }
				}
			}
		}
	}
	if err := json.Unmarshal(c.body, &body); err != nil || len(body.QuerySet) == 0 {
		return nil, syntax()
	}
	for _, q := range body.QuerySet {
		t, ok := c.env.tables[q.EntityName]
		if !ok || t.Virtual {
			return nil, fail(400, "0x80041102", "The specified entity was not found.")
		}
		for _, r := range snapshot(c.env, t) {
			fits := true
			for _, cond := range q.Criteria.Conditions {
				if cond.Operator != "Equal" || len(cond.Values) != 1 {
					return nil, fail(400, "0x80040203", "This simulator's BulkDelete knows the operator Equal alone.")
				}
				fits = fits && folded(r.Values[cond.AttributeName]) == folded(cond.Values[0].Value)
			}
			if fits {
				c.env.removeDeep(t, r, c.now)
			}
		}
	}
	id := newID()
	c.env.jobs.Put(id, job{Started: c.now, Table: body.QuerySet[0].EntityName})
	return respond(http.StatusOK, map[string]any{"@odata.context": c.root + "$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse", "JobId": id}), nil
}

func (c *call) asyncOperation() (*answer, *failure) {
	id := c.segments[0].key
	j, ok := c.env.jobs.Get(id)
	if !ok {
		return nil, fail(404, "0x80040217", "Entity 'asyncoperation' With Id = %s Does Not Exist", id)
	}
	state, status := 3, 30
	if c.now.Sub(j.Started) < jobTime {
		state, status = 2, 20
	}
	return respond(http.StatusOK, map[string]any{
		"@odata.context": c.root + "$metadata#asyncoperations/$entity", "@odata.etag": etag(c.env.version()),
		"asyncoperationid": id, "statecode": state, "statuscode": status, "message": nil,
	}), nil
}

func (c *call) serviceEndpoints() (*answer, *failure) {
	list := []any{}
	if url := c.sim.settings.WebhookURL; url != "" {
		list = append(list, map[string]any{"serviceendpointid": c.env.id("webhook"), "name": "webhook", "url": url, "contract": 8, "authtype": 5})
	}
	return respond(http.StatusOK, map[string]any{"@odata.context": c.root + "$metadata#serviceendpoints", "value": slices.Clip(list)}), nil
}
