package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
)

type reviewQueueOutput struct {
	Body struct {
		Clients []QueuedClient `json:"clients" doc:"The oldest first"`
		Count   int            `json:"count"`
		Oldest  *time.Time     `json:"oldest"`
		Names   NameRate       `json:"names" doc:"How good the names are that automation gave"`
		Next    string         `json:"next,omitempty" doc:"The cursor of the next page, if there is one"`
	}
}

// NameRate is how often a name that automation gave was none.
type NameRate struct {
	client.NameRate
	Share float64 `json:"share" doc:"wrong / reviewed, 0 to 1"`
}

// QueuedClient is a new client that waits for a person's look.
type QueuedClient struct {
	Client *Client               `json:"client"`
	Values []client.SourcedValue `json:"values" doc:"Each value with the sentence it was read in"`
}

func (s *server) reviewQueue(ctx context.Context, a actor.Actor, in *PageQuery) (*reviewQueueOutput, error) {
	after, err := DecodeCursor[client.Cursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	queue, err := s.Clients.ReviewQueue(ctx, a, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &reviewQueueOutput{}
	out.Body.Clients = []QueuedClient{}
	for _, q := range queue.Clients {
		out.Body.Clients = append(out.Body.Clients, QueuedClient{Client: clientBody(q.Client), Values: list(q.Values)})
	}
	out.Body.Count, out.Body.Oldest, out.Body.Names = queue.Count, queue.Oldest, NameRate{queue.Names, queue.Names.Share()}
	out.Body.Next, err = EncodeCursor(queue.Next)
	return out, err
}

type confirmClientInput struct {
	ClientPath
	IfMatch
}

type sourcesOutput struct {
	Body struct {
		Values []client.SourcedValue `json:"values" doc:"Fields and identifiers, also fields that a person emptied"`
	}
}

func (s *server) listSources(ctx context.Context, a actor.Actor, in *ClientPath) (*sourcesOutput, error) {
	values, err := s.Clients.Sources(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	out := &sourcesOutput{}
	out.Body.Values = list(values)
	return out, nil
}

func (s *server) confirmClient(ctx context.Context, a actor.Actor, in *confirmClientInput) (*clientOutput, error) {
	return clientOrError(s.Clients.At(in.revision).ConfirmReview(ctx, a, in.ID))
}

type notANameInput struct {
	ClientPath
	IfMatch
	Body struct {
		Words []string `json:"words,omitempty" maxItems:"10" doc:"Which words of the name to learn; none: all of them"`
	}
}

type notANameOutput struct {
	Body struct {
		Client *Client  `json:"client"`
		Learnt []string `json:"learnt" doc:"Words that make no name any more"`
	}
}

func (s *server) notAName(ctx context.Context, a actor.Actor, in *notANameInput) (*notANameOutput, error) {
	c, learnt, err := s.Clients.At(in.revision).NotAName(ctx, a, in.ID, in.Body.Words)
	if err != nil {
		return nil, err
	}
	out := &notANameOutput{}
	out.Body.Client, out.Body.Learnt = clientBody(c), list(learnt)
	return out, nil
}

type listSuggestionsInput struct {
	Client string                `query:"client" format:"uuid" doc:"Only those for this client"`
	Kind   client.SuggestionKind `query:"kind" enum:"value,link,merge,restore"`
	PageQuery
}

type listSuggestionsOutput struct {
	Body struct {
		Suggestions []client.SuggestionRecord `json:"suggestions"`
		Next        string                    `json:"next,omitempty" doc:"The cursor of the next page, if there is one"`
	}
}

func (s *server) listSuggestions(ctx context.Context, a actor.Actor, in *listSuggestionsInput) (*listSuggestionsOutput, error) {
	after, err := DecodeCursor[client.SuggestionCursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	q := client.SuggestionQuery{Kind: in.Kind, After: after, Limit: in.Limit}
	if in.Client != "" {
		id, err := client.ParseID(in.Client)
		if err != nil {
			return nil, &client.FieldError{Field: "query.client", Rule: "is no client's id", WayOut: "send the id of a client"}
		}
		q.Client = &id
	}
	found, next, err := s.Clients.Suggestions(ctx, a, q)
	if err != nil {
		return nil, err
	}
	out := &listSuggestionsOutput{}
	out.Body.Suggestions = list(found)
	out.Body.Next, err = EncodeCursor(next)
	return out, err
}

// SuggestionPath is the part of an input that names a suggestion.
type SuggestionPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type acceptSuggestionInput struct {
	SuggestionPath
	Body struct {
		Choices client.Choices `json:"choices,omitempty" doc:"For a merge, by field: the client whose value to take"`
	}
}

func (s *server) acceptSuggestion(ctx context.Context, a actor.Actor, in *acceptSuggestionInput) (*clientOutput, error) {
	return clientOrError(s.Clients.AcceptSuggestion(ctx, a, in.ID, in.Body.Choices))
}

func (s *server) dismissSuggestion(ctx context.Context, a actor.Actor, in *SuggestionPath) (*struct{}, error) {
	return &struct{}{}, s.Clients.DismissSuggestion(ctx, a, in.ID)
}

type proofOutput struct{ Body event.Proof }

func (s *server) proveAudit(ctx context.Context, a actor.Actor, _ *struct{}) (*proofOutput, error) {
	proof, err := s.Audit.Verify(ctx, a)
	if err != nil {
		return nil, err
	}
	proof.Broken = list(proof.Broken)
	return &proofOutput{proof}, nil
}
