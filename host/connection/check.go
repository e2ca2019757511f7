package connection

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/sdk"
)

// Check asks the CRM whether a connection is good, and keeps which account it
// leads to. Errors: *actor.Refusal, *NotFoundError, *sdk.Error, *SignInError.
func (s *Service) Check(ctx context.Context, a actor.Actor, id ID) (sdk.CheckReply, error) {
	if err := a.Require(actor.Administer); err != nil {
		return sdk.CheckReply{}, err
	}
	c, err := s.read(ctx, a, id)
	if err != nil {
		return sdk.CheckReply{}, err
	}
	var reply sdk.CheckReply
	err = s.Call(ctx, a, c, "check", func(ctx context.Context, r Reached) (sdk.Usage, error) {
		reply, err = r.Adapter.Check(ctx, sdk.CheckRequest{Connection: r.Open})
		return reply.Usage, err
	})
	if err != nil {
		return sdk.CheckReply{}, err
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE connection SET checked_at = $2, account = $3, crm_user = $4, sandbox = $5 WHERE id = $1`,
			id, s.Now(), reply.Account, reply.User, reply.Sandbox)
		return err
	})
	if err != nil {
		return sdk.CheckReply{}, fmt.Errorf("keep what connection %s leads to: %w", c.Name, err)
	}
	return reply, nil
}

// Fields reads the live fields of one of the CRM's objects. Errors: as Check.
func (s *Service) Fields(ctx context.Context, a actor.Actor, id ID, object string) (sdk.DescribeObjectReply, error) {
	if err := a.Require(actor.Administer); err != nil {
		return sdk.DescribeObjectReply{}, err
	}
	c, err := s.read(ctx, a, id)
	if err != nil {
		return sdk.DescribeObjectReply{}, err
	}
	var reply sdk.DescribeObjectReply
	err = s.Call(ctx, a, c, "metadata", func(ctx context.Context, r Reached) (sdk.Usage, error) {
		reply, err = r.Adapter.DescribeObject(ctx, sdk.DescribeObjectRequest{Connection: r.Open, Object: object})
		return reply.Usage, err
	})
	return reply, err
}
