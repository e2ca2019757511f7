package main

import (
	"testing"

	"github.com/clientele-crm/clientele/sdk"
)

func TestAClientFromInstallToItsTimeline(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	reply, err := c.adapter.Install(t.Context(), sdk.InstallRequest{Connection: c.conn})
	if err != nil {
		t.Fatal(err)
	}
	if reply.Steps[0].State != sdk.StepPending {
		t.Errorf("first step is %+v, want pending: the CRM is making the column", reply.Steps[0])
	}
	c.install()
	c.post("/clock", map[string]any{"advance": "10s"})
	for _, step := range c.install().Steps {
		if step.State != sdk.StepDone {
			t.Errorf("step %+v is not done", step)
		}
	}

	check, err := c.adapter.Check(t.Context(), sdk.CheckRequest{Connection: c.conn})
	if err != nil {
		t.Fatal(err)
	}
	if !check.ExternalKey["contact"] || !check.ExternalKey["account"] || len(check.Missing) > 0 || check.User == "" || check.Account == "" {
		t.Errorf("check: %+v", check)
	}

	made := c.write(contact(1))
	if made.Outcomes[0].Done != sdk.Created || made.Outcomes[0].Version == "" {
		t.Fatalf("write: %+v", made.Outcomes[0])
	}
	id := made.Outcomes[0].CRMID
	item := contact(1)
	item.CRMID, item.Version = id, made.Outcomes[0].Version
	item.Fields = map[string]sdk.Value{"jobtitle": sdk.Text("CTO"), "firstname": sdk.Clear()}
	again := c.write(item)
	if again.Outcomes[0].Done != sdk.Updated || again.Outcomes[0].Echo["jobtitle"].Text() != "CTO" {
		t.Errorf("update: %+v %v", again.Outcomes[0], again.Outcomes[0].Err)
	}

	for _, k := range []sdk.FindKey{
		{ItemID: "x", By: sdk.FindByExternalKey, Value: key(1)}, {ItemID: "x", By: sdk.FindByID, Value: id},
		{ItemID: "x", By: sdk.FindByEmail, Value: email(1)}, {ItemID: "x", By: sdk.FindByPhone, Value: phone(1)},
	} {
		hits := c.find("contact", []string{"lastname"}, k)
		if len(hits) != 1 || hits[0].Record.ID != id || hits[0].Record.ExternalKey != key(1) || hits[0].Record.Fields["lastname"].Text() != "Silva 1" {
			t.Errorf("find by %s: %+v", k.By, hits)
		}
	}

	for n, channel := range []string{"email", "sms", "chat", "voice"} {
		logged := c.log(activityOf(n, channel, id))
		if logged.Outcomes[0].Done != sdk.Created {
			t.Errorf("%s: %+v", channel, logged.Outcomes[0].Err)
		}
		replay := c.log(activityOf(n, channel, id))
		if replay.Outcomes[0].Done != sdk.Unchanged || replay.Outcomes[0].CRMID != logged.Outcomes[0].CRMID {
			t.Errorf("%s again: %+v %v", channel, replay.Outcomes[0], replay.Outcomes[0].Err)
		}
	}
	if n := len(c.records("activitypointer")); n != 4 {
		t.Errorf("%d activities, want 4", n)
	}
}
