package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// The limits that an answer's calls are counted against.
const (
	// bucketRequests is HTTP requests: 6,000 in a sliding 300 s for each user and
	// web server (§7.1).
	bucketRequests = "requests"
	// bucketOperations is the daily entitlement: every operation inside a $batch
	// counts (§7.2).
	bucketOperations = "operations"
)

// adapter translates between the contract and Dataverse. It is safe for
// concurrent use.
type adapter struct {
	http *crmhttp.Client

	mu sync.Mutex
	// kinds remembers what metadata said about custom activity tables, by base
	// URL and table. Losing it costs one request.
	kinds map[string]activityKind
}

var _ sdk.Adapter = (*adapter)(nil)

// newAdapter makes the adapter; a nil transport means the network.
func newAdapter(transport http.RoundTripper) *adapter {
	return &adapter{http: crmhttp.New(dialect(), transport), kinds: map[string]activityKind{}}
}

// session is one call of the contract: an environment, the settings of its
// connection, and what the call has cost.
type session struct {
	*crmhttp.Session
	settings   settings
	connection string
	// root is the path of the Web API below the base URL; partRoot is its path on
	// the environment itself, which stands in the parts of a $batch: a gateway does
	// not rewrite those.
	root, partRoot string

	mu         sync.Mutex
	operations int
}

// open prepares a call. It fails when the connection's settings are bad.
func (a *adapter) open(c sdk.Connection) (*session, error) {
	s, bad := parseSettings(c.Settings)
	if bad != nil {
		return nil, bad
	}
	root := "/api/data/v" + s.APIVersion + "/"
	return &session{
		Session:    a.http.Start(crmhttp.Account{BaseURL: s.BaseURL, Token: c.Token.AccessToken}),
		settings:   s,
		connection: c.ID,
		root:       root,
		partRoot:   s.resourcePath() + root,
	}, nil
}

// request is a single operation sent on its own.
func (s *session) request(op operation, writes bool) crmhttp.Request {
	s.spend(1)
	r := crmhttp.Request{Method: op.method, Path: s.root + op.path, Header: s.headers(op.header), Bucket: bucketRequests, Writes: writes}
	if op.body != nil {
		r.Body = op.body
	}
	return r
}

// get reads one resource.
func (s *session) get(ctx context.Context, path string, header map[string]string, out any) *sdk.Error {
	reply, failed := s.JSON(ctx, s.request(operation{method: http.MethodGet, path: path, header: header}, false), out)
	return refine(failed, reply)
}

// headers are sent with every request (§2.1).
func (s *session) headers(more map[string]string) map[string]string {
	h := map[string]string{
		"Accept":           "application/json",
		"OData-MaxVersion": "4.0",
		"OData-Version":    "4.0",
	}
	if s.settings.CallerObjectID != "" {
		h["CallerObjectId"] = s.settings.CallerObjectID
	}
	for k, v := range more {
		h[k] = v
	}
	return h
}

// spend counts operations against the daily entitlement.
func (s *session) spend(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.operations += n
}

// usage is what the call has cost.
func (s *session) usage() sdk.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.Usage()
	if s.operations > 0 && len(u.Calls) > 0 {
		u.Calls = append(u.Calls, sdk.BucketCalls{Bucket: bucketOperations, N: s.operations})
	}
	return u
}

// fail is the error of a call that failed as a whole, with its cost.
func (s *session) fail(e *sdk.Error) error {
	whole := *e
	whole.Usage = s.usage()
	return &whole
}

// fieldAssociation is the Field of a not_found that is about the record at the
// other end: the account of a contact, the contact of an activity.
const fieldAssociation = "association"

// reply answers outcomes. When a limit or the token stopped every item, it is the
// call that failed: the host then parks the connection, not a hundred records.
func (s *session) reply(outcomes []sdk.Outcome) (sdk.WriteReply, error) {
	common := (*sdk.Error)(nil)
	for _, o := range outcomes {
		if o.Err == nil || common != nil && o.Err.Class != common.Class {
			common = nil
			break
		}
		common = o.Err
	}
	if common != nil {
		switch common.Class {
		case sdk.ClassThrottled, sdk.ClassQuota, sdk.ClassAuth:
			return sdk.WriteReply{}, s.fail(common)
		}
	}
	return sdk.WriteReply{Outcomes: outcomes, Usage: s.usage()}, nil
}

// refuse is the error for something that is not sent.
func refuse(class sdk.Class, field, format string, args ...any) *sdk.Error {
	return &sdk.Error{Class: class, Retry: sdk.RetryNever, Field: field, Message: fmt.Sprintf(format, args...)}
}

// table is one Dataverse table that the adapter reads and writes.
type table struct {
	name  string // logical name, the contract's object
	label string
	set   string // entity set, the first segment of a URL
	id    string // primary id column
	title string // primary name column
	role  string
	// emails and phones are the columns Find looks into.
	emails, phones []string
}

// tables are the records the adapter knows (§3.1).
func tables() []table {
	return []table{
		{
			name: "contact", label: "Contact", set: "contacts", id: "contactid", title: "fullname", role: sdk.RoleClient,
			emails: []string{"emailaddress1", "emailaddress2", "emailaddress3"},
			phones: []string{"telephone1", "mobilephone", "telephone2", "telephone3"},
		},
		{
			name: "account", label: "Account", set: "accounts", id: "accountid", title: "name", role: sdk.RoleCompany,
			emails: []string{"emailaddress1", "emailaddress2", "emailaddress3"},
			phones: []string{"telephone1", "telephone2", "telephone3"},
		},
	}
}

// tableOf finds a table by the contract's object name.
func tableOf(object string) (table, *sdk.Error) {
	for _, t := range tables() {
		if t.name == object {
			return t, nil
		}
	}
	return table{}, refuse(sdk.ClassSchema, "", "object %q: this call knows contact and account", object)
}

// rfc3339 writes a time as the contract wants it.
func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
