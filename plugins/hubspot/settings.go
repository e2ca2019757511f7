package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// keyField is the HubSpot property that holds Clientele's id.
const keyField = "clientele_id"

// settings are what an admin may choose. The zero value of each means its
// default.
type settings struct {
	BaseURL    string `json:"base_url"`
	APIVersion string `json:"api_version"`
	// ActivityKey says whether activities can be found by a unique property or
	// only by search, which lags.
	ActivityKey string `json:"activity_key"`
	// Channels maps a channel to the activity object that shows it.
	Channels map[string]string `json:"channels"`
	// SweepMinutes is how often Changes looks for deleted records, which costs a
	// call per hundred records in the recycle bin.
	SweepMinutes int `json:"deletion_sweep_minutes"`
}

// The values of settings.ActivityKey.
const (
	keyUnique = "unique"
	keySearch = "search"
)

const defaultVersion = "2026-09"

// settingsSchema is what the host shows and checks.
const settingsSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "base_url": {
      "type": "string", "format": "uri", "title": "API address", "default": "https://api.hubapi.com",
      "description": "Only for simulators and proxies: HubSpot uses one address for all regions."
    },
    "authorize_url": {
      "type": "string", "format": "uri", "title": "Sign-in page", "default": "https://app.hubspot.com/oauth/authorize"
    },
    "api_version": {
      "type": "string", "title": "API version", "enum": ["2026-09", "2026-03", "v3"], "default": "2026-09"
    },
    "activity_key": {
      "type": "string", "title": "Key of activities", "enum": ["unique", "search"], "default": "unique",
      "description": "Choose search where the account refuses unique properties on activities."
    },
    "channels": {
      "type": "object", "title": "Activity shown for each channel", "additionalProperties": false,
      "properties": {
        "email": {"type": "string", "enum": ["emails", "notes"], "default": "emails"},
        "sms": {"type": "string", "enum": ["communications", "notes"], "default": "communications"},
        "chat": {"type": "string", "enum": ["notes"], "default": "notes"},
        "voice": {"type": "string", "enum": ["calls", "notes"], "default": "calls"}
      }
    },
    "deletion_sweep_minutes": {
      "type": "integer", "minimum": 1, "maximum": 1440, "default": 60, "title": "Minutes between looks for deleted records"
    }
  }
}`

// parseSettings fills in the defaults; it fails on values that the schema would
// not let through.
func parseSettings(raw []byte) (settings, error) {
	s := settings{
		BaseURL: "https://api.hubapi.com", APIVersion: defaultVersion, ActivityKey: keyUnique, SweepMinutes: 60,
		Channels: map[string]string{"email": emails, "sms": communications, "chat": notes, "voice": calls},
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &s); err != nil {
			return s, fmt.Errorf("settings: %w", err)
		}
	}
	base, err := crmhttp.BaseURL(s.BaseURL)
	if err != nil {
		return s, fmt.Errorf("base_url: %w", err)
	}
	s.BaseURL = base
	if !slices.Contains([]string{"2026-09", "2026-03", "v3"}, s.APIVersion) {
		return s, fmt.Errorf("api_version %q: want 2026-09, 2026-03 or v3", s.APIVersion)
	}
	if s.ActivityKey != keyUnique && s.ActivityKey != keySearch {
		return s, fmt.Errorf("activity_key %q: want unique or search", s.ActivityKey)
	}
	for channel, object := range s.Channels {
		if !slices.Contains(activityObjects(), object) {
			return s, fmt.Errorf("channels.%s %q: want one of %v", channel, object, activityObjects())
		}
	}
	if s.SweepMinutes < 1 {
		return s, fmt.Errorf("deletion_sweep_minutes %d: want at least 1", s.SweepMinutes)
	}
	return s, nil
}
