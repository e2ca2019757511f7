package e2e_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host"
	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/config"
)

// commandLine is the program, talking to a running host's socket.
type commandLine struct {
	t    *testing.T
	data string
	host *host.Host
}

func newCommandLine(t *testing.T) *commandLine {
	t.Helper()
	data := dataDir(t)
	h, err := host.Start(t.Context(), host.Options{Config: config.Config{
		Data: data, HTTP: config.HTTP{Listen: "127.0.0.1:0"}, Database: config.Database{URL: config.Secret(dbtest.AppURL(dbtest.NewURL(t)))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	if _, err := h.Tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "US", Timezone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	return &commandLine{t: t, data: data, host: h}
}

// run runs a command and answers what it printed and its exit code.
func (c *commandLine) run(args ...string) (string, int) {
	c.t.Helper()
	return clientele(c.t, append(args, "--data", c.data, "--tenant", "acme")...)
}

// json runs a command for programs and reads its answer.
func (c *commandLine) json(into any, args ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), filepath.Join(bin, "clientele"), append(args, "--json", "--data", c.data, "--tenant", "acme")...)
	var said lockedBuffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%v: %v\n%s", args, err, said.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		c.t.Fatalf("%v printed %q: %v", args, out, err)
	}
}

// A client's whole life from the command line: made, changed, merged, split again,
// deleted and brought back, with a history and an audit that tell it.
func TestClientsFromTheCommandLine(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	var lea, twin, got api.Client
	c.json(&lea, "client", "create", "--set", "first_name=Lea", "--set", "last_name=Lund", "--email", "lea@lund.example", "--tag", "vip", "--note", "met in May")
	out, code := c.run("client", "create", "--set", "first_name=Lea", "--set", "last_name=Lund", "--email", "lea@lnud.example", "--phone", "416 555 0100")
	if code != 0 || !strings.Contains(out, "maybe the same: Lea Lund ("+lea.ID.String()+")") || !strings.Contains(out, "created Lea Lund") {
		t.Errorf("exit code %d: %s", code, out)
	}
	var list struct{ Clients []api.Client }
	c.json(&list, "client", "list", "--missing", "city", "--search", "lnud")
	if len(list.Clients) != 1 {
		t.Fatalf("found %+v", list)
	}
	twin = list.Clients[0]
	c.json(&got, "client", "edit", twin.ID.String(), "--set", "city=Oslo", "--set", "first_name=Leah")
	c.json(&got, "client", "identifier", "add", twin.ID.String(), "external", "crm-17")
	if out, code := c.run("client", "edit", twin.ID.String(), "--set", "date_of_birth=17 May", "--set", "metadata=[]"); code != 3 || !strings.Contains(out, "date_of_birth") || !strings.Contains(out, "metadata") {
		t.Errorf("a bad edit: exit code %d: %s", code, out)
	}

	ids := []string{lea.ID.String(), twin.ID.String()}
	choose := "first_name=" + lea.ID.String()
	out, code = c.run(append([]string{"client", "merge", "--dry-run", "--choose", choose}, ids...)...)
	if code != 0 || !strings.Contains(out, "2 identifiers move") && !strings.Contains(out, "3 identifiers move") || !strings.Contains(out, "nothing was changed") {
		t.Errorf("dry run, exit code %d: %s", code, out)
	}
	if c.json(&got, "client", "show", twin.ID.String()); got.ID != twin.ID {
		t.Error("a dry run merged")
	}
	var merge struct{ ID string }
	c.json(&merge, append([]string{"client", "merge", "--choose", choose}, ids...)...)
	if c.json(&got, "client", "show", twin.ID.String()); got.ID != lea.ID || got.Fields["city"] != "Oslo" {
		t.Errorf("merged: %+v", got)
	}
	if out, code = c.run("client", "undo-merge", merge.ID); code != 0 || !strings.Contains(out, "is back beside Lea Lund") {
		t.Errorf("undo, exit code %d: %s", code, out)
	}
	if c.json(&got, "client", "show", twin.ID.String()); got.ID != twin.ID || got.Fields["first_name"] != "Leah" || len(got.Identifiers) != 3 {
		t.Errorf("undone: %+v", got)
	}
	if out, code = c.run("client", "undo-merge", merge.ID); code != 3 || !strings.Contains(out, "undone already") {
		t.Errorf("undone twice, exit code %d: %s", code, out)
	}
	if _, code = c.run("client", "merge", ids[0], ids[0]); code != 3 {
		t.Errorf("merged with itself: exit code %d", code)
	}
	c.run("client", "separate", ids[0], ids[1])

	if out, code = c.run("client", "delete", "--reason", "spam", twin.ID.String()); code != 0 {
		t.Errorf("delete: %s", out)
	}
	if out, _ = c.run("client", "deleted"); !strings.Contains(out, twin.ID.String()) {
		t.Errorf("deleted clients: %s", out)
	}
	if out, code = c.run("client", "restore", twin.ID.String()); code != 0 {
		t.Errorf("restore: %s", out)
	}
	if out, _ = c.run("client", "notes", lea.ID.String()); !strings.Contains(out, "met in May") {
		t.Errorf("notes: %s", out)
	}
	var timeline struct{ Events []event.Event }
	c.json(&timeline, "client", "timeline", "--oldest", "--kind", "created,merged,unmerged,deleted,restored", twin.ID.String())
	var kinds []event.Kind
	for _, e := range timeline.Events {
		kinds = append(kinds, e.Kind)
	}
	if want := []event.Kind{event.Created, event.Merged, event.Unmerged, event.Deleted, event.Restored}; !slices.Equal(kinds, want) {
		t.Errorf("timeline %v, want %v", kinds, want)
	}
	if out, code = c.run("audit", "verify"); code != 0 || !strings.Contains(out, "seals over") {
		t.Errorf("audit, exit code %d: %s", code, out)
	}
}

// Review from the command line: values with their sentences, what is no name is
// learnt, a conversation goes where a person puts it.
func TestReviewFromTheCommandLine(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	own, err := c.host.Tenants.BySlug(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.host.Intake.Take(t.Context(), actor.ForSystem(own.ID, "test"), intake.Message{
		Channel: "email", ExternalID: "1", Text: "Hello, my name is Rex Boxer.", Participants: []intake.Participant{{Role: "from", Address: "one@box.example"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	of, talk := r.ClientID.UUID.String(), r.ConversationID.UUID.String()
	if out, _ := c.run("client", "review"); !strings.Contains(out, "my name is Rex Boxer") || !strings.Contains(out, "1 wait") {
		t.Errorf("review: %s", out)
	}
	if out, _ := c.run("client", "sources", of); !strings.Contains(out, "first_name\tRex\textraction") {
		t.Errorf("sources: %s", out)
	}
	var taught struct{ Learnt []string }
	if c.json(&taught, "client", "not-a-name", of); !slices.Equal(taught.Learnt, []string{"Rex"}) {
		t.Errorf("learnt %v", taught.Learnt)
	}
	if out, code := c.run("client", "confirm", of); code != 0 {
		t.Errorf("confirm: %s", out)
	}
	var queue struct {
		Count int
		Names client.NameRate
	}
	if c.json(&queue, "client", "review"); queue.Count != 0 || queue.Names.Wrong != 1 {
		t.Errorf("queue %+v", queue)
	}
	var other api.Client
	c.json(&other, "client", "create", "--set", "first_name=Bob")
	if out, code := c.run("conversation", "link", talk, other.ID.String()); code != 0 {
		t.Errorf("link: %s", out)
	}
	if out, _ := c.run("client", "conversations", other.ID.String()); !strings.Contains(out, talk) || !strings.Contains(out, "Bob") {
		t.Errorf("conversations: %s", out)
	}
	c.run("conversation", "unlink", talk)
	if out, _ := c.run("conversation", "list", "--unlinked"); !strings.Contains(out, talk) {
		t.Errorf("unlinked: %s", out)
	}
	if out, code := c.run("client", "suggestions"); code != 0 || !strings.Contains(out, "SENTENCE") {
		t.Errorf("suggestions: %s", out)
	}
}
