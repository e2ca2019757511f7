package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clientele-crm/clientele/sdk"
)

func TestCheckAndInstall(t *testing.T) {
	t.Parallel()
	r := bareRig(t)
	before, err := r.Check(t.Context(), sdk.CheckRequest{Connection: r.conn})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(before.Account, "4711001") || before.APIVersion != "2026-09" || len(before.Missing) != 0 || before.Sandbox {
		t.Errorf("Check: %+v", before)
	}
	for object, there := range before.ExternalKey {
		if there {
			t.Errorf("%s has the key before Install", object)
		}
	}
	for range 2 { // it is idempotent
		reply, err := r.Install(t.Context(), sdk.InstallRequest{Connection: r.conn})
		if err != nil || len(reply.Steps) != len(objects()) {
			t.Fatal(reply, err)
		}
		for _, s := range reply.Steps {
			if s.State != sdk.StepDone {
				t.Errorf("step %+v", s)
			}
		}
	}
	after, err := r.Check(t.Context(), sdk.CheckRequest{Connection: r.conn})
	if err != nil || len(after.ExternalKey) != len(objects()) {
		t.Fatal(after, err)
	}
	for object, there := range after.ExternalKey {
		if !there {
			t.Errorf("%s lacks the key after Install", object)
		}
	}
	if len(after.Usage.Quotas) != 2 || after.Usage.Quotas[1].Bucket != bucketDaily || after.Usage.Quotas[1].Limit != 625_000 {
		t.Errorf("quotas: %+v", after.Usage.Quotas)
	}
}

func TestCheckNamesMissingScopesAndSandboxes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.admin("PATCH", "settings", `{"account_type":"DEVELOPER_TEST","withdrawn_scopes":["crm.objects.contacts.write","crm.objects.companies.read","crm.schemas.companies.read","crm.objects.companies.write"]}`)
	reply, err := r.Check(t.Context(), sdk.CheckRequest{Connection: r.conn})
	if err != nil || !reply.Sandbox {
		t.Fatal(reply, err)
	}
	all := strings.Join(reply.Missing, "\n")
	for _, scope := range []string{"crm.objects.contacts.write", "crm.schemas.companies.read", "crm.objects.companies.write"} {
		if !strings.Contains(all, scope) {
			t.Errorf("missing rights do not name %s:\n%s", scope, all)
		}
	}
}

func TestInstallSaysWhatToDoByHand(t *testing.T) {
	t.Parallel()
	t.Run("no scope", func(t *testing.T) {
		t.Parallel()
		r := bareRig(t)
		r.admin("PATCH", "settings", `{"withdrawn_scopes":["crm.schemas.contacts.write"]}`)
		reply, err := r.Install(t.Context(), sdk.InstallRequest{Connection: r.conn, Objects: []string{contacts}})
		if err != nil || len(reply.Steps) != 1 || reply.Steps[0].State != sdk.StepManual ||
			!strings.Contains(reply.Steps[0].Instructions, "crm.schemas.contacts.write") {
			t.Errorf("%+v, %v", reply, err)
		}
	})
	t.Run("unique refused", func(t *testing.T) {
		t.Parallel()
		r := bareRig(t)
		r.admin("PATCH", "settings", `{"unique_activities":false}`)
		reply, err := r.Install(t.Context(), sdk.InstallRequest{Connection: r.conn, Objects: []string{notes}})
		if err != nil || reply.Steps[0].State != sdk.StepManual || !strings.Contains(reply.Steps[0].Instructions, `"search"`) {
			t.Errorf("%+v, %v", reply, err)
		}
	})
	t.Run("not unique", func(t *testing.T) {
		t.Parallel()
		r := bareRig(t)
		r.call("POST", "/crm/properties/2026-09/contacts",
			`{"name":"clientele_id","label":"x","groupName":"contactinformation","type":"string","fieldType":"text"}`)
		reply, err := r.Install(t.Context(), sdk.InstallRequest{Connection: r.conn, Objects: []string{contacts}})
		if err != nil || reply.Steps[0].State != sdk.StepManual || !strings.Contains(reply.Steps[0].Instructions, "not unique") {
			t.Errorf("%+v, %v", reply, err)
		}
	})
}

func TestADeadTokenAndAMissingOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.admin("PATCH", "settings", `{"expire_tokens":true}`)
	_, err := r.Check(t.Context(), sdk.CheckRequest{Connection: r.conn})
	wantError(t, err.(*sdk.Error), sdk.ClassAuth, "")
	if err.(*sdk.Error).Code != "EXPIRED_AUTHENTICATION" {
		t.Errorf("code %q", err.(*sdk.Error).Code)
	}
	r.conn.Token = sdk.Token{}
	_, err = r.Check(t.Context(), sdk.CheckRequest{Connection: r.conn})
	wantError(t, err.(*sdk.Error), sdk.ClassAuth, "")
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		`{"base_url":"http://crm.example"}`:    "base_url",
		`{"api_version":"v2"}`:                 "api_version",
		`{"activity_key":"hope"}`:              "activity_key",
		`{"channels":{"email":"tasks"}}`:       "channels.email",
		`{"deletion_sweep_minutes":0}`:         "deletion_sweep_minutes",
		`{"api_version":7}`:                    "api_version",
		`[]`:                                   "settings",
		`{"channels":{"email":"notes"}}`:       "",
		`{}`:                                   "",
		``:                                     "",
		`{"base_url":"https://proxy.example"}`: "",
	} {
		s, err := parseSettings([]byte(settings))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want it to name %q", settings, err, want)
		}
		if err == nil && s.Channels["sms"] != communications {
			t.Errorf("%s: sms goes to %q", settings, s.Channels["sms"])
		}
	}
}

// The schema that the host checks lets through what the adapter takes.
func TestTheSettingsSchemaIsValid(t *testing.T) {
	t.Parallel()
	d, err := newAdapter(nil).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(d.SettingsSchema)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("settings.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range map[string]bool{
		`{"base_url":"http://127.0.0.1:1","api_version":"v3","channels":{"sms":"notes"},"activity_key":"search"}`: true,
		`{}`:                       true,
		`{"base_ulr":"x"}`:         false,
		`{"api_version":"v2"}`:     false,
		`{"channels":{"fax":"x"}}`: false,
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Every default mapping row names a property that HubSpot has and that can be
// written.
func TestTheDefaultMappingFitsHubSpot(t *testing.T) {
	t.Parallel()
	r := bareRig(t)
	d, err := r.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]sdk.Field{}
	for _, object := range []string{contacts, companies} {
		reply, err := r.DescribeObject(t.Context(), sdk.DescribeObjectRequest{Connection: r.conn, Object: object})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range reply.Fields {
			fields[object+"."+f.Name] = f
		}
	}
	for _, row := range d.DefaultMapping {
		f, ok := fields[row.Object+"."+row.Field]
		if !ok || f.Updateable != sdk.Yes || f.Kind != sdk.KindText {
			t.Errorf("%s.%s: %+v", row.Object, row.Field, f)
		}
	}
}

func TestEveryAPIVersionWorks(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"2026-09", "2026-03", "v3"} {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, `"api_version":"`+v+`"`)
			ids := r.seed(2)
			out, err := r.log(talk(1, "chat", ids[0]))
			if err != nil || out["talk-1"].Done != sdk.Created {
				t.Fatal(out, err)
			}
			moved := talk(1, "chat", ids[1])
			moved.CRMID = out["talk-1"].CRMID
			if out, err = r.log(moved); err != nil || out["talk-1"].Done != sdk.Updated {
				t.Fatal(out, err)
			}
			if got := r.records(notes)[0].Associations[contacts]; len(got) != 1 || got[0] != ids[1] {
				t.Errorf("associated with %v", got)
			}
			reply, err := r.Check(t.Context(), sdk.CheckRequest{Connection: r.conn})
			if err != nil || reply.APIVersion != v || !reply.ExternalKey[contacts] {
				t.Errorf("Check: %+v, %v", reply, err)
			}
		})
	}
}
