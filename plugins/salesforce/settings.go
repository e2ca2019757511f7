package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// settings is what an admin may choose; settingsSchema says the same to the
// host's form, with the defaults that parseSettings fills in.
type settings struct {
	LoginURL         string            `json:"login_url"`
	InstanceURL      string            `json:"instance_url"`
	BaseURL          string            `json:"base_url"`
	Username         string            `json:"username"`
	APIVersion       string            `json:"api_version"`
	ClientObject     string            `json:"client_object"`
	KeyField         string            `json:"key_field"`
	ActivityKeyField string            `json:"activity_key_field"`
	DuplicateRules   string            `json:"duplicate_rules"`
	RunAssignment    bool              `json:"run_assignment_rules"`
	EmailFields      []string          `json:"email_fields"`
	PhoneFields      []string          `json:"phone_fields"`
	PhoneRegion      string            `json:"phone_region"`
	ActivityTypes    map[string]string `json:"activity_types"`
	ActivityStatus   string            `json:"activity_status"`
}

// The duplicate rule policies.
const (
	duplicatesBlock  = "block"
	duplicatesAllow  = "allow"
	duplicatesReport = "report"
)

// oldestAPI is the first version whose calls the adapter relies on
// (salesforce.md, rule 1).
const oldestAPI = 61

const defaultKeyField = "Clientele_Id__c"

func defaultSettings() settings {
	return settings{
		LoginURL: "https://login.salesforce.com", APIVersion: "66.0", ClientObject: objectContact,
		KeyField: defaultKeyField, ActivityKeyField: defaultKeyField, DuplicateRules: duplicatesReport,
		EmailFields: []string{"Email"}, PhoneRegion: "US", ActivityStatus: "Completed",
	}
}

// parseSettings reads a connection's settings over the defaults. Its errors name
// the setting, the rule and the way out.
func parseSettings(raw []byte) (settings, error) {
	set := defaultSettings()
	if len(bytes.TrimSpace(raw)) > 0 {
		in := json.NewDecoder(bytes.NewReader(raw))
		in.DisallowUnknownFields()
		if err := in.Decode(&set); err != nil {
			return settings{}, fmt.Errorf("settings: %w", err)
		}
	}
	return set, set.check()
}

func (s *settings) check() error {
	major, err := strconv.ParseFloat(s.APIVersion, 64)
	if err != nil || major < oldestAPI || !strings.HasSuffix(s.APIVersion, ".0") {
		return fmt.Errorf("api_version: is %q, must be a version from %d.0 on, such as 66.0", s.APIVersion, oldestAPI)
	}
	for name, pair := range map[string]struct {
		value   string
		allowed []string
	}{
		"client_object":   {s.ClientObject, []string{objectContact, objectLead}},
		"duplicate_rules": {s.DuplicateRules, []string{duplicatesBlock, duplicatesAllow, duplicatesReport}},
	} {
		if !slices.Contains(pair.allowed, pair.value) {
			return fmt.Errorf("%s: is %q, must be one of %s", name, pair.value, strings.Join(pair.allowed, ", "))
		}
	}
	names := map[string][]string{
		"key_field": {s.KeyField}, "activity_key_field": {s.ActivityKeyField},
		"email_fields": s.EmailFields, "phone_fields": s.PhoneFields,
	}
	for setting, fields := range names {
		for _, field := range fields {
			if !fieldName(field) {
				return fmt.Errorf("%s: %q is no field name, must be the API name, such as %s", setting, field, defaultKeyField)
			}
		}
	}
	for channel, subtype := range s.ActivityTypes {
		if !slices.Contains(channels(), channel) || !slices.Contains(taskSubtypes(), subtype) {
			return fmt.Errorf("activity_types: %q: %q, must map %s to one of %s", channel, subtype,
				strings.Join(channels(), ", "), strings.Join(taskSubtypes(), ", "))
		}
	}
	return nil
}

// emailFields are the fields in which an object may hold an address; accounts and
// activities have none.
func (s *settings) emailFields(object string) []string {
	if object == objectAccount || object == objectTask {
		return nil
	}
	return s.EmailFields
}

// phoneFields are the fields in which an object may hold a phone number.
func (s *settings) phoneFields(object string) []string {
	switch {
	case object == objectTask:
		return nil
	case len(s.PhoneFields) > 0:
		return s.PhoneFields
	case object == objectAccount:
		return []string{"Phone"}
	case object == objectLead:
		return []string{"Phone", "MobilePhone"}
	default:
		return []string{"Phone", "MobilePhone", "HomePhone", "OtherPhone"}
	}
}

// fieldName tells whether a text is the API name of a field: it goes into
// queries as it is.
func fieldName(s string) bool {
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 100
}

// orgURL checks where API calls go. The hosts of the user interface look right
// to people and answer HTML (salesforce.md §1.1).
func orgURL(raw string) (string, error) {
	base, err := crmhttp.BaseURL(raw)
	if err != nil {
		return "", fmt.Errorf("instance_url: %w", err)
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("instance_url: %w", err)
	}
	for _, suffix := range []string{".lightning.force.com", ".lightning.crmforce.mil", ".lightning.sfcrmapps.cn"} {
		if strings.HasSuffix(strings.ToLower(u.Hostname()), suffix) {
			return "", fmt.Errorf("instance_url: %s is the host of the user interface: enter the My Domain URL, which ends in .my.salesforce.com", u.Hostname())
		}
	}
	return base, nil
}

const settingsSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "login_url": {
      "type": "string", "format": "uri", "default": "https://login.salesforce.com", "title": "Login URL",
      "description": "Where people sign in: https://login.salesforce.com for production, https://test.salesforce.com for a sandbox, or the My Domain URL. It is also the audience of the JWT bearer flow."
    },
    "instance_url": {
      "type": "string", "format": "uri", "title": "My Domain URL",
      "description": "The org's own address, such as https://acme.my.salesforce.com. Needed for client credentials and for a pasted access token; otherwise learned at sign-in."
    },
    "base_url": {
      "type": "string", "format": "uri", "title": "API address override",
      "description": "Sends API calls here instead of to the org, for a proxy or the simulator. Leave empty."
    },
    "username": {
      "type": "string", "maxLength": 80, "title": "User name for JWT bearer",
      "description": "The Salesforce user name (not the email address) that the JWT bearer flow acts as."
    },
    "api_version": {
      "type": "string", "pattern": "^[1-9][0-9]{1,2}[.]0$", "default": "66.0", "title": "API version",
      "description": "From 61.0 on. Too new a version is refused by the org; Check says which it offers."
    },
    "client_object": {
      "type": "string", "enum": ["Contact", "Lead"], "default": "Contact", "title": "Clients are written as"
    },
    "key_field": {
      "type": "string", "pattern": "^[A-Za-z0-9_]{1,100}$", "default": "Clientele_Id__c", "title": "External-key field",
      "description": "API name of the field that holds Clientele's id. Change it only where a package gave it a namespace."
    },
    "activity_key_field": {
      "type": "string", "pattern": "^[A-Za-z0-9_]{1,100}$", "default": "Clientele_Id__c", "title": "External-key field of activities",
      "description": "With CallObject no custom field is needed, at the price of one search more per batch."
    },
    "duplicate_rules": {
      "type": "string", "enum": ["report", "block", "allow"], "default": "report", "title": "When a duplicate rule fires",
      "description": "report: the record is not saved and the matches are listed. block: not saved. allow: saved if the rule permits it."
    },
    "run_assignment_rules": {
      "type": "boolean", "default": false, "title": "Run assignment rules",
      "description": "On, the org's lead assignment rules run and may send mail to the new owners."
    },
    "email_fields": {
      "type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9_]{1,100}$"}, "maxItems": 4, "default": ["Email"], "title": "Email fields to search"
    },
    "phone_fields": {
      "type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9_]{1,100}$"}, "maxItems": 6, "title": "Phone fields to search",
      "description": "Empty: the standard ones of the object."
    },
    "phone_region": {
      "type": "string", "pattern": "^[A-Z]{2}$", "default": "US", "title": "Country of numbers without a country code",
      "description": "How numbers stored without a country code are to be read when clients are looked up by phone."
    },
    "activity_types": {
      "type": "object", "additionalProperties": false, "title": "Task subtype by channel",
      "properties": {
        "email": {"enum": ["Task", "Email", "Call"], "default": "Email"},
        "sms": {"enum": ["Task", "Email", "Call"], "default": "Task"},
        "chat": {"enum": ["Task", "Email", "Call"], "default": "Task"},
        "voice": {"enum": ["Task", "Email", "Call"], "default": "Call"}
      }
    },
    "activity_status": {
      "type": "string", "minLength": 1, "maxLength": 40, "default": "Completed", "title": "Status of logged activities",
      "description": "Must be one of the org's task statuses."
    }
  }
}`
