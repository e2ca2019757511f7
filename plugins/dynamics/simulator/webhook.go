package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// hook is a call to be made to the configured receiver (§9).
type hook struct {
	url, key, message, table, organization string
	body                                   []byte
}

// maxHook is the size above which the body loses its values.
const maxHook = 256 << 10

// hook notes a commit of a contact or account.
func (c *call) hook(message string, t *table, r row, body map[string]any) {
	if c.sim.settings.WebhookURL == "" || t.Name != "contact" && t.Name != "account" {
		return
	}
	attributes := []any{}
	for name := range body {
		if _, ok := t.column(name); ok {
			attributes = append(attributes, map[string]any{"key": name, "value": r.Values[name]})
		}
	}
	input := []any{map[string]any{"key": "Target", "value": map[string]any{
		"__type": "Entity:http://schemas.microsoft.com/xrm/2011/Contracts", "LogicalName": t.Name, "Id": r.ID,
		"Attributes": attributes, "FormattedValues": []any{}, "KeyAttributes": []any{}, "RowVersion": nil,
	}}}
	content := map[string]any{
		"MessageName": message, "PrimaryEntityName": t.Name, "PrimaryEntityId": r.ID, "Depth": 1, "Stage": 40, "Mode": 1,
		"UserId": c.user, "InitiatingUserId": c.user, "OrganizationId": c.env.organization(), "OrganizationName": c.env.name, "CorrelationId": newID(),
		"OperationCreatedOn": fmt.Sprintf("/Date(%d)/", c.now.UnixMilli()), "InputParameters": input, "PreEntityImages": []any{}, "PostEntityImages": []any{},
	}
	data, err := json.Marshal(content)
	if err == nil && len(data) > maxHook {
		content["InputParameters"] = []any{}
		data, err = json.Marshal(content)
	}
	if err != nil {
		return
	}
	c.sim.hooks = append(c.sim.hooks, hook{
		url: c.sim.settings.WebhookURL, key: c.sim.settings.WebhookKey, message: message, table: t.Name, organization: c.env.name,
		body: bytes.ReplaceAll(data, []byte(`"/Date(`), []byte(`"\/Date(`)),
	})
}

// deliver makes the calls of the request just answered: one try, and one more on
// 502, 503 and 504.
func (s *Simulator) deliver(ctx context.Context) {
	s.Mu.Lock()
	hooks := slices.Clone(s.hooks)
	s.hooks = nil
	s.Mu.Unlock()
	for _, h := range hooks {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		if status := h.post(ctx); status >= 502 && status <= 504 {
			h.post(ctx)
		}
		cancel()
		s.Counters.Add("webhooks", 1)
	}
}

func (h hook) post(ctx context.Context) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(h.body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-hook-key", h.key)
	req.Header.Set("x-ms-dynamics-organization", h.organization)
	req.Header.Set("x-ms-dynamics-entity-name", h.table)
	req.Header.Set("x-ms-dynamics-request-name", strings.TrimSpace(h.message))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
