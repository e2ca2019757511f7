package simulator

import (
	"fmt"
	"slices"
)

// The fields that Clientele's adapter looks for, made by some profiles.
const keyName = "Clientele_Id__c"

// adminProfile sets the org up in one of the ways of salesforce.md §11.3. It
// changes switches and fields and leaves records alone.
func (s *Simulator) adminProfile(body []byte) (any, error) {
	var in struct{ Name string }
	if err := read(body, &in); err != nil {
		return nil, err
	}
	s.settings = defaultSettings()
	switch in.Name {
	case "plain":
	case "ready":
		s.keyFields("", true)
	case "fls-gap":
		s.keyFields("", false)
		s.settings.HiddenFields = []string{"Contact.HasOptedOutOfEmail"}
	case "namespaced":
		s.keyFields("acme__", true)
	case "state-country":
		s.keyFields("", true)
		s.settings.StateCountry = true
	case "dup-alert", "dup-block":
		s.keyFields("", true)
		s.settings.DuplicateRule = in.Name[len("dup-"):]
	case "strict":
		s.keyFields("", true)
		s.settings.ContactNeedsChannel = true
		s.customField(customField{Object: "Contact", Name: "Level__c", Label: "Level", Kind: "picklist", Length: 255, Picklist: []string{"Gold", "Silver"}, Restricted: true}, true)
		s.customField(customField{Object: "Contact", Name: "Region__c", Label: "Region", Kind: "string", Length: 20, Required: true}, true)
	case "person-accounts":
		s.keyFields("", true)
		s.settings.PersonAccounts = true
	case "leads-only":
		s.keyFields("", true)
		s.settings.NoCreate = []string{"Contact"}
	case "tiny-quota":
		s.keyFields("", true)
		s.settings.DailyLimit = 40
		s.usage = 0
	case "rotating":
		s.keyFields("", true)
		s.settings.RotateRefreshTokens, s.settings.SessionSeconds = true, 60
	default:
		return nil, fmt.Errorf("profile: there is none called %q", in.Name)
	}
	return map[string]string{"profile": in.Name}, nil
}

// keyFields makes the external-key field of every object.
func (s *Simulator) keyFields(namespace string, shown bool) {
	for _, on := range []string{"Contact", "Lead", "Account", "Activity"} {
		unique := on != "Activity"
		s.customField(customField{
			Object: on, Name: namespace + keyName, Label: "Clientele Id", Kind: "string", Length: 64,
			Unique: unique, ExternalID: true, CaseSensitive: unique,
		}, shown)
	}
}

// customField makes a field unless it is there, and shows it.
func (s *Simulator) customField(c customField, shown bool) {
	if _, there := s.custom.Get(c.Object + "." + c.Name); !there {
		s.makeField(c)
	}
	on := s.objects[c.objects()[0]]
	if shown && !slices.ContainsFunc(on.fields, func(f field) bool { return f.name == c.Name && s.granted(on, f, "PermissionsRead") }) {
		s.grantField(c)
	}
}
