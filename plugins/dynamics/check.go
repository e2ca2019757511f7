package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
)

// Check implements sdk.Adapter: WhoAmI, then in one batch of reads the
// environment, the user with its privileges, the tables' definitions and keys,
// and one record of each table. It makes no write probes (§13): what the user
// may not do is read from its privileges.
func (a *adapter) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.CheckReply{}, err
	}
	var me struct{ UserId, OrganizationId string }
	if failed := s.get(ctx, "WhoAmI", nil, &me); failed != nil {
		return sdk.CheckReply{}, s.fail(failed)
	}
	user, ok := guid(me.UserId)
	if !ok {
		return sdk.CheckReply{}, s.fail(&sdk.Error{Class: sdk.ClassUnknown, Retry: sdk.RetryNever, Message: "WhoAmI names no user"})
	}
	reads := []operation{
		// These three are not on the CRM page; a refusal costs only their facts.
		{method: http.MethodGet, path: "RetrieveCurrentOrganization(AccessType=@p1)?@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'"},
		{method: http.MethodGet, path: query(byID("systemusers", user), selecting([]string{"fullname"}))},
		{method: http.MethodGet, path: byID("systemusers", user) + "/Microsoft.Dynamics.CRM.RetrieveUserPrivileges"},
	}
	const before = 3
	for _, t := range tables() {
		definition := "EntityDefinitions(LogicalName='" + t.name + "')"
		reads = append(reads,
			operation{method: http.MethodGet, path: query(definition, selecting([]string{"LogicalName", "ChangeTrackingEnabled"}))},
			operation{method: http.MethodGet, path: query(definition+"/Keys", selecting(keyColumns()))},
			operation{method: http.MethodGet, path: query(t.set, selecting([]string{t.id}), option{"$top", "1"})})
	}
	answers, failed := s.batch(ctx, singles(reads), false)
	if failed != nil {
		return sdk.CheckReply{}, s.fail(failed)
	}
	out := sdk.CheckReply{APIVersion: s.settings.APIVersion, ExternalKey: map[string]bool{}, User: me.UserId}
	out.Account, out.Sandbox = environment(answers[0], s.settings.BaseURL, me.OrganizationId)
	var person struct{ FullName string }
	if decodeAnswer(answers[1], &person) == nil && person.FullName != "" {
		out.User = person.FullName
	}
	out.Missing = missingPrivileges(answers[2])
	for i, t := range tables() {
		missing, key := checkTable(t, answers[before+3*i:before+3*i+3], s.settings.keyColumn())
		for _, m := range missing {
			if !slices.Contains(out.Missing, m) {
				out.Missing = append(out.Missing, m)
			}
		}
		out.ExternalKey[t.name] = key
	}
	for _, k := range standardKinds() {
		out.ExternalKey[k.table] = true // the primary id
	}
	out.Usage = s.usage()
	return out, nil
}

// environment names the account: friendly name, host and organization id. The
// id tells a restored or copied environment from the original (§1.7).
func environment(parts []part, base, organization string) (string, bool) {
	var reply struct {
		Detail struct {
			FriendlyName     string
			OrganizationType any
		}
	}
	name := base
	if u, err := url.Parse(base); err == nil {
		name = u.Host
	}
	if decodeAnswer(parts, &reply) == nil && reply.Detail.FriendlyName != "" {
		name = reply.Detail.FriendlyName + ", " + name
	}
	kind, _ := reply.Detail.OrganizationType.(string)
	// Sandboxes are customer test organizations (the enum's name, unconfirmed).
	return name + " (" + organization + ")", kind == "CustomerTest"
}

// missingPrivileges compares what the user holds with what the adapter needs
// (§1.3). Without an answer nothing is claimed.
func missingPrivileges(parts []part) []string {
	var held struct {
		RolePrivileges []struct{ PrivilegeName string }
	}
	if decodeAnswer(parts, &held) != nil {
		return nil
	}
	has := map[string]bool{}
	for _, p := range held.RolePrivileges {
		has[strings.ToLower(p.PrivilegeName)] = true
	}
	var out []string
	for _, name := range neededPrivileges() {
		if !has[strings.ToLower(name)] {
			out = append(out, name)
		}
	}
	return out
}

// neededPrivileges are what the custom role of the README holds (§1.3).
func neededPrivileges() []string {
	return []string{
		"prvCreateContact", "prvReadContact", "prvWriteContact", "prvAppendContact", "prvAppendToContact",
		"prvCreateAccount", "prvReadAccount", "prvWriteAccount", "prvAppendToAccount",
		"prvCreateActivity", "prvReadActivity", "prvWriteActivity", "prvAppendActivity",
		"prvCreateNote", "prvReadNote", "prvWriteNote", "prvAppendNote",
		"prvReadEntity", "prvReadAttribute",
	}
}

// checkTable reads the three answers about a table: definition, keys, a record.
func checkTable(t table, answers [][]part, column string) (missing []string, key bool) {
	for i, parts := range answers {
		if len(parts) == 0 || parts[0].Status < 300 {
			continue
		}
		e := classify(parts[0], false)
		missing = append(missing, [3]string{"definition of ", "keys of ", "read of "}[i]+t.name+": "+e.Message)
	}
	var definition struct{ ChangeTrackingEnabled *bool }
	if decodeAnswer(answers[0], &definition) == nil && definition.ChangeTrackingEnabled != nil && !*definition.ChangeTrackingEnabled {
		missing = append(missing, "change tracking on table "+t.name)
	}
	var keys keyList
	if decodeAnswer(answers[1], &keys) == nil {
		if k, ok := keys.over(column); ok {
			key = k.EntityKeyIndexStatus == keyActive
		}
	}
	return missing, key
}

// decodeAnswer reads the first part of a unit's answer.
func decodeAnswer(parts []part, out any) error {
	if len(parts) == 0 {
		return missing(false)
	}
	if parts[0].Status != http.StatusOK {
		return classify(parts[0], false)
	}
	return json.Unmarshal(parts[0].Body, out)
}
