package crmsync

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// ClientState answers "why is (or isn't) this client in the CRM" for one
// connection.
type ClientState struct {
	ConnectionID connection.ID `json:"connection_id"`
	Connection   string        `json:"connection"`
	Adapter      string        `json:"adapter"`
	// State is unmarked, due, synced, parked or excluded.
	State string `json:"state" enum:"unmarked,due,synced,parked,excluded"`
	// Why is the answer, as sentences.
	Why string `json:"why"`
	// Match is what is known of the client's record in the CRM.
	Match string `json:"match"`
	Lane  string `json:"lane"`
	// Rests says why the lane or the connection rests, or is empty.
	Rests       string     `json:"rests"`
	Class       sdk.Class  `json:"class"`
	Reason      string     `json:"reason"`
	Attempts    int        `json:"attempts"`
	AttemptedAt *time.Time `json:"attempted_at"`
	DueAt       *time.Time `json:"due_at"` // the next try
	SyncedAt    *time.Time `json:"synced_at"`
	CRMID       string     `json:"crm_id"`
	CRMObject   string     `json:"crm_object"`
	// Candidates are the CRM's records of which one may be this client.
	Candidates []string `json:"candidates"`
	// Held are CRM fields that were left out of the last write.
	Held []string `json:"held"`
	// Advice is set where the last attempt failed.
	Advice *Advice `json:"advice"`
	// Outcomes are the last attempts, newest first.
	Outcomes []Outcome `json:"outcomes"`
}

// shownAttempts is how many of a client's attempts an explanation has.
const shownAttempts = 10

// OfClient answers a client's state on every connection of the tenant.
func (s *Status) OfClient(ctx context.Context, a actor.Actor, id client.ID) ([]ClientState, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []ClientState
	var outcomes []Outcome
	var now time.Time
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT n.id, n.name, n.adapter, coalesce(i.state, 'unmarked'), coalesce(i.lane, ''),
       CASE WHEN n.state <> 'active' THEN n.reason WHEN p.paused OR p.parked_until > now() THEN p.reason ELSE '' END,
       coalesce(i.class, ''), coalesce(i.reason, ''), coalesce(i.attempts, 0), i.attempted_at, i.due_at, i.synced_at,
       coalesce(l.crm_id, ''), coalesce(l.object, ''), coalesce(i.candidates, '{}'), coalesce(i.held, '{}')
  FROM connection n
  LEFT JOIN sync_item i ON i.tenant_id = n.tenant_id AND i.connection_id = n.id AND i.kind = 'client' AND i.source_id = $1
  LEFT JOIN sync_lane p ON p.tenant_id = n.tenant_id AND p.connection_id = n.id AND p.lane = i.lane
  LEFT JOIN crm_link l ON l.tenant_id = n.tenant_id AND l.connection_id = n.id AND l.kind = 'client' AND l.source_id = $1 AND l.is_primary
 ORDER BY n.name`, id)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c ClientState, err error) {
			err = row.Scan(&c.ConnectionID, &c.Connection, &c.Adapter, &c.State, &c.Lane, &c.Rests, &c.Class, &c.Reason, &c.Attempts,
				&c.AttemptedAt, &c.DueAt, &c.SyncedAt, &c.CRMID, &c.CRMObject, &c.Candidates, &c.Held)
			return c, err
		})
		if err != nil {
			return err
		}
		rows, err = tx.Query(ctx, outcomeColumns+` WHERE source_id = $1 AND kind = 'client' ORDER BY at DESC, id DESC LIMIT $2`,
			id, shownAttempts*max(len(found), 1))
		if err != nil {
			return err
		}
		outcomes, err = pgx.CollectRows(rows, pgx.RowToStructByName[Outcome])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sync state of client %s: %w", id, err)
	}
	for i := range found {
		found[i].explain(outcomes, now)
	}
	return found, nil
}

// explain fills in what follows from the facts. It is pure.
func (c *ClientState) explain(outcomes []Outcome, now time.Time) {
	c.Outcomes = []Outcome{}
	for _, o := range outcomes {
		if o.ConnectionID == c.ConnectionID && len(c.Outcomes) < shownAttempts {
			c.Outcomes = append(c.Outcomes, o)
		}
	}
	if c.Class != "" {
		advice := Advise(c.Class)
		c.Advice = &advice
	}
	switch {
	case c.CRMID != "":
		c.Match = "It is " + c.CRMObject + " " + c.CRMID + "."
	case len(c.Candidates) > 1:
		c.Match = "It may be one of " + strings.Join(c.Candidates, ", ") + "."
	case c.AttemptedAt == nil:
		c.Match = "Nobody has looked for it there yet."
	default:
		c.Match = "The CRM holds no record that is known to be this client."
	}
	c.Why = strings.Join(c.sentences(now), " ")
}

func (c *ClientState) sentences(now time.Time) []string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	switch c.State {
	case "unmarked":
		say("The client was never marked for this connection: anonymous visitors and deleted clients stay out.")
		return said
	case "excluded":
		say("It is kept out: %s.", c.Reason)
		if c.CRMID != "" {
			say("What the CRM holds of it stays there.")
		}
		return said
	case "synced":
		say("It is in the CRM with its latest values.")
		if c.Reason != "" {
			say("Note: %s.", c.Reason)
		}
		return said
	case "parked":
		say("It is parked: %s.", c.Reason)
	default:
		if c.Attempts > 0 || c.Class != "" {
			say("It failed %d times: %s.", c.Attempts, c.Reason)
		} else {
			say("It waits in the lane %q.", c.Lane)
		}
	}
	if c.Advice != nil {
		said = append(said, c.Advice.Next)
	}
	switch {
	case c.Rests != "":
		say("Meanwhile everything there rests: %s.", c.Rests)
	case c.DueAt == nil:
	case !c.DueAt.After(now):
		say("Its turn is next.")
	default:
		say("The next try is at %s.", c.DueAt.UTC().Format(time.RFC3339))
	}
	return said
}
