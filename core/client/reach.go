package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/policy"
)

// ReachOf is how a client can be reached: its addresses and numbers as far as they
// could be read, the primary ones first, and the channel of its last conversation.
func ReachOf(ctx context.Context, tx pgx.Tx, c *Client) (policy.Reach, error) {
	r := policy.Reach{Addresses: map[policy.Channel][]string{}}
	for _, id := range c.Identifiers { // sorted so by the store
		switch {
		case !id.Active || id.Normal == "":
		case id.Kind == Email:
			r.Addresses[policy.Email] = append(r.Addresses[policy.Email], id.Normal)
		case id.Kind == Phone:
			r.Addresses[policy.Phone] = append(r.Addresses[policy.Phone], id.Normal)
			r.Addresses[policy.SMS] = append(r.Addresses[policy.SMS], id.Normal)
		}
	}
	var last string
	err := tx.QueryRow(ctx, `SELECT channel FROM conversation WHERE client_id = $1 ORDER BY last_message_at DESC, id LIMIT 1`, c.ID).Scan(&last)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return r, fmt.Errorf("read the last channel of client %s: %w", c.ID, err)
	}
	r.Last = policy.ChannelOf(last)
	return r, nil
}
