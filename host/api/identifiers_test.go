package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/api"
)

// named answers the client's identifier with a value.
func named(t *testing.T, c api.Client, value string) client.Identifier {
	t.Helper()
	i := slices.IndexFunc(c.Identifiers, func(i client.Identifier) bool { return i.Value == value })
	if i < 0 {
		t.Fatalf("no identifier %s in %+v", value, c.Identifiers)
	}
	return c.Identifiers[i]
}

func TestIdentifiersOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	as := func(method, path string, body any, header map[string]string) reply {
		return w.do(t, call{method: method, path: path, credential: w.acme.secret, body: body, header: header})
	}
	path := w.person(t, w.acme, "")
	var c api.Client
	as("POST", path+"/identifiers", map[string]any{"kind": "phone", "value": "(416) 555-0100 ext. 12"}, nil).want(201)
	as("POST", path+"/identifiers", map[string]any{"kind": "phone", "value": "ring twice"}, nil).want(201)
	as("POST", path+"/identifiers", map[string]any{"kind": "external", "value": "crm-17"}, nil).want(201)
	made := as("POST", path+"/identifiers", map[string]any{"kind": "email", "value": "Second@Bücher.example", "primary": true}, nil).want(201)
	made.json(&c)
	if i := named(t, c, "Second@Bücher.example"); !i.IsPrimary || i.Normal != "second@xn--bcher-kva.example" || i.Source != client.FromHuman {
		t.Errorf("email %+v", i)
	}
	if i := named(t, c, "(416) 555-0100 ext. 12"); !i.IsPrimary || i.Normal != "+14165550100" || i.Extension != "12" {
		t.Errorf("phone %+v", i)
	}
	if i := named(t, c, "ring twice"); i.Normal != "" || i.IsPrimary {
		t.Errorf("a number that can't be read: %+v", i)
	}
	as("POST", path+"/identifiers", map[string]any{"kind": "chat", "value": "s1"}, nil).want(422).problem()
	as("POST", path+"/identifiers", map[string]any{"kind": "email", "value": "nonsense"}, nil).want(422).problem()

	// A change is made as a whole or not at all, on the state it is based on.
	phone := path + "/identifiers/" + named(t, c, "(416) 555-0100 ext. 12").ID.String()
	neighbour := w.person(t, w.acme, "")
	shared := map[string]any{"kind": "phone", "value": "+1 416 555 0100 x12"}
	as("POST", neighbour+"/identifiers", shared, nil).want(409).problem()
	shared["share"] = true
	as("POST", neighbour+"/identifiers", shared, nil).want(201)
	as("PATCH", phone, `{"verified": true, "shared": false}`, nil).want(409).problem()
	as("GET", path, nil, nil).want(200).json(&c)
	if i := named(t, c, "(416) 555-0100 ext. 12"); i.Verified || !i.Shared {
		t.Errorf("half of a refused change was made: %+v", i)
	}
	stale := map[string]string{"If-Match": made.Header().Get("ETag")}
	p := as("PATCH", phone, `{"verified": true}`, stale).want(412).problem()
	if p.Current == nil || p.Current.Revision != c.Revision {
		t.Errorf("the conflict doesn't show the record: %+v", p)
	}
	as("DELETE", phone, nil, stale).want(412).problem()
	as("DELETE", path, nil, stale).want(412).problem()
	as("PATCH", phone, `{}`, nil).want(422).problem()
	fresh := map[string]string{"If-Match": fmt.Sprintf("%q", fmt.Sprint(c.Revision))}
	as("PATCH", phone, `{"verified": true}`, fresh).want(200).json(&c)
	if i := named(t, c, "(416) 555-0100 ext. 12"); !i.Verified {
		t.Errorf("verified: %+v", i)
	}
	as("PATCH", path+"/identifiers/"+id(path), `{"verified": true}`, nil).want(404).problem()

	as("DELETE", path+"/identifiers/"+named(t, c, "Second@Bücher.example").ID.String(), nil, nil).want(200).json(&c)
	if first := named(t, c, id0(c)); !first.IsPrimary {
		t.Errorf("after dropping the primary email: %+v", c.Identifiers)
	}
}

// id0 is the value of the client's first email.
func id0(c api.Client) string {
	for _, i := range c.Identifiers {
		if i.Kind == client.Email {
			return i.Value
		}
	}
	return ""
}

// A number that more than fifty clients have finds no duplicates; it is listed,
// so that a person marks it as shared.
func TestCrowdedIdentifiersOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.db.Tenant(t.Context(), w.acme.system, func(ctx context.Context, tx pgx.Tx) error {
		u := client.Begin(tx, w.acme.system, w.services.Now(), nil, "test")
		for range 52 {
			c, err := u.Create(ctx, client.New{Kind: client.Person, Source: "import", Review: client.Confirmed})
			if err != nil {
				return err
			}
			found := client.Found{Kind: client.Phone, Value: "+14165550100", Normal: "+14165550100", Source: client.FromHuman, Shared: true}
			if err := u.AddIdentifier(ctx, c, found); err != nil {
				return err
			}
		}
		return u.Flush(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n > 0; {
		if n, err = w.services.Clients.ScanDuplicates(t.Context(), actor.ForSystem(w.acme.system.Tenant, "duplicates"), 100); err != nil {
			t.Fatal(err)
		}
	}
	var got struct{ Identifiers []api.CrowdedIdentifier }
	w.do(t, call{method: "GET", path: "/v1/identifiers/crowded", credential: w.acme.secret}).want(200).json(&got)
	if len(got.Identifiers) != 1 || got.Identifiers[0].Normal != "+14165550100" || got.Identifiers[0].Clients != 52 {
		t.Errorf("crowded %+v", got.Identifiers)
	}
}
