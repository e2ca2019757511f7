package main

import (
	_ "embed"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

//go:embed settings.schema.json
var settingsSchema []byte

// settings are what an admin fills in for a connection; settings.schema.json
// says the same to the host's form, with texts and defaults.
type settings struct {
	ResourceURL     string `json:"resource_url"`
	BaseURL         string `json:"base_url"`
	APIVersion      string `json:"api_version"`
	PublisherPrefix string `json:"publisher_prefix"`
	Solution        string `json:"solution"`
	CallerObjectID  string `json:"caller_object_id"`

	// DuplicateDetection is allow, block or report.
	DuplicateDetection  string `json:"duplicate_detection"`
	IgnoreVersions      bool   `json:"ignore_versions"`
	BypassBusinessLogic bool   `json:"bypass_business_logic"`
	UpsertMultiple      bool   `json:"upsert_multiple"`

	// The activity table for each channel.
	ActivityEmail string `json:"activity_email"`
	ActivitySMS   string `json:"activity_sms"`
	ActivityChat  string `json:"activity_chat"`
	ActivityVoice string `json:"activity_voice"`
	// CompleteInTwoSteps completes an activity in a request of its own.
	CompleteInTwoSteps bool `json:"complete_in_two_steps"`
	// BackdateActivities sets overriddencreatedon, which needs a privilege.
	BackdateActivities bool `json:"backdate_activities"`
}

// The policies for the CRM's duplicate-detection rules (§8).
const (
	duplicatesAllow  = "allow"
	duplicatesBlock  = "block"
	duplicatesReport = "report"
)

// keyLength is the length of the external-key column, in characters.
const keyLength = 100

// parseSettings reads a connection's settings and fills in the defaults. The
// error names the setting, the rule and the way out.
func parseSettings(raw []byte) (settings, *sdk.Error) {
	s := settings{
		APIVersion: "9.2", PublisherPrefix: "new", DuplicateDetection: duplicatesAllow,
		ActivityEmail: "email", ActivitySMS: "task", ActivityChat: "task", ActivityVoice: "phonecall",
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &s); err != nil {
			return s, refuse(sdk.ClassValidation, "settings", "settings: want a JSON object as in the adapter's settings schema: %v", err)
		}
	}
	if s.ResourceURL == "" && s.BaseURL == "" {
		return s, refuse(sdk.ClassValidation, "resource_url", "resource_url: fill in the environment's URL, such as https://contoso.crm4.dynamics.com")
	}
	base, err := crmhttp.BaseURL(first(s.BaseURL, s.ResourceURL))
	if err != nil {
		return s, refuse(sdk.ClassValidation, "resource_url", "%v", err)
	}
	s.BaseURL = base
	if !digitsAndDots(s.APIVersion) {
		return s, refuse(sdk.ClassValidation, "api_version", "api_version: want a number such as 9.2")
	}
	if !validPrefix(s.PublisherPrefix) {
		return s, refuse(sdk.ClassValidation, "publisher_prefix",
			"publisher_prefix: want 2 to 8 lower-case letters or digits, starting with a letter, as on the publisher's page in the CRM")
	}
	switch s.DuplicateDetection {
	case duplicatesAllow, duplicatesBlock, duplicatesReport:
	default:
		return s, refuse(sdk.ClassValidation, "duplicate_detection", "duplicate_detection: want allow, block or report")
	}
	for name, t := range map[string]string{
		"activity_email": s.ActivityEmail, "activity_sms": s.ActivitySMS, "activity_chat": s.ActivityChat, "activity_voice": s.ActivityVoice,
	} {
		if !validName(t) || t == "activitypointer" {
			return s, refuse(sdk.ClassValidation, name, "%s: want the logical name of an activity table, such as task", name)
		}
	}
	if s.CallerObjectID != "" {
		if _, ok := guid(s.CallerObjectID); !ok {
			return s, refuse(sdk.ClassValidation, "caller_object_id", "caller_object_id: want the Entra object id of a user, a GUID")
		}
	}
	return s, nil
}

// resourcePath is the path of the environment's URL: empty but in a simulator.
func (s settings) resourcePath() string {
	u, err := url.Parse(first(s.ResourceURL, s.BaseURL))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// keyColumn is the logical name of the external-key column.
func (s settings) keyColumn() string { return s.PublisherPrefix + "_clientele_id" }

// activityTable is the table for a channel's conversations.
func (s settings) activityTable(channel string) (string, bool) {
	t, ok := map[string]string{
		"email": s.ActivityEmail, "sms": s.ActivitySMS, "chat": s.ActivityChat, "voice": s.ActivityVoice,
	}[channel]
	return t, ok
}

func validPrefix(p string) bool {
	if len(p) < 2 || len(p) > 8 || p[0] < 'a' || p[0] > 'z' || strings.HasPrefix(p, "mscrm") {
		return false
	}
	for _, r := range p {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// validName tells whether a word can be a logical or navigation name; nothing
// else is put into a URL or a body as a name.
func validName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return true
}

func digitsAndDots(s string) bool {
	return s != "" && len(s) < 8 && strings.Trim(s, "0123456789.") == ""
}
