package client

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/policy"
)

// PolicyColumn is an SQL expression over a client c: all that is the client's part
// in a policy, as one value that [ReadPolicyColumn] takes; null without a client.
// It is a part of other packages' queries, so that a page of policies is one query.
const PolicyColumn = `CASE WHEN c.id IS NOT NULL THEN jsonb_build_object('id', c.id, 'channels', c.preferred_channels, 'windows', c.contact_windows,
  'timezone', c.timezone, 'never', c.never_auto_send, 'review', c.human_review_required, 'sensitive', c.sensitive, 'set', c.policy_set,
  'opt_outs', (SELECT jsonb_agg(jsonb_build_object('channel', o.channel, 'address', o.address, 'by', o.set_by, 'at', o.at, 'reason', o.reason) ORDER BY o.at, o.id) FROM (
     SELECT o.* FROM client_opt_out o WHERE o.tenant_id = c.tenant_id AND o.client_id = c.id
     UNION SELECT o.* FROM client_identifier i JOIN client_opt_out o ON o.tenant_id = i.tenant_id AND o.address = i.normal
            AND o.channel = ANY (CASE i.kind WHEN 'email' THEN '{email}'::text[] ELSE '{sms,phone}'::text[] END)
      WHERE i.tenant_id = c.tenant_id AND i.client_id = c.id AND i.active AND i.normal <> '' AND i.kind IN ('email', 'phone')) o)) END`

// ReadPolicyColumn reads what PolicyColumn answers; nothing for no client.
func ReadPolicyColumn(text []byte) (policy.ClientSettings, error) {
	if text == nil {
		return policy.ClientSettings{}, nil
	}
	var row struct {
		ID        uuid.UUID
		Channels  []string
		Windows   json.RawMessage
		Timezone  string
		Never     bool
		Review    bool
		Sensitive bool
		Set       PolicySet
		OptOuts   []policy.OptOut `json:"opt_outs"`
	}
	if err := json.Unmarshal(text, &row); err != nil {
		return policy.ClientSettings{}, fmt.Errorf("read a client's policy: %w", err)
	}
	c := Client{
		ID: ID{row.ID}, PreferredChannels: row.Channels, ContactWindows: row.Windows, Timezone: row.Timezone, NeverAutoSend: row.Never,
		HumanReviewRequired: row.Review, Sensitive: row.Sensitive, PolicySet: row.Set,
	}
	return c.PolicySettings(row.OptOuts)
}
