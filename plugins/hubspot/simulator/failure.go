package simulator

import (
	"encoding/json"
	"net/http"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// failure is HubSpot's common error model (§6.1) with the extra members that
// rate limits have (§5.3).
type failure struct {
	Status        string              `json:"status"`
	Message       string              `json:"message"`
	CorrelationID string              `json:"correlationId,omitempty"`
	Category      string              `json:"category,omitempty"`
	SubCategory   string              `json:"subCategory,omitempty"`
	ErrorType     string              `json:"errorType,omitempty"`
	PolicyName    string              `json:"policyName,omitempty"`
	GroupName     string              `json:"groupName,omitempty"`
	Errors        []detail            `json:"errors,omitempty"`
	Context       map[string][]string `json:"context,omitempty"`
	Links         map[string]string   `json:"links,omitempty"`
}

type detail struct {
	Message string              `json:"message"`
	Code    string              `json:"code,omitempty"`
	Context map[string][]string `json:"context,omitempty"`
}

func (s *Simulator) fail(status int, category, message string) answer {
	return answer{status, failure{Status: "error", Category: category, Message: message, CorrelationID: s.lastID()}}
}

// fault is what is wrong with one property (§6.2).
type fault struct {
	IsValid bool   `json:"isValid"`
	Message string `json:"message"`
	Error   string `json:"error"`
	Name    string `json:"name"`
}

// invalid is a 400 whose message holds the faults as JSON, mirrored in errors
// for unknown names.
func (s *Simulator) invalid(faults []fault) failure {
	list, err := json.Marshal(faults)
	if err != nil {
		panic(err) // strings and a bool
	}
	f := failure{
		Status: "error", Category: "VALIDATION_ERROR", CorrelationID: s.lastID(),
		Message: "Property values were not valid: " + string(list),
	}
	for _, one := range faults {
		if one.Error == unknownProperty {
			f.Errors = append(f.Errors, detail{
				Message: one.Message, Code: one.Error, Context: map[string][]string{"propertyName": {one.Name}},
			})
		}
	}
	return f
}

// The nested error words.
const (
	unknownProperty = "PROPERTY_DOESNT_EXIST"
	readOnlyValue   = "READ_ONLY_VALUE"
	invalidEmail    = "INVALID_EMAIL"
	invalidOption   = "INVALID_OPTION"
	invalidDate     = "INVALID_DATE"
	invalidNumber   = "INVALID_LONG"
	uniqueTaken     = "CONFLICTING_UNIQUE_VALUE"
	requiredField   = "REQUIRED_FIELD"
)

// The faults inside the CRM that a rule may ask for.
const (
	doEmpty               = "empty_results"        // a 2xx batch answer that lists nothing
	doShort               = "short_results"        // the last row is left out of a batch answer
	doShuffle             = "other_order"          // batch results in reverse
	doErrorsAs200         = "errors_as_200"        // partial failure with status 200 (2026-09 snapshot)
	doStale               = "stale_search"         // search answers as if nothing had been written for 5 minutes
	doConflictOnce        = "upsert_conflict"      // an upsert answers 409 as in a race
	doWithdrawAssociation = "without_associations" // a create drops its inline associations
)

// presets are the answers of §12.3 by name.
func presets() map[string]base.Reply {
	text := func(f failure) string {
		f.Status, f.CorrelationID = "error", "sim-preset"
		data, err := json.Marshal(f)
		if err != nil {
			panic(err) // strings
		}
		return string(data)
	}
	html := "<html><head><title>error</title></head><body>Bad Gateway</body></html>"
	return map[string]base.Reply{
		"burst": {Status: 429, Body: text(failure{
			Message: "You have reached your ten_secondly_rolling limit.", ErrorType: "RATE_LIMIT", PolicyName: "TEN_SECONDLY_ROLLING",
		})},
		"search": {Status: 429, Body: text(failure{
			Message: "You have reached your secondly limit.", ErrorType: "RATE_LIMIT", PolicyName: "SECONDLY",
		})},
		"daily": {Status: 429, Body: text(failure{
			Message: "You have reached your daily limit.", ErrorType: "RATE_LIMIT", PolicyName: "DAILY",
		})},
		"expired": {Status: 401, Body: text(failure{
			Message: "The OAuth token used to make this call expired 7 second(s) ago.", Category: "EXPIRED_AUTHENTICATION",
		})},
		"invalid_token": {Status: 401, Body: text(failure{
			Message: "The access token is not valid.", Category: "INVALID_AUTHENTICATION",
		})},
		"scopes": {Status: 403, Body: text(failure{
			Message: "This app hasn't been granted all required scopes to make this call.", Category: "MISSING_SCOPES",
			Errors: []detail{{
				Message: "One or more of the following scopes are required.",
				Context: map[string][]string{"requiredGranularScopes": {"crm.objects.contacts.write"}},
			}},
		})},
		"scopes_in_context": {Status: 403, Body: text(failure{
			Message: "This app hasn't been granted all required scopes to make this call.", Category: "MISSING_SCOPES",
			Context: map[string][]string{"requiredGranularScopes": {"crm.objects.contacts.write"}},
		})},
		"not_found_html":  {Status: 404, Body: "<html><body>Not Found</body></html>"},
		"not_found_empty": {Status: 404},
		"locked":          {Status: 423, Body: text(failure{Message: "The record is locked."})},
		"migrating": {
			Status: 477, Header: map[string]string{"Retry-After": "7200"},
			Body: text(failure{Message: "The account is being moved."}),
		},
		"without_category": {Status: 400, Body: text(failure{Message: "Unable to infer object type from: butterflies"})},
		"cut_off": {Status: 400, Body: text(failure{
			Category: "VALIDATION_ERROR",
			Message:  `Property values were not valid: [{"isValid":false,"message":"x was not one of the allowed options: [a, b`,
		})},
		"bad_gateway": {Status: http.StatusBadGateway, Body: html},
		"no_answer":   {Status: 524, Body: html},
	}
}
