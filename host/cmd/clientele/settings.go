package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// newSettingsCommand reads and changes what extraction and matching do for a
// tenant (R192).
func newSettingsCommand(s *settings) *cobra.Command {
	tenant := ""
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Show and change a tenant's rules and lists for extraction and matching",
		Long: `Settings prints what is in force for the tenant: region, time zone, channels that
create no clients, fields and thresholds of extraction, your own domains, numbers
and people, lists of names and of words that are none, and the AI endpoint for a
second opinion. Changes hold from the next message on.`,
		Example: `  clientele settings --tenant acme
  clientele settings set --tenant acme region=CA no_creation=sms,chat accept.name=0.9
  clientele settings set --tenant acme own_domains=acme.com agents="Bo Reed,Ann Lee"
  clientele settings set --tenant acme endpoint.url=https://api.example.com/v1 endpoint.model=small
  clientele settings key --tenant acme < key.txt`,
		Args: exactly(0, "nothing"),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.showSettings(cmd, tenant, "GET", nil) },
	}
	cmd.PersistentFlags().StringVar(&tenant, "tenant", "", "short name of the `tenant`; not with --url, where the key says it")
	set := &cobra.Command{
		Use:   "set NAME=VALUE...",
		Short: "Change settings; a list is written with commas and replaces the one before",
		Example: `  clientele settings set --tenant acme suggest=0.6 not_names=Boxer,Taurus
  clientele settings set --tenant acme endpoint.url=   # no endpoint any more`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.setSettings(cmd, tenant, args)
		},
	}
	drop := false
	key := &cobra.Command{
		Use:   "key",
		Short: "Store the AI endpoint's key, read from standard input; it can't be read back",
		Example: `  clientele settings key --tenant acme < key.txt
  clientele settings key --tenant acme --drop`,
		Args: exactly(0, "nothing"),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.setEndpointKey(cmd, tenant, drop) },
	}
	key.Flags().BoolVar(&drop, "drop", false, "forget the key")
	cmd.AddCommand(set, key)
	return cmd
}

// showSettings prints what the call answers.
func (s *settings) showSettings(cmd *cobra.Command, tenant, method string, change any) error {
	b, err := s.open(cmd.Context(), tenant)
	if err != nil {
		return err
	}
	defer b.close()
	found := map[string]any{}
	if err := b.call(cmd.Context(), method, "/v1/settings", change, &found); err != nil {
		return err
	}
	if s.json {
		return printJSON(os.Stdout, found)
	}
	return table(os.Stdout, []string{"SETTING", "VALUE"}, settingRows("", found))
}

// settingRows flattens settings to names and values as "set" takes them.
func settingRows(prefix string, values map[string]any) [][]string {
	var rows [][]string
	for name, value := range values {
		if inner, ok := value.(map[string]any); ok {
			rows = append(rows, settingRows(prefix+name+".", inner)...)
			continue
		}
		rows = append(rows, []string{prefix + name, settingText(value)})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

func settingText(value any) string {
	entries, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	said := make([]string, len(entries))
	for i, e := range entries {
		said[i] = fmt.Sprint(e)
	}
	return strings.Join(said, ",")
}

// setSettings turns NAME=VALUE into the API's change. A setting with parts, such
// as accept.name, keeps its other parts.
func (s *settings) setSettings(cmd *cobra.Command, tenant string, args []string) error {
	b, err := s.open(cmd.Context(), tenant)
	if err != nil {
		return err
	}
	current := map[string]json.RawMessage{}
	err = b.call(cmd.Context(), "GET", "/v1/settings", nil, &current)
	b.close()
	if err != nil {
		return err
	}
	change := map[string]any{}
	for _, arg := range args {
		if err := addSetting(change, current, arg); err != nil {
			return &codedError{exitUsage, err}
		}
	}
	return s.showSettings(cmd, tenant, "PATCH", change)
}

func addSetting(change map[string]any, current map[string]json.RawMessage, arg string) error {
	name, value, ok := strings.Cut(arg, "=")
	group, part, parted := strings.Cut(name, ".")
	if !ok || name == "" || parted && part == "" {
		return fmt.Errorf("%q: want NAME=VALUE, with a name that `clientele settings` shows", arg)
	}
	if !parted {
		change[name] = settingValue(name, value)
		return nil
	}
	parts, ok := change[group].(map[string]any)
	if !ok {
		parts = map[string]any{}
		if text := current[group]; len(text) > 0 {
			if err := json.Unmarshal(text, &parts); err != nil {
				return fmt.Errorf("%s has no parts", group)
			}
		}
		delete(parts, "key_set")
		delete(parts, "calls_today")
		change[group] = parts
	}
	if parts[part] = settingValue(name, value); name == "endpoint.url" && value == "" {
		change[group] = map[string]any{"url": "", "model": ""}
	}
	return nil
}

// settingValue reads a value: a number where it is one and the setting takes
// numbers, one text, or a list.
func settingValue(name, value string) any {
	switch name {
	case "region", "timezone", "endpoint.url", "endpoint.model":
		return value
	}
	var number json.Number
	if strings.ContainsAny(name, ".") || name == "suggest" {
		if json.Unmarshal([]byte(value), &number) == nil {
			return number
		}
		return value
	}
	entries := []string{}
	for e := range strings.SplitSeq(value, ",") {
		if e = strings.TrimSpace(e); e != "" {
			entries = append(entries, e)
		}
	}
	return entries
}

func (s *settings) setEndpointKey(cmd *cobra.Command, tenant string, drop bool) error {
	b, err := s.open(cmd.Context(), tenant)
	if err != nil {
		return err
	}
	defer b.close()
	if drop {
		return b.call(cmd.Context(), "DELETE", "/v1/settings/endpoint-key", nil, nil)
	}
	key, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 4096))
	if err != nil {
		return fmt.Errorf("read the key from standard input: %w", err)
	}
	if len(strings.TrimSpace(string(key))) == 0 {
		return &codedError{exitUsage, errors.New("standard input holds no key: run it as clientele settings key < FILE")}
	}
	return b.call(cmd.Context(), "PUT", "/v1/settings/endpoint-key", map[string]string{"key": strings.TrimSpace(string(key))}, nil)
}
