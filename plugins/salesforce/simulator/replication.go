package simulator

import (
	"net/http"
	"time"
)

// window reads start and end of the replication calls (salesforce.md §6.4).
func (s *Simulator) window(r *request, days int) (object, time.Time, time.Time, *failure) {
	o, f := s.writeTo(r)
	if f != nil {
		return o, time.Time{}, time.Time{}, f
	}
	start, ok := readTime(r.URL.Query().Get("start"))
	end, alsoOK := readTime(r.URL.Query().Get("end"))
	now := s.Clock.Now()
	switch {
	case !ok || !alsoOK:
		return o, start, end, bad("INVALID_REPLICATION_DATE", "start and end must be dates and times with a zone")
	case start.Before(now.AddDate(0, 0, -days)):
		return o, start, end, bad("INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
	case end.Sub(start) <= time.Minute:
		return o, start, end, bad("INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
	}
	return o, start, end, nil
}

// within yields the records whose SystemModstamp lies in the window.
func (s *Simulator) within(o object, start, end time.Time, deleted bool) []record {
	var out []record
	for _, r := range s.records[o.name].All() {
		if at := r.text("SystemModstamp"); r.deleted() == deleted && at >= stamp(start) && at < stamp(end) {
			out = append(out, r)
		}
	}
	return out
}

func (s *Simulator) updated(w http.ResponseWriter, r *request) {
	o, start, end, f := s.window(r, 30)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	ids := []string{}
	for _, one := range s.within(o, start, end, false) {
		ids = append(ids, one.text("Id"))
	}
	answer(w, r.Request, http.StatusOK, ordered{{"ids", ids}, {"latestDateCovered", s.covered(end)}})
}

func (s *Simulator) deletedSince(w http.ResponseWriter, r *request) {
	o, start, end, f := s.window(r, 15)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	records := []any{}
	for _, one := range s.within(o, start, end, true) {
		records = append(records, ordered{{"deletedDate", one.text("SystemModstamp")}, {"id", one.text("Id")}})
	}
	answer(w, r.Request, http.StatusOK, ordered{
		{"deletedRecords", records}, {"earliestDateAvailable", stamp(s.Clock.Now().AddDate(0, 0, -15))}, {"latestDateCovered", s.covered(end)},
	})
}

// covered is the end of what was answered: to the minute, and not the future.
func (s *Simulator) covered(end time.Time) string {
	if now := s.Clock.Now(); end.After(now) {
		end = now
	}
	return stamp(end.Truncate(time.Minute))
}
