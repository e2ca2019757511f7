package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// Check asks for the version list, the objects with the organisation behind
// them, and the user: three calls.
func (a *adapter) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.CheckReply{}, err
	}
	if failed := o.checkVersion(ctx); failed != nil {
		return sdk.CheckReply{}, o.Fail(failed)
	}
	seen, account, failed := o.look(ctx)
	if failed != nil {
		return sdk.CheckReply{}, o.Fail(failed)
	}
	reply := sdk.CheckReply{
		Account: account.Name, Sandbox: account.IsSandbox, APIVersion: o.settings.APIVersion, ExternalKey: map[string]bool{},
	}
	for _, name := range o.objects() {
		missing, keyed := o.lacks(name, seen[name])
		reply.Missing = append(reply.Missing, missing...)
		reply.ExternalKey[name] = keyed
	}
	// Without the scope openid the user's name stays unknown; the connection works.
	if me, failed := o.me(ctx); failed == nil {
		reply.User = me.Username
	}
	reply.Usage = o.Usage()
	return reply, nil
}

// objects are those the connection writes: a Lead only where it is configured.
func (o *org) objects() []string {
	return []string{o.settings.ClientObject, objectAccount, objectTask}
}

// checkVersion makes sure that the org offers the API version. Orgs are upgraded
// over weeks, so one may lag behind (salesforce.md §2.1).
func (o *org) checkVersion(ctx context.Context) *sdk.Error {
	var offered []struct {
		Version string `json:"version"`
	}
	if _, failed := o.call(ctx, crmhttp.Request{Method: http.MethodGet, Path: "/services/data", Bucket: bucketFree}, &offered); failed != nil {
		return failed
	}
	newest, highest := "", 0.0
	for _, v := range offered {
		if v.Version == o.settings.APIVersion {
			return nil
		}
		if n, err := strconv.ParseFloat(v.Version, 64); err == nil && n > highest {
			newest, highest = v.Version, n
		}
	}
	return &sdk.Error{
		Class: sdk.ClassSchema, Retry: sdk.RetryNever, Field: "api_version",
		Message: fmt.Sprintf("api_version: the org does not offer %s, its newest is %s: set that one (at least %d.0)", o.settings.APIVersion, newest, oldestAPI),
	}
}

type organization struct {
	Name      string `json:"Name"`
	IsSandbox bool   `json:"IsSandbox"`
}

// look describes the objects and reads the organisation in one call. An object
// the user cannot see is missing from the map.
func (o *org) look(ctx context.Context) (map[string]described, organization, *sdk.Error) {
	var account struct {
		Records []organization `json:"records"`
	}
	query := subcall{Method: http.MethodGet, URL: o.path("/query?q=SELECT+Name,IsSandbox+FROM+Organization")}
	seen, first, failed := o.describeAll(ctx, o.objects(), query)
	if failed != nil {
		return nil, organization{}, failed
	}
	if err := json.Unmarshal(first[0].Body, &account); err != nil || len(account.Records) != 1 {
		return nil, organization{}, odd(false, "no organisation")
	}
	return seen, account.Records[0], nil
}

// describeAll describes objects in one call, with other requests before them
// that must succeed.
func (o *org) describeAll(ctx context.Context, names []string, before ...subcall) (map[string]described, []subreply, *sdk.Error) {
	requests := before
	for _, name := range names {
		requests = append(requests, subcall{Method: http.MethodGet, URL: o.path("/sobjects/" + name + "/describe")})
	}
	if len(requests) > compositeMax {
		return nil, nil, refused("objects", fmt.Sprintf("objects: %d are too many for one call, ask for at most %d", len(names), compositeMax-len(before)))
	}
	replies, _, failed := o.composite(ctx, requests, false)
	if failed != nil {
		return nil, nil, failed
	}
	for _, r := range replies[:len(before)] {
		if failed := r.failure(false); failed != nil {
			return nil, nil, failed
		}
	}
	seen := map[string]described{}
	for i, r := range replies[len(before):] {
		failed := r.failure(false)
		if failed != nil && failed.Status == http.StatusNotFound {
			continue // not visible to the user
		}
		if failed != nil {
			return nil, nil, failed
		}
		var d described
		if err := json.Unmarshal(r.Body, &d); err != nil {
			return nil, nil, odd(false, "a description of %s that cannot be read: %v", names[i], err)
		}
		seen[names[i]] = d
	}
	return seen, replies[:len(before)], nil
}

// lacks lists the rights that are missing on an object, as an admin looks for
// them in a permission set, and tells whether the key field can be used.
func (o *org) lacks(name string, d described) (missing []string, keyed bool) {
	if d.Name == "" {
		return []string{"Object permission Read on " + name}, false
	}
	for _, right := range []struct {
		has  bool
		name string
	}{{d.Queryable, "Read"}, {d.Createable, "Create"}, {d.Updateable, "Edit"}} {
		if !right.has {
			missing = append(missing, "Object permission "+right.name+" on "+name)
		}
	}
	field := o.keyField(name)
	if sameField(field, callObject) {
		return missing, true // it is searched, so it need not be an external id
	}
	f, there := d.find(field)
	if !there {
		return missing, false
	}
	if !f.Createable || !f.Updateable {
		missing = append(missing, "Field permission Edit Access on "+name+"."+field)
	}
	if !f.ExternalID {
		missing = append(missing, "Box External ID on field "+name+"."+field)
	}
	// On activities uniqueness may not be on offer (salesforce.md §9.2).
	if !f.Unique && name != objectTask {
		missing = append(missing, "Box Unique on field "+name+"."+field)
	}
	if f.Length < keyLength {
		missing = append(missing, fmt.Sprintf("Length of at least %d on field %s.%s", keyLength, name, field))
	}
	return missing, f.ExternalID && f.Createable && f.Updateable && f.Length >= keyLength
}

// keyLength is the length of Clientele's ids.
const keyLength = 36

type user struct {
	ID       string `json:"user_id"`
	Username string `json:"preferred_username"`
}

// me is the user behind the token.
func (o *org) me(ctx context.Context) (user, *sdk.Error) {
	var u user
	_, failed := o.call(ctx, crmhttp.Request{Method: http.MethodGet, Path: "/services/oauth2/userinfo"}, &u)
	return u, failed
}
