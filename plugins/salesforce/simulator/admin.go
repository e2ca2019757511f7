package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// Admin answers the admin paths of doc.go.
func (s *Simulator) Admin() http.Handler {
	return s.AdminMux(map[string]http.HandlerFunc{
		"POST /profile":  s.admin(s.adminProfile),
		"POST /merge":    s.admin(s.adminMerge),
		"POST /convert":  s.admin(s.adminConvert),
		"POST /undelete": s.admin(s.adminUndelete),
		"POST /archive":  s.admin(func([]byte) (any, error) { return map[string]int{"archived": s.archive()}, nil }),
		"POST /set":      s.admin(s.adminSet),
		"POST /expire":   s.admin(s.adminExpire),
		"POST /jwt-key":  s.admin(s.adminKey),
		"GET /records": func(w http.ResponseWriter, r *http.Request) {
			s.Mu.Lock()
			defer s.Mu.Unlock()
			out := []record{}
			if table, ok := s.records[r.URL.Query().Get("object")]; ok {
				for _, one := range table.All() {
					if !one.deleted() {
						out = append(out, one)
					}
				}
			}
			base.WriteJSON(w, http.StatusOK, out)
		},
	})
}

// admin runs a change as one commit.
func (s *Simulator) admin(change func(body []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.Mu.Lock()
		defer s.Mu.Unlock()
		body, err := io.ReadAll(r.Body)
		var out any
		if err == nil {
			out, err = change(body)
		}
		if err == nil {
			err = s.Store.Commit()
		}
		if err != nil {
			s.Store.Rollback()
			base.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		base.WriteJSON(w, http.StatusOK, out)
	}
}

func read(body []byte, out any) error {
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("want a JSON object: %w", err)
	}
	return nil
}

// adminMerge makes one record of several: the losers go to the recycle bin and
// name their master (salesforce.md §6.4).
func (s *Simulator) adminMerge(body []byte) (any, error) {
	var in struct {
		Object, Winner string
		Losers         []string
	}
	if err := read(body, &in); err != nil {
		return nil, err
	}
	o := s.objects[in.Object]
	winner, ok := s.live(o, in.Winner)
	if !ok {
		return nil, fmt.Errorf("winner: there is no such %s", in.Object)
	}
	for _, id := range in.Losers {
		if _, ok := s.live(o, id); !ok {
			return nil, fmt.Errorf("losers: there is no %s %s", in.Object, id)
		}
		s.touch(o, id, func(r record) { r["IsDeleted"], r["MasterRecordId"] = true, winner.text("Id") })
	}
	s.touch(o, in.Winner, func(record) {})
	return map[string]string{"id": winner.text("Id")}, nil
}

// adminConvert turns a lead into a contact, a given one or a new one.
func (s *Simulator) adminConvert(body []byte) (any, error) {
	var in struct{ Lead, Contact string }
	if err := read(body, &in); err != nil {
		return nil, err
	}
	leads, contacts := s.objects["Lead"], s.objects["Contact"]
	lead, ok := s.live(leads, in.Lead)
	if !ok || lead.truth("IsConverted") {
		return nil, fmt.Errorf("lead: there is no such open lead")
	}
	if in.Contact == "" {
		account := s.insert(s.objects["Account"], record{"Name": lead["Company"]}, adminUser)
		in.Contact = s.insert(contacts, record{
			"FirstName": lead["FirstName"], "LastName": lead["LastName"], "Email": lead["Email"], "Phone": lead["Phone"], "AccountId": longID(account),
		}, adminUser)
	}
	contact, ok := s.live(contacts, in.Contact)
	if !ok {
		return nil, fmt.Errorf("contact: there is no such contact")
	}
	s.touch(leads, in.Lead, func(r record) {
		r["IsConverted"], r["ConvertedContactId"], r["ConvertedAccountId"] = true, contact.text("Id"), contact["AccountId"]
		r["ConvertedDate"], r["Status"] = s.now()[:10], "Closed - Converted"
	})
	return map[string]string{"contact": contact.text("Id")}, nil
}

func (s *Simulator) adminUndelete(body []byte) (any, error) {
	var in struct{ Object, ID string }
	if err := read(body, &in); err != nil {
		return nil, err
	}
	o := s.objects[in.Object]
	if one, ok := s.get(o, in.ID); !ok || !one.deleted() {
		return nil, fmt.Errorf("id: there is no deleted %s %s", in.Object, in.ID)
	}
	s.touch(o, in.ID, func(r record) { r["IsDeleted"] = false; delete(r, "MasterRecordId") })
	return map[string]string{"id": longID(in.ID[:15])}, nil
}

// adminSet sets fields of a record past all rules: SystemModstamp for a row that
// committed late, IsPersonAccount for a contact behind a person account.
func (s *Simulator) adminSet(body []byte) (any, error) {
	var in struct {
		Object, ID string
		Fields     map[string]any
	}
	if err := read(body, &in); err != nil {
		return nil, err
	}
	o := s.objects[in.Object]
	one, found := s.get(o, in.ID)
	if !found {
		return nil, fmt.Errorf("id: there is no %s %s", in.Object, in.ID)
	}
	changed := maps.Clone(one)
	for name, value := range in.Fields {
		f, known := o.find(name)
		if !known {
			return nil, fmt.Errorf("fields: a %s has no %s", in.Object, name)
		}
		if text, ok := value.(string); ok && f.kind == "datetime" {
			at, ok := readTime(text)
			if !ok {
				return nil, fmt.Errorf("fields: %s: want a time with a zone", name)
			}
			value = stamp(at)
		}
		changed[f.name] = value
	}
	s.put(o, in.ID[:15], changed)
	return changed, nil
}

func (s *Simulator) adminExpire([]byte) (any, error) {
	n := 0
	for token := range s.sessions.All() {
		s.sessions.Delete(token)
		s.dropCursors(token)
		n++
	}
	return map[string]int{"expired": n}, nil
}

func (s *Simulator) adminKey(body []byte) (any, error) {
	key, err := readKey(body)
	if err != nil {
		return nil, err
	}
	s.jwtKey = key
	s.keys.Put("jwt", string(body))
	return map[string]bool{"set": true}, nil
}
