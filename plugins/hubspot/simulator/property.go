package simulator

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// property is a definition, as the properties API shows it (§3.3).
type property struct {
	Name            string       `json:"name"`
	Label           string       `json:"label"`
	Description     string       `json:"description"`
	GroupName       string       `json:"groupName"`
	Type            string       `json:"type"`
	FieldType       string       `json:"fieldType"`
	Options         []option     `json:"options"`
	HasUniqueValue  bool         `json:"hasUniqueValue"`
	Calculated      bool         `json:"calculated"`
	ExternalOptions bool         `json:"externalOptions"`
	Hidden          bool         `json:"hidden"`
	Archived        bool         `json:"archived"`
	DisplayOrder    int          `json:"displayOrder"`
	HubSpotDefined  bool         `json:"hubspotDefined"`
	FormField       bool         `json:"formField"`
	CreatedAt       string       `json:"createdAt,omitempty"`
	UpdatedAt       string       `json:"updatedAt,omitempty"`
	Modification    modification `json:"modificationMetadata"`
}

type option struct {
	Label        string `json:"label"`
	Value        string `json:"value"`
	DisplayOrder int    `json:"displayOrder"`
	Hidden       bool   `json:"hidden"`
}

type modification struct {
	Archivable         bool `json:"archivable"`
	ReadOnlyDefinition bool `json:"readOnlyDefinition"`
	ReadOnlyValue      bool `json:"readOnlyValue"`
	ReadOnlyOptions    bool `json:"readOnlyOptions"`
}

func propertyKey(portal int64, o object, name string) string {
	return fmt.Sprintf("%d/%s/%s", portal, o.plural, name)
}

// definition finds a live property: the account's own or changed one, else
// HubSpot's.
func (s *Simulator) definition(portal int64, o object, name string) (property, bool) {
	p, ok := s.properties.Get(propertyKey(portal, o, name))
	if !ok {
		p, ok = s.catalogue.find(o, name)
	}
	if o.plural == "contacts" && slices.Contains(s.settings.ReadOnlyProperties, name) {
		p.Modification.ReadOnlyValue = true
	}
	return p, ok && !p.Archived
}

// definitions lists all properties of a kind, HubSpot's first.
func (s *Simulator) definitions(portal int64, o object, archived bool) []property {
	out := []property{}
	add := func(p property) {
		if p.Archived == archived {
			out = append(out, p)
		}
	}
	prefix := propertyKey(portal, o, "")
	for _, p := range s.catalogue[o.plural] {
		if changed, ok := s.properties.Get(prefix + p.Name); ok {
			p = changed
		}
		add(p)
	}
	for key, p := range s.properties.All() {
		if name, ours := strings.CutPrefix(key, prefix); ours {
			if _, known := s.catalogue.find(o, name); !known {
				add(p)
			}
		}
	}
	return out
}

var (
	emailShape  = regexp.MustCompile(`^[^@\s,;<>"]+@[^@\s,;<>"]+\.[^@\s,;<>".]+$`)
	numberShape = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
)

// check says what is wrong with one value (§6.2), or returns nil.
func (s *Simulator) check(portal int64, o object, name, value string) *fault {
	p, ok := s.definition(portal, o, name)
	bad := func(code, format string, args ...any) *fault {
		return &fault{Name: name, Error: code, Message: fmt.Sprintf(format, args...)}
	}
	if !ok {
		return bad(unknownProperty, "Property %q does not exist", name)
	}
	if p.Modification.ReadOnlyValue || p.Calculated {
		return bad(readOnlyValue, "%s is a read only property; its value cannot be set.", name)
	}
	if value == "" {
		return nil
	}
	if o.plural == "contacts" && name == "email" {
		if !emailShape.MatchString(value) {
			return bad(invalidEmail, "Email address %s is invalid", value)
		}
		if blocked, _ := s.blocked.Get(blockKey(portal, value)); blocked {
			return bad(invalidEmail, "Email address %s is invalid: email has been GDPR blacklisted", value)
		}
	}
	switch p.Type {
	case "number":
		if !numberShape.MatchString(value) {
			return bad(invalidNumber, "%s was not a valid number", value)
		}
	case "bool":
		if value != "true" && value != "false" {
			return bad(invalidOption, "%s was not one of the allowed options: [true, false]", value)
		}
	case "date", "datetime":
		if why := badTime(p.Type, value); why != "" {
			return bad(invalidDate, "%s", why)
		}
	case "enumeration":
		if p.ExternalOptions {
			return nil
		}
		return checkOptions(p, value, bad)
	}
	return nil
}

func checkOptions(p property, value string, bad func(string, string, ...any) *fault) *fault {
	allowed := make([]string, len(p.Options))
	for i, o := range p.Options {
		allowed[i] = o.Value
	}
	given := []string{value}
	if p.FieldType == "checkbox" {
		given = strings.Split(strings.TrimPrefix(value, ";"), ";")
	}
	for _, v := range given {
		if !slices.Contains(allowed, v) {
			return bad(invalidOption, "%s was not one of the allowed options: [%s]", v, strings.Join(allowed, ", "))
		}
	}
	return nil
}

func badTime(kind, value string) string {
	if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
		t := time.UnixMilli(ms).UTC()
		if kind == "date" && !t.Equal(t.Truncate(24*time.Hour)) {
			return fmt.Sprintf("%s is at %d:%d:%d.%d UTC, not midnight!", value, t.Hour(), t.Minute(), t.Second(), t.Nanosecond()/1e6)
		}
		return ""
	}
	layouts := []string{time.RFC3339Nano, time.DateOnly}
	if kind == "date" {
		layouts = []string{time.DateOnly}
	}
	for _, layout := range layouts {
		if _, err := time.Parse(layout, value); err == nil {
			return ""
		}
	}
	return value + " was not a valid long."
}

// requiredToCreate are the properties without which a record is refused (§4).
func requiredToCreate(o object) []string {
	switch o.plural {
	case "communications":
		return []string{"hs_timestamp", "hs_communication_channel_type"}
	case "emails":
		return []string{"hs_timestamp", "hs_email_direction"}
	case "notes", "calls", "meetings", "tasks":
		return []string{"hs_timestamp"}
	default:
		return nil
	}
}

func blockKey(portal int64, email string) string {
	return fmt.Sprintf("%d/%s", portal, strings.ToLower(email))
}
