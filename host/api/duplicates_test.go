package api_test

import (
	"slices"
	"testing"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/match"
	"github.com/clientele-crm/clientele/host/api"
)

// Who may be one person is told before a client is made, on the record and in the
// queue, in words; a decision to keep two apart lapses when the facts change.
func TestDuplicatesOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	as := func(method, path string, body any) reply {
		return w.do(t, call{method: method, path: path, credential: w.acme.secret, body: body})
	}
	form := func(first, email, phone string) map[string]any {
		return map[string]any{"fields": map[string]string{"first_name": first, "last_name": "Halloran"}, "email": email, "phone": phone}
	}
	var robert, rob api.Client
	as("POST", "/v1/clients", form("Robert", "robert.halloran@gmail.com", "+14165550101")).want(201).json(&robert)
	typed := form("Rob", "robert.halloran@gmial.com", "+14165550110")
	var similar struct{ Similar []api.SimilarClient }
	as("POST", "/v1/clients/duplicates", typed).want(200).json(&similar)
	if len(similar.Similar) != 1 || similar.Similar[0].Client.ID != robert.ID || similar.Similar[0].Band != match.Strong || len(similar.Similar[0].Reasons) == 0 {
		t.Fatalf("before creating: %+v", similar)
	}
	as("POST", "/v1/clients/duplicates", map[string]any{"email": "nonsense"}).want(422).problem()
	as("POST", "/v1/clients", typed).want(201).json(&rob)
	var queue struct {
		Clusters       []api.DuplicateCluster
		Total, Waiting int
	}
	look := func() {
		t.Helper()
		for n := 1; n > 0; {
			var err error
			if n, err = w.services.Clients.ScanDuplicates(t.Context(), actor.ForSystem(w.acme.system.Tenant, "duplicates"), 100); err != nil {
				t.Fatal(err)
			}
		}
		queue.Clusters = nil
		as("GET", "/v1/duplicates?band=strong", nil).want(200).json(&queue)
	}
	look()
	if queue.Total != 1 || queue.Waiting != 0 || len(queue.Clusters[0].Clients) != 2 || !slices.Contains(queue.Clusters[0].Pairs[0].Reasons, "same email but for a typo in its domain") {
		t.Fatalf("queue %+v", queue)
	}
	pair := "/v1/duplicates/" + rob.ID.String() + "/" + robert.ID.String() + "/separate"
	as("PUT", pair, nil).want(204)
	as("PUT", pair, nil).want(204)
	if look(); queue.Total != 0 {
		t.Errorf("kept separate, yet in the queue: %+v", queue)
	}
	as("GET", "/v1/clients/"+rob.ID.String()+"/similar", nil).want(200).json(&similar)
	if len(similar.Similar) != 1 || !similar.Similar[0].Separate {
		t.Errorf("similar %+v, want Robert, kept separate", similar)
	}
	as("DELETE", pair, nil).want(204)
	if look(); queue.Total != 1 {
		t.Errorf("reconsidered, yet not in the queue: %+v", queue)
	}
	as("PUT", pair, nil).want(204)
	as("PATCH", "/v1/clients/"+rob.ID.String(), `{"fields":{"first_name":"Robert"}}`).want(200)
	if look(); queue.Total != 1 {
		t.Errorf("the name changed, yet the decision stands: %+v", queue)
	}
	as("PUT", "/v1/duplicates/"+rob.ID.String()+"/"+rob.ID.String()+"/separate", nil).want(409).problem()
}
