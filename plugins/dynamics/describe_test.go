package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/sdk"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	d, err := newAdapter(nil).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, m := range d.Auth {
		kinds = append(kinds, m.Kind)
		if m.Kind != sdk.AuthStaticToken && (len(m.TokenHosts) == 0 || !strings.Contains(m.TokenURL, "{tenant_id}") || len(m.Scopes) == 0) {
			t.Errorf("%+v", m)
		}
	}
	for _, want := range []string{sdk.AuthClientCredentials, sdk.AuthAuthorizationCode, sdk.AuthStaticToken} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no %s among %v", want, kinds)
		}
	}
	mapped := map[string]bool{}
	for _, row := range d.DefaultMapping {
		mapped[row.Object+"."+row.Field] = true
	}
	if !mapped["contact.lastname"] || mapped["contact.company"] {
		t.Errorf("mapping %v: a last name always (R165), never the phone column company (quirk 22)", mapped)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	compiler := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(settingsSchema)))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("settings.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	for raw, field := range map[string]string{
		`{"resource_url":"https://contoso.crm4.dynamics.com"}`:                            "",
		`{"base_url":"http://127.0.0.1:9000"}`:                                            "",
		`{"resource_url":"https://contoso.crm4.dynamics.com/","publisher_prefix":"acme"}`: "",
		`{}`: "resource_url",
		`{"resource_url":"http://contoso.crm4.dynamics.com"}`:                   "resource_url",
		`{"resource_url":"https://c.example","publisher_prefix":"New_"}`:        "publisher_prefix",
		`{"resource_url":"https://c.example","publisher_prefix":"mscrmx"}`:      "publisher_prefix",
		`{"resource_url":"https://c.example","api_version":"9.2/../x"}`:         "api_version",
		`{"resource_url":"https://c.example","duplicate_detection":"maybe"}`:    "duplicate_detection",
		`{"resource_url":"https://c.example","activity_sms":"activitypointer"}`: "activity_sms",
		`{"resource_url":"https://c.example","activity_voice":"a b"}`:           "activity_voice",
		`{"resource_url":"https://c.example","caller_object_id":"x"}`:           "caller_object_id",
		`[]`: "settings",
	} {
		_, bad := parseSettings([]byte(raw))
		switch {
		case field == "" && bad != nil:
			t.Errorf("%s: %v", raw, bad)
		case field != "" && (bad == nil || bad.Field != field || bad.Class != sdk.ClassValidation):
			t.Errorf("%s: %+v, want an error at %s", raw, bad, field)
		}
		if field == "" {
			var value any
			if err := json.Unmarshal([]byte(raw), &value); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s does not fit the schema: %v", raw, err)
			}
		}
	}
}

func TestWhatGoesIntoAURL(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		if keySafe(value) && strings.ContainsAny(byKey("contacts", "k", value), `<>*%&:\?+# /`) {
			t.Fatalf("%q is called safe and breaks %q", value, byKey("contacts", "k", value))
		}
		if strings.ContainsAny(query("x", option{"$filter", literal(value)}), " &\n#+\"") && !strings.Contains(value, "&") {
			t.Fatalf("%q is not encoded", query("x", option{"$filter", literal(value)}))
		}
	})
	if got := byKey("contacts", "acme_clientele_id", key(1)); got != "contacts(acme_clientele_id='"+key(1)+"')" {
		t.Errorf("%s: a GUID-like key must be quoted (quirk 11)", got)
	}
}

func TestDescribeObject(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	c.set(map[string]any{"max_lengths": map[string]int{"contact.jobtitle": 30}})
	for object, role := range map[string]string{"contact": sdk.RoleClient, "account": sdk.RoleCompany, "phonecall": sdk.RoleActivity, "annotation": sdk.RoleActivity} {
		reply, err := c.adapter.DescribeObject(t.Context(), sdk.DescribeObjectRequest{Connection: c.conn, Object: object})
		if err != nil {
			t.Fatal(err)
		}
		if reply.Object.Role != role || len(reply.Fields) < 10 {
			t.Errorf("%s: %+v with %d fields", object, reply.Object, len(reply.Fields))
		}
		if object != "contact" {
			continue
		}
		if calls := reply.Usage.Calls[0].N; calls != 1 {
			t.Errorf("%d requests, want 1", calls)
		}
		fields := map[string]sdk.Field{}
		for _, f := range reply.Fields {
			fields[f.Name] = f
		}
		for name, ok := range map[string]bool{
			"length":    fields["jobtitle"].MaxLength == 30 && fields["firstname"].MaxLength == 50 && fields["description"].MaxLength == 2000,
			"required":  fields["lastname"].Required && !fields["firstname"].Required && !fields["statecode"].Required && fields["statecode"].DefaultedOnCreate,
			"choices":   len(fields["gendercode"].Picklist) == 2 && fields["gendercode"].Picklist[1] == sdk.PickValue{Value: "2", Label: "Female", Active: true} && fields["gendercode"].Kind == sdk.KindNumber,
			"date":      fields["birthdate"].IsDate && !fields["createdon"].IsDate,
			"read-only": fields["createdon"].Createable == sdk.No && fields["createdon"].Updateable == sdk.No && fields["overriddencreatedon"].Updateable == sdk.No,
			"key":       fields["acme_clientele_id"].ExternalID && fields["acme_clientele_id"].Unique && fields["acme_clientele_id"].Custom,
			"truth":     fields["donotemail"].Kind == sdk.KindBool,
			"look-up":   slices.Equal(fields["parentcustomerid_account@odata.bind"].References, []string{"account"}),
			"label":     fields["firstname"].Label == "First Name",
		} {
			if !ok {
				t.Errorf("%s is wrong", name)
			}
		}
	}
	if _, err := c.adapter.DescribeObject(t.Context(), sdk.DescribeObjectRequest{Connection: c.conn, Object: "nosuch"}); err == nil {
		t.Error("an unknown object: no error")
	}
}
