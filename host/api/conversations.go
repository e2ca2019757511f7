package api

import (
	"context"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
)

type listConversationsInput struct {
	Unlinked  bool `query:"unlinked" doc:"Only those without a client"`
	Uncertain bool `query:"uncertain" doc:"Only those whose link is a guess that nobody confirmed"`
	PageQuery
}

type listConversationsOutput struct {
	Body struct {
		Conversations []conversation.Head `json:"conversations" doc:"The last contacted first"`
		Next          string              `json:"next,omitempty" doc:"The cursor of the next page, if there is one"`
	}
}

func (s *server) listConversations(ctx context.Context, a actor.Actor, in *listConversationsInput) (*listConversationsOutput, error) {
	return s.conversationPage(ctx, a, conversation.Query{Unlinked: in.Unlinked, Uncertain: in.Uncertain}, in.PageQuery)
}

func (s *server) conversationPage(ctx context.Context, a actor.Actor, q conversation.Query, page PageQuery) (*listConversationsOutput, error) {
	after, err := DecodeCursor[conversation.Cursor](page.Cursor)
	if err != nil {
		return nil, err
	}
	q.After, q.Limit = after, page.Limit
	found, next, err := s.Conversations.List(ctx, a, q)
	if err != nil {
		return nil, err
	}
	out := &listConversationsOutput{}
	out.Body.Conversations = list(found)
	out.Body.Next, err = EncodeCursor(next)
	return out, err
}

// ConversationPath is the part of an input that names a conversation.
type ConversationPath struct {
	ID conversation.ID `path:"id" format:"uuid"`
}

type conversationOutput struct {
	Body struct {
		Conversation *conversation.Conversation `json:"conversation"`
		Messages     []conversation.Message     `json:"messages" doc:"Oldest first, at most 1,000"`
		Runs         []conversation.Run         `json:"runs" doc:"What was found in each message and how it was decided, newest first"`
	}
}

func (s *server) getConversation(ctx context.Context, a actor.Actor, in *ConversationPath) (*conversationOutput, error) {
	c, messages, err := s.Conversations.Get(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	_, runs, err := s.Conversations.Explain(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	out := &conversationOutput{}
	out.Body.Conversation, out.Body.Messages, out.Body.Runs = c, list(messages), list(runs)
	return out, nil
}

type linkConversationInput struct {
	ConversationPath
	Body struct {
		Client client.ID `json:"client"`
	}
}

type linkedOutput struct{ Body *conversation.Conversation }

func linkedAnswer(c *conversation.Conversation, err error) (*linkedOutput, error) {
	if err != nil {
		return nil, err
	}
	return &linkedOutput{c}, nil
}

func (s *server) linkConversation(ctx context.Context, a actor.Actor, in *linkConversationInput) (*linkedOutput, error) {
	return linkedAnswer(s.Conversations.LinkTo(ctx, a, in.ID, in.Body.Client))
}

func (s *server) unlinkConversation(ctx context.Context, a actor.Actor, in *ConversationPath) (*linkedOutput, error) {
	return linkedAnswer(s.Conversations.Unlink(ctx, a, in.ID))
}

func (s *server) closeConversation(ctx context.Context, a actor.Actor, in *ConversationPath) (*linkedOutput, error) {
	return linkedAnswer(s.Conversations.Close(ctx, a, in.ID))
}

func (s *server) confirmLink(ctx context.Context, a actor.Actor, in *ConversationPath) (*linkedOutput, error) {
	return linkedAnswer(s.Conversations.Confirm(ctx, a, in.ID))
}
