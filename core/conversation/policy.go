package conversation

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/policy"
	"github.com/clientele-crm/clientele/core/tenant"
)

// Policies computes what is in force for conversations, a page of them in one
// query. One without a client has the tenant's part and its own (R71).
func Policies(ctx context.Context, tx pgx.Tx, ids []ID) (map[ID]policy.Policy, error) {
	found := make(map[ID]policy.Policy, len(ids))
	err := readPolicies(ctx, tx, len(ids), `SELECT v.id, v.policy, `+client.PolicyColumn+`, t.settings->'policy', t.timezone
  FROM conversation v JOIN tenant t ON t.id = v.tenant_id LEFT JOIN client c ON c.tenant_id = v.tenant_id AND c.id = v.client_id
 WHERE v.id = ANY($1)`, ids, func(id ID, p policy.Policy) { found[id] = p })
	return found, err
}

// ClientPolicies computes what is in force for new messages to clients, beside any
// conversation, in one query.
func ClientPolicies(ctx context.Context, tx pgx.Tx, ids []client.ID) (map[client.ID]policy.Policy, error) {
	found := make(map[client.ID]policy.Policy, len(ids))
	err := readPolicies(ctx, tx, len(ids), `SELECT c.id, '{}'::jsonb, `+client.PolicyColumn+`, t.settings->'policy', t.timezone
  FROM client c JOIN tenant t ON t.id = c.tenant_id WHERE c.id = ANY($1)`, ids, func(id client.ID, p policy.Policy) { found[id] = p })
	return found, err
}

func readPolicies[T any](ctx context.Context, tx pgx.Tx, n int, sql string, ids []T, keep func(T, policy.Policy)) error {
	if n == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, sql, ids)
	if err != nil {
		return fmt.Errorf("read policies: %w", err)
	}
	var id T
	var own, ofClient, ofTenant []byte
	var timezone string
	_, err = pgx.ForEachRow(rows, []any{&id, &own, &ofClient, &ofTenant, &timezone}, func() error {
		in, err := policyIn(own, ofClient, ofTenant, timezone)
		if err != nil {
			return err
		}
		keep(id, policy.Combine(in))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read policies: %w", err)
	}
	return nil
}

func policyIn(own, ofClient, ofTenant []byte, timezone string) (in policy.In, err error) {
	var t tenant.Policy
	if ofTenant != nil {
		if err := json.Unmarshal(ofTenant, &t); err != nil {
			return in, fmt.Errorf("the tenant's policy: %w", err)
		}
	}
	in.Tenant = t.In(timezone)
	if err := json.Unmarshal(own, &in.Conversation); err != nil {
		return in, fmt.Errorf("a conversation's own policy: %w", err)
	}
	in.Client, err = client.ReadPolicyColumn(ofClient)
	return in, err
}
