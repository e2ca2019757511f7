package simulator

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// The application that tokens are given to, until Settings say otherwise.
const (
	TenantID     = "7c1d0000-0000-4000-8000-00000000000a"
	ClientID     = "6f1e0000-0000-4000-8000-0000000000c1"
	ClientSecret = "s3cr@t"
)

// environmentNames are the environments; the first is served without a name too.
func environmentNames() []string { return []string{"org-a", "org-b"} }

// Settings are the switches of the simulator, changed on its admin path. Those
// named after a doubt of the page let tests run both ways.
type Settings struct {
	// OrganizationIDs replaces an environment's id, as a restore does.
	OrganizationIDs map[string]string `json:"organization_ids"`

	TenantID     string `json:"tenant_id"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	SecretOver   bool   `json:"secret_expired"`
	ConsentGone  bool   `json:"consent_missing"`
	// TokenSeconds is the life of a token; ExpireTokens refuses all of them.
	TokenSeconds        int  `json:"token_seconds"`
	ExpireTokens        bool `json:"expire_tokens"`
	RefuseRefreshTokens bool `json:"refuse_refresh_tokens"`
	// InvalidClientStatus is 401 or 400 (§1.2).
	InvalidClientStatus int `json:"invalid_client_status"`

	// NoApplicationUser refuses everybody with 0x80072560; DeniedPrivileges are
	// missing from the user's role (prvCreateContact).
	NoApplicationUser bool     `json:"no_application_user"`
	DeniedPrivileges  []string `json:"denied_privileges"`
	// HiddenColumns are left out of reads by column security (contact.birthdate).
	HiddenColumns []string `json:"hidden_columns"`

	// The three limits of §7.1, in a sliding 300 s; RowCostMillis is charged to
	// the execution time for each row.
	RequestLimit     int `json:"request_limit"`
	ExecutionMillis  int `json:"execution_limit_ms"`
	ConcurrencyLimit int `json:"concurrency_limit"`
	RowCostMillis    int `json:"row_cost_ms"`

	// KeyIndexMillis is how long an alternate key's index takes; KeyIndexFails
	// makes new ones fail. MetadataMillis is how long a new column answers 404.
	KeyIndexMillis int  `json:"key_index_ms"`
	KeyIndexFails  bool `json:"key_index_fails"`
	MetadataMillis int  `json:"metadata_ms"`
	// KeyValueStatus answers a key value with a forbidden character: 400 or 404.
	KeyValueStatus int `json:"key_value_status"`

	// BulkTables have CreateMultiple and its kin; BulkStatus answers the others.
	BulkTables []string `json:"bulk_tables"`
	BulkStatus int      `json:"bulk_status"`

	// LinkHost is the host in links, where it is the alias instead of the one asked
	// (§1.5).
	LinkHost string `json:"link_host"`

	// TrackedTables have change tracking. DeltaDays is how long a delta token
	// lives, DeltaExpiry what an older one gets: error400, error410 or full.
	TrackedTables []string `json:"tracked_tables"`
	DeltaDays     int      `json:"delta_days"`
	DeltaExpiry   string   `json:"delta_expiry"`

	// DuplicateRules are published; DuplicateStatus answers a hit: 500 or 412.
	DuplicateRules  bool `json:"duplicate_rules"`
	DuplicateStatus int  `json:"duplicate_status"`

	// RefuseReadOnly refuses read-only columns in a body instead of ignoring them.
	RefuseReadOnly bool `json:"refuse_read_only"`
	// RefuseClosedEdits refuses changes of a closed activity; RefuseCloseInSet
	// refuses to close one in the change set that creates it.
	RefuseClosedEdits bool `json:"refuse_closed_edits"`
	RefuseCloseInSet  bool `json:"refuse_close_in_set"`
	// LineFeed is what bare LF in a $batch gets: refuse or drop_last.
	LineFeed string `json:"line_feed"`

	// MaxLengths are what an admin changed (contact.firstname: 20). PluginRequires
	// are columns that a customer's plug-in insists on (contact.jobtitle).
	MaxLengths     map[string]int `json:"max_lengths"`
	PluginRequires []string       `json:"plugin_requires"`
	// LocksSchema refuses customizations for want of a privilege.
	LocksSchema bool `json:"locks_schema"`

	// WebhookURL gets a call after each commit of a contact, with WebhookKey in
	// the header x-hook-key (§9).
	WebhookURL string `json:"webhook_url"`
	WebhookKey string `json:"webhook_key"`
}

func (s Settings) keyIndexDelay() time.Duration {
	return time.Duration(s.KeyIndexMillis) * time.Millisecond
}

func defaults() Settings {
	return Settings{
		OrganizationIDs: map[string]string{},
		TenantID:        TenantID, ClientID: ClientID, ClientSecret: ClientSecret, TokenSeconds: 3599, InvalidClientStatus: http.StatusUnauthorized,
		RequestLimit: 6000, ExecutionMillis: 1_200_000, ConcurrencyLimit: 52, RowCostMillis: 10,
		KeyIndexMillis: 500, KeyValueStatus: http.StatusBadRequest,
		BulkTables: []string{"contact", "account"}, BulkStatus: http.StatusNotImplemented,
		TrackedTables: []string{"contact", "account"}, DeltaDays: 7, DeltaExpiry: "error400",
		DuplicateRules: true, DuplicateStatus: http.StatusInternalServerError,
		RefuseClosedEdits: true, LineFeed: "refuse", MaxLengths: map[string]int{},
	}
}

// Simulator is Dataverse.
type Simulator struct {
	*base.Base
	settings Settings
	handler  http.Handler
	running  atomic.Int64

	// The rest is guarded by Base.Mu.
	environments map[string]*environment
	tokens       *base.Table[token]
	spent        map[string]*spending
	hooks        []hook
}

var _ base.Simulator = (*Simulator)(nil)

// New opens the simulator with its state in dir; "" keeps it in memory.
func New(dir string) (base.Simulator, error) {
	store, err := base.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		Base: &base.Base{Store: store}, settings: defaults(),
		environments: map[string]*environment{}, spent: map[string]*spending{},
	}
	s.Base.Settings = &s.settings
	s.Base.Held = s.held
	s.Subject, s.Merge = subject(), s.mergeByHand
	s.Faults.Presets = presets()
	s.Faults.Dos = []string{doLosePart, doSwapParts, doThrottlePart, doCutParts, doLineFeeds, doEditFirst}
	if s.tokens, err = base.OpenTable[token](store, "tokens"); err != nil {
		return nil, err
	}
	for _, name := range environmentNames() {
		if s.environments[name], err = openEnvironment(s, name); err != nil {
			return nil, err
		}
	}
	s.handler = s.Serve(s.routes())
	return s, nil
}

// routes are the paths of the CRM's port. The Web API's own paths are resolved
// in api.go, since parts of a $batch take the same way.
func (s *Simulator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", s.serveToken)
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", s.serveAuthorize)
	mux.HandleFunc("GET /api/discovery/v2.0/{rest...}", s.serveDiscovery)
	for _, prefix := range []string{"", "/{org}"} {
		api := prefix + "/api/data/{version}/"
		mux.HandleFunc(api+"{rest...}", s.serveAPI)
		// Named for the counters only.
		for _, name := range []string{"$batch", "contacts", "accounts", "WhoAmI", "sdkmessagefilters"} {
			mux.HandleFunc(api+name, s.serveAPI)
		}
	}
	return mux
}

// ServeHTTP is the CRM's port.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.running.Add(1)
	defer s.running.Add(-1)
	s.handler.ServeHTTP(w, r)
	s.deliver(r.Context())
}

// Admin answers the paths below /_sim/dynamics/.
func (s *Simulator) Admin() http.Handler {
	return s.AdminMux(map[string]http.HandlerFunc{
		"GET /records/{env}/{table}": s.adminRecords,
		"POST /edit/{env}/{table}":   s.adminEdit,
		"POST /merge/{env}/{table}":  s.adminMerge,
		"POST /reset":                s.adminReset,
	})
}

// held counts what the environments hold.
func (s *Simulator) held(c *base.Counts) {
	for _, e := range s.environments {
		for name := range e.tables {
			if name == "systemuser" || name == "activityparty" || name == "activitypointer" {
				continue
			}
			c.Held[name] += e.rows[name].Len()
			seen := map[string]int{}
			for _, k := range e.columns.All() {
				if k.Table != name || k.Column.Type != "String" {
					continue
				}
				for _, r := range e.rows[name].All() {
					if v := r.text(k.Column.Name); v != "" {
						seen[v]++
					}
				}
			}
			for _, n := range seen {
				if n > 1 {
					c.Duplicates[name] += n - 1
				}
			}
		}
	}
	for name, n := range c.Counts {
		if kind, ok := strings.CutPrefix(name, "created "); ok {
			c.Created[kind] = n
		}
	}
}

// presets are answers that a fault may name (§2.5, §7.1, §1.2).
func presets() map[string]base.Reply {
	body := func(code, message string) string {
		return `{"error":{"code":"` + code + `","message":"` + message + `"}}`
	}
	later := map[string]string{"Retry-After": "7"}
	return map[string]base.Reply{
		"throttled_requests": {Status: 429, Header: later, Body: body("0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds.")},
		"throttled_time": {Status: 429, Header: later, Body: body("0x80072321",
			"Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time window of 300 seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.")},
		"throttled_concurrency": {Status: 429, Body: body("0x80072326", "Number of concurrent requests exceeded the limit of 52.")},
		"deadlock":              {Status: 500, Body: body("0x80044150", "Generic SQL error. Sql Number: 1205")},
		"sql_timeout":           {Status: 500, Body: body("0x80044151", "SQL timeout expired.")},
		"sandbox_gone":          {Status: 503, Body: body("0x8004418d", "The plug-in execution failed because no Sandbox Worker processes are currently available. Please try again.")},
		"bad_gateway":           {Status: 502, Body: "<html><body><h1>502 Bad Gateway</h1></body></html>"},
		"unavailable":           {Status: 503, Body: "<html><body><h1>Service Unavailable</h1></body></html>"},
		"other_shape":           {Status: 400, Body: `{"Message":"An error has occurred.","ExceptionMessage":"boom","ErrorCode":"0x80040216"}`},
		"unauthorized":          {Status: 401},
		"redirect":              {Status: 302, Header: map[string]string{"Location": "https://org-a.api.example/api/data/v9.2/"}},
		"token_throttled":       {Status: 429, Header: later, Body: `{"error":"temporarily_unavailable","error_description":"AADSTS90055: The tenant is throttled."}`},
	}
}

func (s *Simulator) denied(privilege string) bool {
	return slices.ContainsFunc(s.settings.DeniedPrivileges, func(p string) bool { return strings.EqualFold(p, privilege) })
}
