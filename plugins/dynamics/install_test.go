package main

import (
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/sdk"
)

func (c *crm) installOnce() []sdk.InstallStep {
	c.t.Helper()
	reply, err := c.adapter.Install(c.t.Context(), sdk.InstallRequest{Connection: c.conn, Objects: []string{"contact"}})
	if err != nil {
		c.t.Fatal(err)
	}
	return reply.Steps
}

func TestInstallWaitsForTheKeysIndex(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.set(map[string]any{"key_index_ms": 60_000, "metadata_ms": 5_000})
	var states []string
	for range 4 {
		var now []string
		for _, s := range c.installOnce() {
			now = append(now, string(s.State))
		}
		states = append(states, strings.Join(now, " "))
		c.post("/clock", map[string]any{"advance": "40s"})
	}
	want := "pending pending, done pending, done pending, done done"
	if got := strings.Join(states, ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := len(c.records("contact")); n != 0 {
		t.Errorf("installing made %d contacts", n)
	}
}

func TestInstallWithoutTheRightTellsTheAdminWhatToClick(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.set(map[string]any{"locks_schema": true})
	steps := c.installOnce()
	for _, s := range steps {
		if s.State != sdk.StepManual || !strings.Contains(s.Instructions, "make.powerapps.com") || !strings.Contains(s.Instructions, "acme_clientele_id") {
			t.Errorf("%+v", s)
		}
	}
}

func TestInstallWithDuplicatesSaysWhatToRepair(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.installOnce() // the column
	for range 2 {
		c.post("/edit/org-a/contact", map[string]any{"values": map[string]any{"lastname": "x", "acme_clientele_id": "same"}})
	}
	c.installOnce() // the key, whose index fails
	steps := c.installOnce()
	if s := steps[1]; s.State != sdk.StepManual || !strings.Contains(s.Instructions, "Reactivate") {
		t.Errorf("%+v", s)
	}
	check, err := c.adapter.Check(t.Context(), sdk.CheckRequest{Connection: c.conn})
	if err != nil || check.ExternalKey["contact"] {
		t.Errorf("check calls a failed key good: %+v %v", check.ExternalKey, err)
	}
}
