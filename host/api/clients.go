package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
)

// Client is a client as the API shows it.
type Client struct {
	ID                  client.ID           `json:"id"`
	Revision            int64               `json:"revision" doc:"Rises with every change; the ETag"`
	Kind                client.Kind         `json:"kind" enum:"person,shared_mailbox,anonymous"`
	Name                string              `json:"name" doc:"What to call the client: name, else company, email or phone"`
	Fields              Fields              `json:"fields"`
	Identifiers         []client.Identifier `json:"identifiers"`
	Sensitive           bool                `json:"sensitive"`
	NeverAutoSend       bool                `json:"never_auto_send"`
	HumanReviewRequired bool                `json:"human_review_required"`
	PreferredChannels   []string            `json:"preferred_channels"`
	Timezone            string              `json:"timezone"`
	Tags                []string            `json:"tags"`
	Conversations       int                 `json:"conversations" doc:"How many conversations are linked to the client"`
	Source              string              `json:"source" doc:"The channel or way that the client came by"`
	Review              client.Review       `json:"review" enum:"unreviewed,confirmed"`
	LastContactAt       *time.Time          `json:"last_contact_at"`
	CreatedAt           time.Time           `json:"created_at"`
	UpdatedAt           time.Time           `json:"updated_at"`
}

// Fields are a client's values by their names in the field catalogue. In an
// answer all are there; in a change, those that shall change.
type Fields map[string]string

// Schema makes the OpenAPI schema from the catalogue, so that a field declared
// there is documented and checked here.
func (Fields) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for _, f := range client.Fields() {
		length := f.MaxLength
		s.Properties[f.Name] = &huma.Schema{Type: huma.TypeString, Description: f.Label, MaxLength: &length}
	}
	return s
}

func clientBody(c *client.Client) *Client {
	fields := Fields{}
	for _, f := range client.Fields() {
		fields[f.Name] = f.Get(c)
	}
	return &Client{
		ID: c.ID, Revision: c.Revision, Kind: c.Kind, Name: c.DisplayName(), Fields: fields, Identifiers: list(c.Identifiers),
		Sensitive: c.Sensitive, NeverAutoSend: c.NeverAutoSend, HumanReviewRequired: c.HumanReviewRequired,
		PreferredChannels: list(c.PreferredChannels), Timezone: c.Timezone, Tags: list(c.Tags), Conversations: c.Conversations, Source: c.Source, Review: c.Review,
		LastContactAt: c.LastContactAt, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

type listClientsInput struct {
	Search   string `query:"q" maxLength:"200" doc:"Part of a name, company, email or phone"`
	Visitors bool   `query:"visitors" doc:"List the anonymous chat visitors instead"`
	ClientFilters
	PageQuery
}

// ClientFilters limit a list of clients; all that are given must hold.
type ClientFilters struct {
	Missing         []string  `query:"missing" maxItems:"20" doc:"Fields without a value: email, phone, or of the catalogue"`
	Metadata        string    `query:"metadata" maxLength:"300" doc:"A key=value of the metadata; of an inner object with its path, as in car.colour=red"`
	NotUpdatedSince time.Time `query:"not_updated_since" doc:"Nobody has changed them since"`
}

type listClientsOutput struct {
	Body struct {
		Clients   []*Client `json:"clients"`
		Total     int       `json:"total" doc:"How many match, counted up to 10,000"`
		TotalMore bool      `json:"total_more" doc:"There are more than total"`
		Next      string    `json:"next,omitempty" doc:"The cursor of the next page, if there is one"`
	}
}

func (s *server) listClients(ctx context.Context, a actor.Actor, in *listClientsInput) (*listClientsOutput, error) {
	after, err := DecodeCursor[client.Cursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.Clients.List(ctx, a, client.Query{
		Search: in.Search, Visitors: in.Visitors, Missing: in.Missing, Metadata: in.Metadata, NotUpdatedSince: in.NotUpdatedSince,
		After: after, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := &listClientsOutput{}
	out.Body.Clients = clientBodies(found.Clients)
	out.Body.Total, out.Body.TotalMore = found.Total, found.TotalMore
	out.Body.Next, err = EncodeCursor(found.Next)
	return out, err
}

// ClientPath is the part of an input that names a client.
type ClientPath struct {
	ID client.ID `path:"id" format:"uuid"`
}

type clientOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location" hidden:"true"`
	Body     *Client
}

func clientAnswer(c *client.Client) *clientOutput {
	return &clientOutput{ETag: etag(c.Revision), Body: clientBody(c)}
}

func (s *server) getClient(ctx context.Context, a actor.Actor, in *ClientPath) (*clientOutput, error) {
	return clientOrError(s.Clients.Get(ctx, a, in.ID))
}

// ClientEdit is what may be written of a client.
type ClientEdit struct {
	Tenant string    `json:"tenant,omitempty" doc:"If given, it must be the slug of your tenant"`
	Fields Fields    `json:"fields,omitempty" doc:"Values to set by field; an empty text clears, an absent field stays"`
	Email  *string   `json:"email,omitempty" doc:"The primary email address; an empty text removes it" maxLength:"500"`
	Phone  *string   `json:"phone,omitempty" doc:"The primary phone number; an empty text removes it" maxLength:"500"`
	Share  bool      `json:"share,omitempty" doc:"If another client has the email or phone, mark it as shared on both"`
	Tags   *[]string `json:"tags,omitempty" doc:"All tags, in place of the present ones" maxItems:"50"`
	Note   string    `json:"note,omitempty" doc:"Added as a note" maxLength:"20000"`
}

func (e ClientEdit) edit() client.Edit {
	return client.Edit{Fields: e.Fields, Email: e.Email, Phone: e.Phone, Share: e.Share, Tags: e.Tags, Note: e.Note}
}

type createClientInput struct{ Body ClientEdit }

func (in *createClientInput) tenant() string { return in.Body.Tenant }

func (s *server) createClient(ctx context.Context, a actor.Actor, in *createClientInput) (*clientOutput, error) {
	c, err := s.Clients.Create(ctx, a, in.Body.edit())
	if err != nil {
		return nil, err
	}
	out := clientAnswer(c)
	out.Location = "/v1/clients/" + c.ID.String()
	return out, nil
}

// IfMatch is the part of an input that says which state of a client a change is
// based on; with another one by now it is answered 412.
type IfMatch struct {
	ETag     string `header:"If-Match" doc:"The ETag that your change is based on"`
	revision int64
}

// Resolve implements huma.Resolver: none, and *, match all.
func (m *IfMatch) Resolve(huma.Context) []error {
	if m.ETag == "" || m.ETag == "*" {
		return nil
	}
	revision, err := strconv.ParseInt(strings.Trim(m.ETag, `"`), 10, 64)
	if err != nil || revision <= 0 || etag(revision) != m.ETag {
		return []error{&huma.ErrorDetail{Location: "header.If-Match", Message: `is no ETag of ours, which looks like "3"`}}
	}
	m.revision = revision
	return nil
}

type updateClientInput struct {
	ClientPath
	IfMatch
	Body ClientEdit
}

func (in *updateClientInput) tenant() string { return in.Body.Tenant }

func (s *server) updateClient(ctx context.Context, a actor.Actor, in *updateClientInput) (*clientOutput, error) {
	edit := in.Body.edit()
	edit.Revision = in.revision
	return clientOrError(s.Clients.Update(ctx, a, in.ID, edit))
}

// PageQuery is the part of an input that names a page of a list.
type PageQuery struct {
	Cursor string `query:"cursor" doc:"The next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type clientPageInput struct {
	ClientPath
	PageQuery
}

func (s *server) listClientConversations(ctx context.Context, a actor.Actor, in *clientPageInput) (*listConversationsOutput, error) {
	return s.conversationPage(ctx, a, conversation.Query{Client: &in.ID}, in.PageQuery)
}

type timelineInput struct {
	ClientPath
	PageQuery
	Order string       `query:"order" enum:"newest,oldest" default:"newest" doc:"Which events come first"`
	Kinds []event.Kind `query:"kind" maxItems:"20" doc:"Only events of these kinds, such as message or merged"`
}

type timelineOutput struct {
	Body struct {
		Events []event.Event `json:"events"`
		Next   string        `json:"next,omitempty" doc:"The cursor of the next page, if there is one"`
	}
}

func (s *server) listTimeline(ctx context.Context, a actor.Actor, in *timelineInput) (*timelineOutput, error) {
	after, err := DecodeCursor[event.Page](in.Cursor)
	if err != nil {
		return nil, err
	}
	after.Limit = in.Limit + 1 // one more tells whether there is a next page
	after.OldestFirst, after.Kinds = in.Order == "oldest", in.Kinds
	events, err := s.Clients.Timeline(ctx, a, in.ID, after)
	if err != nil {
		return nil, err
	}
	out := &timelineOutput{}
	if len(events) > in.Limit {
		events = events[:in.Limit]
		last := events[in.Limit-1]
		if out.Body.Next, err = EncodeCursor(&event.Page{Before: last.At, ID: last.ID}); err != nil {
			return nil, err
		}
	}
	out.Body.Events = list(events)
	return out, nil
}

func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }
