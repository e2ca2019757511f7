package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
)

// Connection is a CRM account of the tenant and how its sync stands.
type Connection struct {
	ID          connection.ID    `json:"id"`
	Adapter     string           `json:"adapter"`
	Name        string           `json:"name"`
	Settings    json.RawMessage  `json:"settings"`
	State       connection.State `json:"state" enum:"active,paused,parked"`
	Reason      string           `json:"reason" doc:"Why it is paused or parked"`
	ParkedUntil *time.Time       `json:"parked_until"`
	UpdateEvery int64            `json:"update_every" doc:"Seconds between updates of clients that are there already"`
	Counts      crmsync.Counts   `json:"counts"`
	CreatedAt   time.Time        `json:"created_at"`
}

func (s *server) connectionBody(ctx context.Context, a actor.Actor, c *connection.Connection) (*Connection, error) {
	counts, err := s.Sync.OfConnection(ctx, a, c.ID)
	if err != nil {
		return nil, err
	}
	return &Connection{
		ID: c.ID, Adapter: c.Adapter, Name: c.Name, Settings: c.Settings, State: c.State, Reason: c.Reason, ParkedUntil: c.ParkedUntil,
		UpdateEvery: int64(c.UpdateEvery / time.Second), Counts: counts, CreatedAt: c.CreatedAt,
	}, nil
}

type listConnectionsOutput struct {
	Body struct {
		Connections []*Connection `json:"connections"`
	}
}

func (s *server) listConnections(ctx context.Context, a actor.Actor, _ *struct{}) (*listConnectionsOutput, error) {
	found, err := s.Connections.List(ctx, a)
	if err != nil {
		return nil, err
	}
	out := &listConnectionsOutput{}
	out.Body.Connections = []*Connection{}
	for i := range found {
		body, err := s.connectionBody(ctx, a, &found[i])
		if err != nil {
			return nil, err
		}
		out.Body.Connections = append(out.Body.Connections, body)
	}
	return out, nil
}

type createConnectionInput struct {
	Body struct {
		Tenant   string            `json:"tenant,omitempty" doc:"If given, it must be the slug of your tenant"`
		Adapter  string            `json:"adapter" doc:"The adapter's name, such as hubspot"`
		Name     string            `json:"name" maxLength:"100" doc:"What people call the account"`
		Settings json.RawMessage   `json:"settings,omitempty" doc:"As the adapter's settings schema asks"`
		Secrets  map[string]string `json:"secrets,omitempty" doc:"Secrets by name, such as access_token; they are never shown again"`
	}
}

func (in *createConnectionInput) tenant() string { return in.Body.Tenant }

type connectionOutput struct{ Body *Connection }

func (s *server) createConnection(ctx context.Context, a actor.Actor, in *createConnectionInput) (*connectionOutput, error) {
	b := in.Body
	made, err := s.Connections.Create(ctx, a, connection.New{Adapter: b.Adapter, Name: b.Name, Settings: b.Settings, Secrets: b.Secrets})
	if err != nil {
		return nil, err
	}
	body, err := s.connectionBody(ctx, a, made)
	return &connectionOutput{body}, err
}

// ConnectionPath is the part of an input that names a connection.
type ConnectionPath struct {
	ID connection.ID `path:"id" format:"uuid"`
}

type getConnectionInput struct {
	ConnectionPath
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many outcomes to answer"`
}

type getConnectionOutput struct {
	Body struct {
		Connection *Connection       `json:"connection"`
		Outcomes   []crmsync.Outcome `json:"outcomes" doc:"What was written last, newest first"`
	}
}

func (s *server) getConnection(ctx context.Context, a actor.Actor, in *getConnectionInput) (*getConnectionOutput, error) {
	found, err := s.Connections.Get(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	outcomes, err := s.Sync.Log(ctx, a, in.ID, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &getConnectionOutput{}
	out.Body.Outcomes = list(outcomes)
	out.Body.Connection, err = s.connectionBody(ctx, a, found)
	return out, err
}

func (s *server) pauseConnection(ctx context.Context, a actor.Actor, in *ConnectionPath) (*struct{}, error) {
	return &struct{}{}, s.Connections.SetPaused(ctx, a, in.ID, true)
}

func (s *server) resumeConnection(ctx context.Context, a actor.Actor, in *ConnectionPath) (*struct{}, error) {
	return &struct{}{}, s.Connections.SetPaused(ctx, a, in.ID, false)
}

type clientCRMOutput struct {
	Body struct {
		Connections []crmsync.ClientState `json:"connections"`
	}
}

func (s *server) clientCRM(ctx context.Context, a actor.Actor, in *ClientPath) (*clientCRMOutput, error) {
	c, err := s.Clients.Get(ctx, a, in.ID) // a merged id leads to the survivor
	if err != nil {
		return nil, err
	}
	states, err := s.Sync.OfClient(ctx, a, c.ID)
	if err != nil {
		return nil, err
	}
	out := &clientCRMOutput{}
	out.Body.Connections = list(states)
	return out, nil
}
