package web

import (
	"net/http"
	"net/url"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/api"
)

// pageSize is how many rows a list shows: a screen or two.
const pageSize = 50

type clientsPage struct {
	frame
	Search   string
	Visitors bool
	MayEdit  bool
	Total    string
	Clients  []clientRow
	Newer    string // the first page, when this isn't it
	Older    string
}

type clientRow struct {
	ID, Name, Company, Email, Phone string
	Badges                          []badge
	LastContact, Created            stamp
}

// badge is a short mark beside a name: a word and an icon, never colour alone
// (R81).
type badge struct{ Text, Tone string }

func (s *site) clients(v *visit) error {
	query := v.r.URL.Query()
	after, err := api.DecodeCursor[client.Cursor](query.Get("cursor"))
	if err != nil {
		return err
	}
	page := clientsPage{frame: s.frame(v, "clients.title", "/clients"), Search: query.Get("q"), Visitors: query.Get("visitors") != "", MayEdit: v.mayEdit()}
	found, err := s.Clients.List(v.ctx(), v.actor, client.Query{Search: page.Search, Visitors: page.Visitors, After: after, Limit: pageSize})
	if err != nil {
		return err
	}
	page.Total = count("clients.count", found.Total)
	if found.TotalMore {
		page.Total = text("clients.count.more", number(found.Total))
	}
	for _, c := range found.Clients {
		page.Clients = append(page.Clients, v.clientRow(c))
	}
	page.Newer, page.Older, err = pager(v.r.URL, found.Next)
	if err != nil {
		return err
	}
	s.show(v, http.StatusOK, "clients", page)
	return nil
}

func (v *visit) clientRow(c *client.Client) clientRow {
	return clientRow{
		ID: c.ID.String(), Name: c.DisplayName(), Company: c.Company, Email: c.Email(), Phone: c.Phone(), Badges: badges(c),
		LastContact: v.stamp(c.LastContactAt), Created: v.stamp(&c.CreatedAt),
	}
}

func badges(c *client.Client) []badge {
	var b []badge
	if c.Sensitive {
		b = append(b, badge{text("badge.sensitive"), "alert"})
	}
	switch c.Kind {
	case client.SharedMailbox:
		b = append(b, badge{text("badge.shared_mailbox"), "plain"})
	case client.Anonymous:
		b = append(b, badge{text("badge.visitor"), "plain"})
	}
	if c.Review == client.Unreviewed {
		b = append(b, badge{text("badge.unreviewed"), "note"})
	}
	return b
}

// pager answers the addresses of a list's first and next page, keeping the rest
// of the address. Lists go by cursor, so there is no page number.
func pager[T any](here *url.URL, next *T) (newer, older string, err error) {
	at := func(cursor string) string {
		query := here.Query()
		query.Del("cursor")
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		if len(query) == 0 {
			return here.Path
		}
		return here.Path + "?" + query.Encode()
	}
	if here.Query().Get("cursor") != "" {
		newer = at("")
	}
	if next != nil {
		cursor, err := api.EncodeCursor(next)
		if err != nil {
			return "", "", err
		}
		older = at(cursor)
	}
	return newer, older, nil
}
