package simulator

import (
	"fmt"
	"time"
)

// view is a record as the API shows it.
type view struct {
	ID           string               `json:"id"`
	Properties   map[string]*string   `json:"properties"`
	History      map[string][]version `json:"propertiesWithHistory,omitempty"`
	CreatedAt    string               `json:"createdAt"`
	UpdatedAt    string               `json:"updatedAt"`
	Archived     bool                 `json:"archived"`
	ArchivedAt   string               `json:"archivedAt,omitempty"`
	URL          string               `json:"url,omitempty"`
	Associations map[string]linkPage  `json:"associations,omitempty"`
	New          *bool                `json:"new,omitempty"`
	TraceID      string               `json:"objectWriteTraceId,omitempty"`
}

// show makes the view; names that do not exist are left out, unset ones null.
func (s *Simulator) show(o object, r record, names, history []string) view {
	v := view{
		ID: r.ID, Properties: map[string]*string{}, CreatedAt: stamp(r.CreatedAt), UpdatedAt: stamp(r.UpdatedAt),
		Archived: !r.ArchivedAt.IsZero(),
		URL:      fmt.Sprintf("https://app.hubspot.com/contacts/%d/record/%s/%s", r.Portal, o.id, r.ID),
	}
	if v.Archived {
		v.ArchivedAt = stamp(r.ArchivedAt)
	}
	for _, name := range append(defaultRead(o), names...) {
		if _, ok := s.definition(r.Portal, o, name); !ok {
			continue
		}
		if value, ok := r.Properties[name]; ok {
			v.Properties[name] = &value
		} else {
			v.Properties[name] = nil
		}
	}
	for _, name := range history {
		if v.History == nil {
			v.History = map[string][]version{}
		}
		v.History[name] = r.History[name]
	}
	return v
}

// showWritten is the view a write answers: everything that is set.
func (s *Simulator) showWritten(o object, r record) view {
	v := s.show(o, r, nil, nil)
	v.Properties = map[string]*string{}
	for name, value := range r.Properties {
		v.Properties[name] = &value
	}
	return v
}

func defaultRead(o object) []string {
	switch o.plural {
	case "contacts":
		return []string{"createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"}
	case "companies":
		return []string{"createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"}
	default:
		return []string{"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}
	}
}

// stamp is a time as HubSpot writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
