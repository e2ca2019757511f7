package event

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
)

// Require asks whether the actor may do c and writes a refusal into the audit, in
// a transaction of its own (R76, R79). The error is the *actor.Refusal.
func Require(ctx context.Context, d *db.DB, a actor.Actor, c actor.Can, at time.Time) error {
	err := a.Require(c)
	if refusal, ok := errors.AsType[*actor.Refusal](err); ok {
		return Refuse(ctx, d, refusal, at)
	}
	return err
}

// Refuse writes a refusal into the audit and returns it. An actor without a
// tenant has no audit to be written into.
func Refuse(ctx context.Context, d *db.DB, refusal *actor.Refusal, at time.Time) error {
	return RefuseAbout(ctx, d, refusal, Event{At: at})
}

// RefuseAbout is Refuse with what it was about: a client, a conversation, and what
// else the payload holds.
func RefuseAbout(ctx context.Context, d *db.DB, refusal *actor.Refusal, about Event) error {
	if refusal.Actor.Tenant == (actor.TenantID{}) {
		return refusal
	}
	err := d.Tenant(ctx, refusal.Actor, func(ctx context.Context, tx pgx.Tx) error {
		about.Kind = Refused
		if about.Payload == nil {
			about.Payload = map[string]any{}
		}
		about.Payload["action"] = refusal.Action
		if refusal.Why != "" {
			about.Payload["why"] = refusal.Why
		}
		return Append(ctx, tx, refusal.Actor, about)
	})
	if err != nil {
		return errors.Join(refusal, fmt.Errorf("write the refusal into the audit: %w", err))
	}
	return refusal
}
