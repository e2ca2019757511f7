package web

import (
	"net/http"

	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
)

// shownOutcomes is how much of a connection's log its card shows.
const shownOutcomes = 10

type connectionsPage struct {
	frame
	Connections []connectionCard
}

type connectionCard struct {
	Name, Adapter, State, Tone, Reason string
	ParkedUntil                        stamp
	Counts                             []factView
	Log                                []outcomeRow
}

type outcomeRow struct {
	Kind, Done, Tone, Detail, Link string
	At                             stamp
}

func (s *site) connections(v *visit) error {
	found, err := s.Connections.List(v.ctx(), v.actor)
	if err != nil {
		return err
	}
	page := connectionsPage{frame: s.frame(v, "connections.title", "/connections")}
	for _, c := range found {
		counts, err := s.Sync.OfConnection(v.ctx(), v.actor, c.ID)
		if err != nil {
			return err
		}
		log, err := s.Sync.Log(v.ctx(), v.actor, c.ID, shownOutcomes)
		if err != nil {
			return err
		}
		page.Connections = append(page.Connections, v.connectionCard(c, counts, log))
	}
	s.show(v, http.StatusOK, "connections", page)
	return nil
}

func (v *visit) connectionCard(c connection.Connection, counts crmsync.Counts, log []crmsync.Outcome) connectionCard {
	card := connectionCard{
		Name: c.Name, Adapter: c.Adapter, State: text("connection." + string(c.State)), Reason: c.Reason, ParkedUntil: v.stamp(c.ParkedUntil),
		Tone: map[connection.State]string{connection.Active: "good", connection.Paused: "note", connection.Parked: "alert"}[c.State],
		Counts: []factView{
			{Label: text("connection.synced"), Value: number(counts.Synced)},
			{Label: text("connection.due"), Value: number(counts.Due)},
			{Label: text("connection.waiting"), Value: number(counts.Waiting)},
			{Label: text("connection.parked_items"), Value: number(counts.Parked)},
			{Label: text("connection.created"), Value: number(counts.Created)},
			{Label: text("connection.calls"), Value: number(int(counts.Calls))},
		},
	}
	for _, o := range log {
		row := outcomeRow{Kind: text("kind." + o.Kind), Done: text("done." + o.Done), Tone: "good", Detail: o.Detail, At: v.stamp(&o.At)}
		if o.Done == "failed" {
			row.Tone = "alert"
		}
		row.Link = map[string]string{"client": "/clients/", "conversation": "/conversations/"}[o.Kind] + o.SourceID.String()
		card.Log = append(card.Log, row)
	}
	return card
}
