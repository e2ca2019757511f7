package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clientele-crm/clientele/plugins/salesforce/simulator"
	"github.com/clientele-crm/clientele/sdk"
)

func (r *rig) check() (sdk.CheckReply, error) {
	return r.a.Check(r.t.Context(), sdk.CheckRequest{Connection: r.conn})
}

func (r *rig) install(objects ...string) sdk.InstallReply {
	r.t.Helper()
	reply, err := r.a.Install(r.t.Context(), sdk.InstallRequest{Connection: r.conn, Objects: objects})
	if err != nil {
		r.t.Fatalf("install: %v", err)
	}
	return reply
}

func TestInstallMakesTheKeyFieldsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, "plain", "")
	before, err := r.check()
	if err != nil {
		t.Fatal(err)
	}
	want := sdk.CheckReply{
		Account: "Example Org", User: "admin@example.org", APIVersion: "66.0",
		ExternalKey: map[string]bool{"Contact": false, "Account": false, "Task": false}, Usage: before.Usage,
	}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Errorf("check of a plain org (-want +got):\n%s", diff)
	}
	if _, err := r.a.Write(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: people(1, 2)}); asError(t, err).Class != sdk.ClassSchema {
		t.Errorf("a write without the key field: %v", err)
	}
	for range 2 {
		for _, step := range r.install().Steps {
			if step.State != sdk.StepDone {
				t.Errorf("%s: %s %s", step.Name, step.State, step.Instructions)
			}
		}
	}
	after, err := r.check()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"Contact": true, "Account": true, "Task": true}, after.ExternalKey); diff != "" || len(after.Missing) > 0 {
		t.Errorf("after install: %s, missing %v", diff, after.Missing)
	}
	if o := r.write("Contact", person(1)).Outcomes[0]; o.Done != sdk.Created {
		t.Errorf("%+v", o)
	}
}

func TestInstallWithoutRightsSaysWhatToClick(t *testing.T) {
	t.Parallel()
	r := newRig(t, "plain", "")
	r.admin("PATCH", "/settings", `{"customize_application":false}`)
	steps := r.install("Contact", "Task").Steps
	if len(steps) != 4 {
		t.Fatalf("steps: %+v", steps)
	}
	for _, step := range steps {
		if step.State != sdk.StepManual || !strings.Contains(step.Instructions, "Setup > ") {
			t.Errorf("%+v", step)
		}
	}
	if !strings.Contains(steps[0].Instructions, `Contact > Fields & Relationships`) || !strings.Contains(steps[0].Instructions, "Unique") {
		t.Errorf("contact: %s", steps[0].Instructions)
	}
	if !strings.Contains(steps[2].Instructions, "Object Manager > Activity") || strings.Contains(steps[2].Instructions, "Unique") {
		t.Errorf("activity: %s", steps[2].Instructions)
	}
}

func TestInstallShowsAHiddenField(t *testing.T) {
	t.Parallel()
	r := newRig(t, "fls-gap", "")
	for _, step := range r.install("Contact").Steps {
		if step.State != sdk.StepDone {
			t.Errorf("%+v", step)
		}
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		profile, switches, settings, missing string
		class                                sdk.Class
	}{
		{"leads-only", `{}`, ``, "Object permission Create on Contact", ""},
		{"leads-only", `{}`, `{"client_object":"Lead"}`, "", ""},
		{"ready", `{"read_only_fields":["Account.Clientele_Id__c"]}`, ``, "Field permission Edit Access on Account.Clientele_Id__c", ""},
		{"namespaced", `{}`, `{"key_field":"acme__Clientele_Id__c","activity_key_field":"acme__Clientele_Id__c"}`, "", ""},
		{"ready", `{"newest_version":65}`, ``, "", sdk.ClassSchema},
		{"ready", `{"newest_version":65}`, `{"api_version":"65.0"}`, "", ""},
		{"ready", `{"user_inactive":true}`, ``, "", sdk.ClassAuth},
	} {
		t.Run(tc.profile+tc.switches, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tc.profile, tc.settings)
			r.admin("PATCH", "/settings", tc.switches)
			reply, err := r.check()
			if tc.class != "" {
				if e := asError(t, err); e.Class != tc.class {
					t.Errorf("got %+v, want %s", e, tc.class)
				}
				return
			}
			if err != nil || strings.Join(reply.Missing, "; ") != tc.missing {
				t.Errorf("missing %q, %v; want %q", reply.Missing, err, tc.missing)
			}
		})
	}
}

func TestSettingsAreCheckedAndNamed(t *testing.T) {
	t.Parallel()
	for settings, field := range map[string]string{
		`{"api_version":"60.0"}`:                             "api_version",
		`{"api_version":"66"}`:                               "api_version",
		`{"client_object":"Opportunity"}`:                    "client_object",
		`{"duplicate_rules":"ignore"}`:                       "duplicate_rules",
		`{"key_field":"X__c FROM User"}`:                     "key_field",
		`{"email_fields":["Email","a b"]}`:                   "email_fields",
		`{"activity_types":{"chat":"EmailMessage"}}`:         "activity_types",
		`{"colour":"red"}`:                                   "colour",
		`{"base_url":"https://acme.lightning.force.com"}`:    "instance_url",
		`{"base_url":"http://crm.example.org"}`:              "instance_url",
		`{"base_url":"https://u:p@acme.my.salesforce.com/"}`: "instance_url",
	} {
		a := newAdapter(nil)
		_, err := a.Check(t.Context(), sdk.CheckRequest{Connection: sdk.Connection{Settings: []byte(settings), Token: sdk.Token{AccessToken: "t"}}})
		if e := asError(t, err); e.Class != sdk.ClassValidation || !strings.Contains(e.Message, field) {
			t.Errorf("%s: %+v, want the setting %s named", settings, e, field)
		}
	}
	_, err := newAdapter(nil).Check(t.Context(), sdk.CheckRequest{Connection: sdk.Connection{Token: sdk.Token{AccessToken: "t"}}})
	if e := asError(t, err); !strings.Contains(e.Message, "instance_url") {
		t.Errorf("no address: %+v", e)
	}
	if _, err := newAdapter(nil).Check(t.Context(), sdk.CheckRequest{}); asError(t, err).Class != sdk.ClassAuth {
		t.Errorf("no token: %v", err)
	}
}

func TestTheDescriptionHoldsTogether(t *testing.T) {
	t.Parallel()
	d, err := newAdapter(nil).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(string(d.SettingsSchema)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("settings.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(defaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	var given map[string]any
	if err := json.Unmarshal(raw, &given); err != nil {
		t.Fatal(err)
	}
	for name, value := range given {
		if value == nil || value == "" {
			delete(given, name)
		}
	}
	if err := compiled.Validate(given); err != nil {
		t.Errorf("the defaults do not fit the schema: %v", err)
	}
	env, err := cel.NewEnv(cel.Variable("client", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range d.DefaultMapping {
		if _, issues := env.Compile(row.Expr); issues.Err() != nil {
			t.Errorf("%s.%s: %v", row.Object, row.Field, issues.Err())
		}
	}
	kinds := map[string]bool{}
	for _, auth := range d.Auth {
		kinds[auth.Kind] = true
		for _, url := range []string{auth.AuthorizeURL, auth.TokenURL} {
			for _, part := range strings.FieldsFunc(url, func(r rune) bool { return r == '{' || r == '}' })[:min(1, len(url))] {
				if _, known := given[part]; !known && part != "instance_url" {
					t.Errorf("%s: placeholder {%s} is no setting", auth.Kind, part)
				}
			}
		}
	}
	for _, kind := range []string{sdk.AuthAuthorizationCode, sdk.AuthClientCredentials, sdk.AuthJWTBearer, sdk.AuthStaticToken} {
		if !kinds[kind] {
			t.Errorf("no %s", kind)
		}
	}
}

// Every row of the default mapping can be written to a live org.
func TestTheDefaultMappingFitsTheOrg(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	for _, row := range defaultMapping() {
		reply, err := r.a.DescribeObject(t.Context(), sdk.DescribeObjectRequest{Connection: r.conn, Object: row.Object})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range reply.Fields {
			if f.Name == row.Field {
				found = f.Createable == sdk.Yes && f.Updateable == sdk.Yes && (row.MaxLength == 0 || row.MaxLength == f.MaxLength)
			}
		}
		if !found {
			t.Errorf("%s.%s is missing, read-only or of another length than %d", row.Object, row.Field, row.MaxLength)
		}
	}
}

// The faults of salesforce.md §11.4 that a single call shows.
func TestFaultsAreClassified(t *testing.T) {
	t.Parallel()
	const unknown, transient = sdk.ClassUnknownOutcome, sdk.ClassTransient
	for _, tc := range []struct {
		fault         string
		write, read   sdk.Class
		written       int // records held after the write
		switches      string
		anotherTarget bool
	}{
		{fault: `{"preset":"session_expired"}`, write: sdk.ClassAuth, read: sdk.ClassAuth},
		{fault: `{"preset":"session_unusable"}`, write: sdk.ClassAuth, read: sdk.ClassAuth},
		{fault: `{"preset":"daily_limit"}`, write: sdk.ClassQuota, read: sdk.ClassQuota},
		{fault: `{"preset":"concurrent_limit"}`, write: sdk.ClassThrottled, read: sdk.ClassThrottled},
		{fault: `{"preset":"unavailable"}`, write: transient, read: transient},
		{fault: `{"preset":"unavailable_object"}`, write: transient, read: transient},
		{fault: `{"preset":"unavailable_html"}`, write: transient, read: transient},
		{fault: `{"preset":"server_error"}`, write: unknown, read: transient},
		{fault: `{"preset":"edge_420"}`, write: sdk.ClassThrottled, read: sdk.ClassThrottled},
		{fault: `{"preset":"edge_406"}`, write: sdk.ClassThrottled, read: sdk.ClassThrottled},
		{fault: `{"preset":"edge_429"}`, write: sdk.ClassThrottled, read: sdk.ClassThrottled},
		{fault: `{"preset":"version_gone"}`, write: sdk.ClassSchema, read: sdk.ClassSchema},
		{fault: `{"cut":"before"}`, write: unknown, read: transient},
		{fault: `{"cut":"after"}`, write: unknown, read: transient, written: 1},
		{fault: `{"cut":"middle"}`, write: unknown, read: transient, written: 1},
		{fault: `{"do":"gzip_label"}`, write: unknown, read: transient, written: 1},
		{fault: `{"do":"gzip_cut"}`, write: unknown, read: transient, written: 1},
		{fault: `{"do":"html"}`, write: unknown, read: transient, written: 1},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "ready", "")
			r.admin("POST", "/faults", tc.fault)
			_, err := r.a.Write(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: people(1, 1)})
			if e := asError(t, err); e.Class != tc.write {
				t.Errorf("write: %+v, want %s", e, tc.write)
			}
			_, err = r.a.Find(t.Context(), sdk.FindRequest{Connection: r.conn, Object: "Contact", Keys: []sdk.FindKey{{ItemID: "a", By: sdk.FindByEmail, Value: "anna1@example.org"}}})
			if e := asError(t, err); e.Class != tc.read {
				t.Errorf("read: %+v, want %s", e, tc.read)
			}
			if held := r.counts().Held["Contact"]; held != tc.written {
				t.Errorf("the org holds %d contacts, want %d", held, tc.written)
			}
		})
	}
}

func TestRowFaultsStayWithTheirRows(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	r.admin("PATCH", "/settings", `{"reject_rows":[
		{"field":"LastName","value":"Fischer 1","code":"UNABLE_TO_LOCK_ROW","message":"unable to obtain exclusive access to this record","times":1},
		{"field":"LastName","value":"Fischer 2","code":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY","message":"T: caused by: UNABLE_TO_LOCK_ROW","times":1},
		{"field":"LastName","value":"Fischer 3","code":"SOMETHING_NEW","message":"nobody knows"}]}`)
	got := byItem(t, r.write("Contact", people(1, 4)...).Outcomes)
	for item, want := range map[string]sdk.Class{"item-1": sdk.ClassLock, "item-2": sdk.ClassLock, "item-3": sdk.ClassUnknown} {
		if o := got[item]; o.Err == nil || o.Err.Class != want {
			t.Errorf("%s: %+v, want %s", item, o, want)
		}
	}
	if got["item-4"].Done != sdk.Created {
		t.Errorf("the innocent one: %+v", got["item-4"])
	}
	again := byItem(t, r.write("Contact", person(1), person(2)).Outcomes)
	if again["item-1"].Done != sdk.Created || again["item-2"].Done != sdk.Created {
		t.Errorf("when the lock is gone: %+v", again)
	}
}

func TestQuotaIsToldAndUsedUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, "tiny-quota", "")
	var last sdk.Usage
	for i := range 60 {
		reply, err := r.a.Write(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: people(i, 1)})
		if err != nil {
			if e := asError(t, err); e.Class != sdk.ClassQuota || e.After != 15*time.Minute || last.Quotas[0].Remaining != 0 {
				t.Errorf("call %d: %+v after %+v", i, e, last)
			}
			return
		}
		last = reply.Usage
	}
	t.Error("the allowance of 40 calls never ended")
}

// A refresh may bring another address (salesforce.md §1.3): calls follow it.
func TestTheInstanceURLOfTheTokenWins(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", `{"instance_url":"https://old.my.salesforce.com"}`)
	if _, err := r.check(); err != nil {
		t.Errorf("the token's address was not used: %v", err)
	}
	moved := newRig(t, "ready", "")
	moved.conn.Settings = []byte(fmt.Sprintf(`{"base_url":%q,"instance_url":"https://old.my.salesforce.com"}`, moved.url))
	moved.conn.Token.Extras = nil
	if _, err := moved.check(); err != nil {
		t.Errorf("the override was not used: %v", err)
	}
	static := newRig(t, "ready", "")
	static.conn = sdk.Connection{Settings: []byte(fmt.Sprintf(`{"instance_url":%q}`, static.url)), Token: sdk.Token{AccessToken: simulator.StaticToken}}
	if _, err := static.check(); err != nil {
		t.Errorf("a pasted token with a typed address: %v", err)
	}
}

func TestASlowOrgIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	r.admin("POST", "/faults", `{"delay":"1s"}`)
	ctx, cancel := contextWithin(t, 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := r.a.Write(ctx, sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: people(1, 1)})
	if e := asError(t, err); e.Class != sdk.ClassUnknownOutcome || time.Since(start) > 900*time.Millisecond {
		t.Errorf("after %v: %+v", time.Since(start), e)
	}
}

func TestRedirectsKeepTheToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	r.admin("POST", "/faults", `{"status":302,"header":{"Location":"http://127.0.0.1:1/steal"}}`)
	_, err := r.check()
	if e := asError(t, err); e.Status != http.StatusFound {
		t.Errorf("got %+v, want the 302 itself", e)
	}
}
