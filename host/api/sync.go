package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
	"github.com/clientele-crm/clientele/sdk"
)

type retryInput struct {
	ConnectionPath
	Record string `query:"record" format:"uuid" doc:"One client or conversation; empty means all"`
	Class  string `query:"class" doc:"Those whose last failure was of this class; empty means any"`
}

type dueOutput struct {
	Body struct {
		Due int64 `json:"due" doc:"How many records are due now"`
	}
}

func (s *server) retryConnection(ctx context.Context, a actor.Actor, in *retryInput) (*dueOutput, error) {
	var record *uuid.UUID
	if in.Record != "" {
		id, err := uuid.Parse(in.Record)
		if err != nil {
			return nil, &connection.InvalidError{Field: "query.record", Rule: "is no UUID", WayOut: "give the id of a client or a conversation"}
		}
		record = &id
	}
	out := &dueOutput{}
	var err error
	out.Body.Due, err = s.Sync.Retry(ctx, a, in.ID, record, sdk.Class(in.Class))
	return out, err
}

func (s *server) runConnection(ctx context.Context, a actor.Actor, in *ConnectionPath) (*dueOutput, error) {
	out := &dueOutput{}
	var err error
	out.Body.Due, err = s.Sync.RunNow(ctx, a, in.ID)
	return out, err
}

type syncOutput struct {
	Body struct {
		Counts   crmsync.Counts    `json:"counts"`
		Problems []crmsync.Problem `json:"problems" doc:"What keeps records from landing, the widest first"`
		Backfill *crmsync.Backfill `json:"backfill" doc:"The latest, or null"`
	}
}

func (s *server) getSync(ctx context.Context, a actor.Actor, in *ConnectionPath) (*syncOutput, error) {
	out := &syncOutput{}
	var err error
	if out.Body.Backfill, err = s.Backfills.Latest(ctx, a, in.ID); err != nil {
		return nil, err
	}
	if out.Body.Counts, err = s.Sync.OfConnection(ctx, a, in.ID); err != nil {
		return nil, err
	}
	problems, err := s.Sync.Problems(ctx, a, in.ID)
	out.Body.Problems = list(problems)
	return out, err
}

type runsInput struct {
	ConnectionPath
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"20" doc:"How many to answer"`
}

type runsOutput struct {
	Body struct {
		Runs []crmsync.Run `json:"runs"`
	}
}

func (s *server) listRuns(ctx context.Context, a actor.Actor, in *runsInput) (*runsOutput, error) {
	if _, err := s.Connections.Get(ctx, a, in.ID); err != nil {
		return nil, err
	}
	runs, err := s.Sync.Runs(ctx, a, in.ID, in.Limit)
	out := &runsOutput{}
	out.Body.Runs = list(runs)
	return out, err
}

type outcomesInput struct {
	ConnectionPath
	Record string `query:"record" format:"uuid" doc:"Those of one client or conversation"`
	Run    string `query:"run" format:"uuid" doc:"Those of one run"`
	Done   string `query:"done" enum:"created,updated,unchanged,removed,failed" doc:"Those that ended so"`
	Class  string `query:"class" doc:"Failures of this class"`
	Before string `query:"before" format:"uuid" doc:"Where to go on: the next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many to answer"`
}

type outcomesOutput struct {
	Body struct {
		Outcomes []crmsync.Outcome `json:"outcomes"`
		Next     string            `json:"next" doc:"Give it as before to go on; empty at the end"`
	}
}

func (s *server) listOutcomes(ctx context.Context, a actor.Actor, in *outcomesInput) (*outcomesOutput, error) {
	if _, err := s.Connections.Get(ctx, a, in.ID); err != nil {
		return nil, err
	}
	f := crmsync.LogFilter{Done: in.Done, Class: in.Class, Limit: in.Limit}
	for name, part := range map[string]struct {
		text string
		into *uuid.NullUUID
	}{"record": {in.Record, &f.Source}, "run": {in.Run, &f.Run}, "before": {in.Before, &f.Before}} {
		if part.text == "" {
			continue
		}
		id, err := uuid.Parse(part.text)
		if err != nil {
			return nil, &connection.InvalidError{Field: "query." + name, Rule: "is no UUID", WayOut: "give an id that a list answered"}
		}
		*part.into = uuid.NullUUID{UUID: id, Valid: true}
	}
	found, err := s.Sync.Search(ctx, a, in.ID, f)
	out := &outcomesOutput{}
	out.Body.Outcomes = list(found)
	if len(found) == in.Limit {
		out.Body.Next = found[len(found)-1].ID.String()
	}
	return out, err
}

// exportFailures streams: an export may be larger than memory should be. What goes
// wrong once it flows ends it short, and is in the log.
func (s *server) exportFailures(ctx context.Context, a actor.Actor, in *ConnectionPath) (*huma.StreamResponse, error) {
	found, err := s.Connections.Get(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "text/csv; charset=utf-8; header=present")
		hc.SetHeader("Content-Disposition", `attachment; filename="failures-`+found.ID.String()+`.csv"`)
		if err := s.Sync.WriteFailures(ctx, a, in.ID, hc.BodyWriter()); err != nil {
			s.Logger.ErrorContext(ctx, "export failures", "connection", in.ID, "error", err)
		}
	}}, nil
}

type estimateOutput struct{ Body crmsync.Estimate }

func (s *server) estimateBackfill(ctx context.Context, a actor.Actor, in *ConnectionPath) (*estimateOutput, error) {
	e, err := s.Backfills.Estimate(ctx, a, in.ID)
	return &estimateOutput{e}, err
}

type backfillOutput struct{ Body *crmsync.Backfill }

func (s *server) startBackfill(ctx context.Context, a actor.Actor, in *ConnectionPath) (*backfillOutput, error) {
	b, err := s.Backfills.Start(ctx, a, in.ID)
	return &backfillOutput{b}, err
}

func (s *server) pauseBackfill(ctx context.Context, a actor.Actor, in *ConnectionPath) (*struct{}, error) {
	return &struct{}{}, s.Backfills.SetPaused(ctx, a, in.ID, true)
}

func (s *server) resumeBackfill(ctx context.Context, a actor.Actor, in *ConnectionPath) (*struct{}, error) {
	return &struct{}{}, s.Backfills.SetPaused(ctx, a, in.ID, false)
}

type chooseInput struct {
	ConnectionPath
	Client client.ID `path:"client" format:"uuid"`
	Body   struct {
		CRMID string `json:"crm_id" minLength:"1" maxLength:"200" doc:"One of the candidates that the client's state lists"`
	}
}

func (s *server) chooseRecord(ctx context.Context, a actor.Actor, in *chooseInput) (*struct{}, error) {
	return &struct{}{}, s.Sync.Choose(ctx, a, in.ID, in.Client, in.Body.CRMID)
}
