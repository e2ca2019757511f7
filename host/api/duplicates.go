package api

import (
	"context"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/match"
)

// Likeness says how alike two clients are.
type Likeness struct {
	Band    match.Band `json:"band" doc:"strong or possible"`
	Bits    float64    `json:"bits" doc:"The weight of what speaks for one person"`
	Reasons []string   `json:"reasons" doc:"In words, such as same phone, similar name, different zip"`
}

func likeness(s match.Scored) Likeness {
	return Likeness{Band: s.Band, Bits: s.Bits, Reasons: list(s.Reasons)}
}

// SimilarClient is a client that may be the one asked for.
type SimilarClient struct {
	Client *Client `json:"client"`
	Likeness
	Separate bool `json:"separate" doc:"A person decided that they are two"`
}

type similarOutput struct {
	Body struct {
		Similar []SimilarClient `json:"similar" doc:"The most alike first"`
	}
}

func similarAnswer(d client.Duplicates, err error) (*similarOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &similarOutput{}
	out.Body.Similar = []SimilarClient{}
	for _, s := range d.Similar {
		out.Body.Similar = append(out.Body.Similar, SimilarClient{Client: clientBody(s.Client), Likeness: likeness(s.Scored), Separate: s.Separate})
	}
	return out, nil
}

func (s *server) likelyDuplicates(ctx context.Context, a actor.Actor, in *createClientInput) (*similarOutput, error) {
	return similarAnswer(s.Clients.LikelyDuplicates(ctx, a, in.Body.edit()))
}

func (s *server) findSimilar(ctx context.Context, a actor.Actor, in *ClientPath) (*similarOutput, error) {
	return similarAnswer(s.Clients.FindSimilar(ctx, a, in.ID))
}

type listDuplicatesInput struct {
	Band   match.Band `query:"band" enum:"strong,possible"`
	Cursor string     `query:"cursor" doc:"The next of the page before"`
	Limit  int        `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// DuplicateCluster is clients of which each may be the same person as each other.
type DuplicateCluster struct {
	Clients []*Client       `json:"clients"`
	Pairs   []DuplicatePair `json:"pairs" doc:"The most alike first; the last is the weakest link"`
}

// DuplicatePair is two clients that may be one person.
type DuplicatePair struct {
	Client client.ID `json:"client"`
	Other  client.ID `json:"other"`
	Likeness
	FoundAt time.Time `json:"found_at"`
}

type listDuplicatesOutput struct {
	Body struct {
		Clusters  []DuplicateCluster `json:"clusters"`
		Total     int                `json:"total"`
		TotalMore bool               `json:"total_more" doc:"There are more than total"`
		Waiting   int                `json:"waiting" doc:"Clients that changed and are not compared yet"`
		Next      string             `json:"next,omitempty" doc:"The cursor of the next page, if there is one"`
	}
}

func (s *server) listDuplicates(ctx context.Context, a actor.Actor, in *listDuplicatesInput) (*listDuplicatesOutput, error) {
	after, err := DecodeCursor[client.DuplicateCursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	queue, err := s.Clients.DuplicateQueue(ctx, a, client.DuplicateQuery{Band: in.Band, After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &listDuplicatesOutput{}
	out.Body.Clusters = []DuplicateCluster{}
	for _, c := range queue.Clusters {
		cluster := DuplicateCluster{Clients: clientBodies(c.Clients), Pairs: []DuplicatePair{}}
		for _, p := range c.Pairs {
			cluster.Pairs = append(cluster.Pairs, DuplicatePair{Client: p.Client, Other: p.Other, Likeness: likeness(p.Scored), FoundAt: p.FoundAt})
		}
		out.Body.Clusters = append(out.Body.Clusters, cluster)
	}
	out.Body.Total, out.Body.TotalMore, out.Body.Waiting = queue.Total, queue.TotalMore, queue.Waiting
	out.Body.Next, err = EncodeCursor(queue.Next)
	return out, err
}

// PairPath is the part of an input that names two clients.
type PairPath struct {
	One   client.ID `path:"id" format:"uuid"`
	Other client.ID `path:"other" format:"uuid"`
}

func (s *server) keepSeparate(ctx context.Context, a actor.Actor, in *PairPath) (*struct{}, error) {
	return &struct{}{}, s.Clients.KeepSeparate(ctx, a, in.One, in.Other)
}

func (s *server) reconsider(ctx context.Context, a actor.Actor, in *PairPath) (*struct{}, error) {
	return &struct{}{}, s.Clients.Reconsider(ctx, a, in.One, in.Other)
}
