package api

import (
	"context"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
)

// NewMessage is the body of a request to send something. It doesn't say who
// sends: that follows from the credential.
type NewMessage struct {
	Tenant  string        `json:"tenant,omitempty" doc:"If given, it must be the slug of your tenant"`
	Subject string        `json:"subject,omitempty" maxLength:"500" doc:"Of a mail; a reply has its conversation's"`
	Text    string        `json:"text" minLength:"1" maxLength:"100000"`
	When    outbound.When `json:"when,omitempty" maxLength:"40" doc:"A time; or, for people, now (outside the client's hours too) or opening"`
	Reason  string        `json:"reason,omitempty" maxLength:"1000" doc:"Why a legal notice is one"`
}

func (n NewMessage) of(kind policy.Kind, channel policy.Channel) outbound.New {
	return outbound.New{Kind: kind, Channel: channel, Subject: n.Subject, Text: n.Text, When: n.When, NoticeReason: n.Reason}
}

type outboundOutput struct{ Body *outbound.Message }

func outboundAnswer(m *outbound.Message, err error) (*outboundOutput, error) {
	if err != nil {
		return nil, err
	}
	return &outboundOutput{m}, nil
}

type replyInput struct {
	ConversationPath
	Body struct {
		NewMessage
		Kind policy.Kind `json:"kind,omitempty" enum:"reply,receipt,legal_notice" default:"reply"`
	}
}

func (in *replyInput) tenant() string { return in.Body.Tenant }

func (s *server) reply(ctx context.Context, a actor.Actor, in *replyInput) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Reply(ctx, a, in.ID, in.Body.of(in.Body.Kind, "")))
}

type writeInput struct {
	ClientPath
	Body struct {
		NewMessage
		Kind    policy.Kind    `json:"kind,omitempty" enum:"message,follow_up,reminder,campaign,receipt,legal_notice" doc:"message is what a person writes, and a person's default"`
		Channel policy.Channel `json:"channel,omitempty" enum:"email,sms,phone" doc:"A person's choice; left out, the client's preferences choose"`
	}
}

func (in *writeInput) tenant() string { return in.Body.Tenant }

func (s *server) write(ctx context.Context, a actor.Actor, in *writeInput) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Write(ctx, a, in.ID, in.Body.of(in.Body.Kind, in.Body.Channel)))
}

type listOutboundInput struct {
	State        []outbound.State `query:"state" maxItems:"13" enum:"draft,awaiting approval,held,queued,sending,sent,failed,maybe sent,cancelled,superseded,blocked,call task,called" doc:"Only those in one of these states"`
	Client       string           `query:"client" maxLength:"36" doc:"Only this client's"`
	Conversation string           `query:"conversation" maxLength:"36" doc:"Only this conversation's"`
	Stuck        bool             `query:"stuck" doc:"Only what is held without a time: somebody has to mend a setting"`
	PageQuery
}

type listOutboundOutput struct {
	Body struct {
		Messages []*outbound.Message `json:"messages" doc:"The last accepted first"`
		Next     string              `json:"next,omitempty" doc:"The cursor of the next page, if there is one"`
	}
}

func (s *server) listOutbound(ctx context.Context, a actor.Actor, in *listOutboundInput) (*listOutboundOutput, error) {
	q := outbound.Query{States: in.State, Stuck: in.Stuck, Limit: in.Limit}
	var err error
	if q.After, err = DecodeCursor[outbound.ID](in.Cursor); err != nil {
		return nil, err
	}
	if in.Client != "" {
		id, err := client.ParseID(in.Client)
		if err != nil {
			return nil, queryProblem("client", err)
		}
		q.Client = &id
	}
	if in.Conversation != "" {
		id, err := conversation.ParseID(in.Conversation)
		if err != nil {
			return nil, queryProblem("conversation", err)
		}
		q.Conversation = &id
	}
	found, next, err := s.Outbound.List(ctx, a, q)
	if err != nil {
		return nil, err
	}
	out := &listOutboundOutput{}
	out.Body.Messages = list(found)
	out.Body.Next, err = EncodeCursor(next)
	return out, err
}

func queryProblem(name string, err error) error {
	return &outbound.InvalidError{Field: "query." + name, Rule: err.Error(), WayOut: "give an id from a list"}
}

// OutboundPath is the part of an input that names an outbound message.
type OutboundPath struct {
	ID outbound.ID `path:"id" format:"uuid"`
}

func (s *server) getOutbound(ctx context.Context, a actor.Actor, in *OutboundPath) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Get(ctx, a, in.ID))
}

// SeenRevision keeps a decision from a message that changed since it was read.
type SeenRevision struct {
	Revision int64 `json:"revision,omitempty" minimum:"0" doc:"The one you have read; another one is refused. 0: whichever"`
}

type editOutboundInput struct {
	OutboundPath
	Body struct {
		SeenRevision
		Subject *string `json:"subject,omitempty" maxLength:"500"`
		Text    *string `json:"text,omitempty" minLength:"1" maxLength:"100000"`
	}
}

func (s *server) editOutbound(ctx context.Context, a actor.Actor, in *editOutboundInput) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Edit(ctx, a, in.ID, in.Body.Revision, in.Body.Subject, in.Body.Text))
}

type approveOutboundInput struct {
	OutboundPath
	Body struct {
		SeenRevision
		Now bool `json:"now,omitempty" doc:"Send it outside the client's hours too; that is noted"`
	}
}

func (s *server) approveOutbound(ctx context.Context, a actor.Actor, in *approveOutboundInput) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Approve(ctx, a, in.ID, in.Body.Revision, in.Body.Now))
}

type sendOutboundInput struct {
	OutboundPath
	Body struct {
		SeenRevision
		When outbound.When `json:"when,omitempty" maxLength:"40" doc:"now (outside the client's hours too), opening, or a time"`
	}
}

func (s *server) sendOutbound(ctx context.Context, a actor.Actor, in *sendOutboundInput) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Send(ctx, a, in.ID, in.Body.Revision, in.Body.When))
}

type endOutboundInput struct {
	OutboundPath
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"500"`
	}
}

func (s *server) rejectOutbound(ctx context.Context, a actor.Actor, in *endOutboundInput) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Reject(ctx, a, in.ID, in.Body.Reason))
}

func (s *server) cancelOutbound(ctx context.Context, a actor.Actor, in *endOutboundInput) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Cancel(ctx, a, in.ID, in.Body.Reason))
}

func (s *server) retryOutbound(ctx context.Context, a actor.Actor, in *OutboundPath) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Retry(ctx, a, in.ID))
}

type resolveOutboundInput struct {
	OutboundPath
	Body struct {
		Sent bool `json:"sent" doc:"Whether it arrived"`
	}
}

func (s *server) resolveOutbound(ctx context.Context, a actor.Actor, in *resolveOutboundInput) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.Resolve(ctx, a, in.ID, in.Body.Sent))
}

func (s *server) callDone(ctx context.Context, a actor.Actor, in *OutboundPath) (*outboundOutput, error) {
	return outboundAnswer(s.Outbound.CallDone(ctx, a, in.ID))
}
