package crmsync_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/clientele-crm/clientele/sdk"
)

// memoryCRM is a CRM and its adapter in memory: it keeps records by our key and
// fails as a test asks. It notices when two calls about one client overlap.
type memoryCRM struct {
	mu      sync.Mutex
	about   sdk.Description
	people  map[string]*person // by CRM id
	next    int
	calls   []string           // purposes, in the order in which they began
	flying  map[string]bool    // item ids
	overlap []string           // items that two calls had at once
	live    map[string]sdk.Tri // fields of the object that differ: No is gone
	quota   []sdk.Quota        // told with every answer
	before  func(call string, ids []string) error
	one     func(i sdk.WriteItem) (sdk.Outcome, bool)
}

type person struct {
	id, key string
	fields  map[string]sdk.Value
	email   string
	owner   string // of an activity: the person's id
	version int
	gone    bool
}

func newCRM() *memoryCRM {
	row := func(field, expr string) sdk.MappingRow {
		return sdk.MappingRow{Object: "contacts", Field: field, Expr: "client." + expr, Blank: "ignore"}
	}
	return &memoryCRM{
		people: map[string]*person{}, flying: map[string]bool{}, live: map[string]sdk.Tri{},
		about: sdk.Description{
			Name: "memory", Version: "1", Protocol: sdk.Protocol,
			Objects: []sdk.Object{
				{Name: "contacts", Role: sdk.RoleClient, ExternalKeyField: "our_key"}, {Name: "leads", Role: sdk.RoleClient, ExternalKeyField: "our_key"},
				{Name: "notes", Role: sdk.RoleActivity},
			},
			Capabilities:   []string{sdk.CapInstall, sdk.CapFind, sdk.CapActivities, sdk.CapDelete, sdk.CapEcho},
			Batch:          sdk.BatchLimits{Min: 1, Start: 20, Max: 40},
			DefaultMapping: []sdk.MappingRow{row("first", "first_name"), row("last", "crm_last_name"), row("mail", "email"), row("town", "city")},
		},
	}
}

// begin notes a call and lets the test stand in its way.
func (c *memoryCRM) begin(call string, ids []string) (end func(), err error) {
	c.mu.Lock()
	c.calls = append(c.calls, call)
	for _, id := range ids {
		if c.flying[id] {
			c.overlap = append(c.overlap, id)
		}
		c.flying[id] = true
	}
	before := c.before
	c.mu.Unlock()
	if before != nil {
		err = before(call, ids)
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, id := range ids {
			delete(c.flying, id)
		}
	}, err
}

func (c *memoryCRM) usage() sdk.Usage {
	return sdk.Usage{Calls: []sdk.BucketCalls{{Bucket: "all", N: 1}}, Quotas: c.quota}
}

func (c *memoryCRM) Describe(context.Context) (sdk.Description, error) { return c.about, nil }

func (c *memoryCRM) Check(context.Context, sdk.CheckRequest) (sdk.CheckReply, error) {
	return sdk.CheckReply{}, nil
}

func (c *memoryCRM) Install(context.Context, sdk.InstallRequest) (sdk.InstallReply, error) {
	end, err := c.begin("install", nil)
	defer end()
	return sdk.InstallReply{Usage: c.usage()}, err
}

func (c *memoryCRM) DescribeObject(_ context.Context, req sdk.DescribeObjectRequest) (sdk.DescribeObjectReply, error) {
	end, err := c.begin("describe", nil)
	defer end()
	c.mu.Lock()
	defer c.mu.Unlock()
	reply := sdk.DescribeObjectReply{Usage: c.usage()}
	for _, row := range c.about.DefaultMapping {
		if row.Object == req.Object && c.live[row.Field] != sdk.No {
			reply.Fields = append(reply.Fields, sdk.Field{Name: row.Field, Createable: sdk.Yes, Updateable: sdk.Yes})
		}
	}
	return reply, err
}

func (c *memoryCRM) Find(_ context.Context, req sdk.FindRequest) (sdk.FindReply, error) {
	var ids []string
	for _, k := range req.Keys {
		ids = append(ids, k.ItemID)
	}
	slices.Sort(ids)
	end, err := c.begin("find", slices.Compact(ids))
	defer end()
	c.mu.Lock()
	defer c.mu.Unlock()
	reply := sdk.FindReply{Usage: c.usage()}
	for _, k := range req.Keys {
		for _, id := range slices.Sorted(maps.Keys(c.people)) {
			p := c.people[id]
			if !p.gone && (k.By == sdk.FindByExternalKey && p.key == k.Value || k.By == sdk.FindByEmail && p.email == k.Value) {
				reply.Hits = append(reply.Hits, sdk.Hit{ItemID: k.ItemID, By: k.By, Record: sdk.Record{Object: req.Object, ID: p.id, ExternalKey: p.key, Fields: p.fields}})
			}
		}
	}
	return reply, err
}

func (c *memoryCRM) Write(_ context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	ids := make([]string, len(req.Items))
	for i, it := range req.Items {
		ids[i] = it.ItemID
	}
	end, err := c.begin("write", ids)
	defer end()
	reply := sdk.WriteReply{Usage: c.usage()}
	if err != nil {
		return reply, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, it := range req.Items {
		reply.Outcomes = append(reply.Outcomes, c.write(it))
	}
	return reply, nil
}

func (c *memoryCRM) write(it sdk.WriteItem) sdk.Outcome {
	if c.one != nil {
		if o, stands := c.one(it); stands {
			return o
		}
	}
	for name := range it.Fields {
		if c.live[name] == sdk.No {
			return sdk.Fail(it.ItemID, &sdk.Error{Class: sdk.ClassSchema, Retry: sdk.RetryNever, Field: strings.ToUpper(name), Message: "no such field"})
		}
	}
	p := c.people[it.CRMID]
	if it.CRMID == "" {
		for _, other := range c.people {
			if other.key == it.ExternalKey && !other.gone {
				p = other
			}
		}
	}
	done := sdk.Updated
	switch {
	case p == nil && it.Mode == sdk.ModeUpdate, p != nil && p.gone:
		return sdk.Fail(it.ItemID, &sdk.Error{Class: sdk.ClassNotFound, Retry: sdk.RetryNever, Message: "it is gone"})
	case p == nil:
		p = c.put(it.ExternalKey, "")
		done = sdk.Created
	}
	p.key = it.ExternalKey
	p.version++
	maps.Copy(p.fields, it.Fields)
	p.email = p.fields["mail"].Text()
	return sdk.Outcome{ItemID: it.ItemID, Done: done, CRMID: p.id, Version: fmt.Sprint(p.version), Echo: maps.Clone(p.fields)}
}

// put adds a record as somebody else would.
func (c *memoryCRM) put(key, email string) *person {
	c.next++
	p := &person{id: fmt.Sprint("crm-", c.next), key: key, email: email, fields: map[string]sdk.Value{}}
	c.people[p.id] = p
	return p
}

func (c *memoryCRM) LogActivities(_ context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
	var ids []string
	for _, it := range req.Items {
		ids = append(ids, it.ItemID)
	}
	end, err := c.begin("log", ids)
	defer end()
	reply := sdk.WriteReply{Usage: c.usage()}
	if err != nil {
		return reply, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, it := range req.Items {
		o := sdk.Outcome{ItemID: it.ItemID, Done: sdk.Updated, Object: "notes"}
		var p *person
		for _, other := range c.people {
			if other.key == it.ExternalKey && !other.gone {
				p = other
			}
		}
		if p == nil {
			p, o.Done = c.put(it.ExternalKey, ""), sdk.Created
		}
		p.owner, p.fields["body"] = it.ContactCRMIDs[0], sdk.Text(it.Body)
		o.CRMID = p.id
		reply.Outcomes = append(reply.Outcomes, o)
	}
	return reply, nil
}

func (c *memoryCRM) Delete(_ context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
	end, err := c.begin("delete", nil)
	defer end()
	c.mu.Lock()
	defer c.mu.Unlock()
	reply := sdk.WriteReply{Usage: c.usage()}
	for _, it := range req.Items {
		c.people[it.CRMID].gone = true
		reply.Outcomes = append(reply.Outcomes, sdk.Outcome{ItemID: it.ItemID, Done: sdk.Updated, CRMID: it.CRMID})
	}
	return reply, err
}

func (c *memoryCRM) Changes(context.Context, sdk.ChangesRequest) (sdk.ChangesReply, error) {
	return sdk.ChangesReply{}, &sdk.Error{Class: sdk.ClassUnknown, Message: "this CRM tells no changes"}
}

func (c *memoryCRM) Plan(context.Context, sdk.WriteRequest) (sdk.PlanReply, error) {
	return sdk.PlanReply{}, &sdk.Error{Class: sdk.ClassUnknown, Message: "this CRM has no plan"}
}

var _ sdk.Adapter = (*memoryCRM)(nil)

// set changes the CRM under its lock.
func (c *memoryCRM) set(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
}

// count is how many calls of a purpose were made.
func (c *memoryCRM) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, made := range c.calls {
		if made == call {
			n++
		}
	}
	return n
}

// held are the records with our key that are not gone, by key.
func (c *memoryCRM) held() map[string]person {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]person{}
	for _, p := range c.people {
		if p.key != "" && !p.gone {
			one := *p
			one.fields = maps.Clone(p.fields)
			out[p.key] = one
		}
	}
	return out
}
