package simulator

import (
	"crypto/rsa"
	"net/http"
	"strings"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// Settings are the switches of the org, changed on its admin path.
type Settings struct {
	// DailyLimit is the allowance of API requests; LimitInfo says how
	// Sforce-Limit-Info is sent: normal, app (with the per-app part), absent,
	// garbled.
	DailyLimit int    `json:"daily_limit"`
	LimitInfo  string `json:"limit_info"`
	// SessionSeconds is the life of an access token, RotateRefreshTokens makes
	// each refresh answer a new refresh token and end the old session.
	SessionSeconds      int  `json:"session_seconds"`
	RotateRefreshTokens bool `json:"rotate_refresh_tokens"`
	// InstanceURL is told in token answers instead of the address called.
	InstanceURL string `json:"instance_url"`
	// Consent shows a page with Allow and Deny at authorize; otherwise it is as
	// if the user had allowed. AppBlocked refuses the app there.
	Consent    bool `json:"consent"`
	AppBlocked bool `json:"app_blocked"`
	// UserInactive refuses all tokens; NoRunAsUser and SharedLoginHost refuse
	// client credentials.
	UserInactive    bool `json:"user_inactive"`
	NoRunAsUser     bool `json:"no_run_as_user"`
	SharedLoginHost bool `json:"shared_login_host"`
	// NewestVersion is the highest API version on offer, such as 67.
	NewestVersion int `json:"newest_version"`
	// QueryPage is the most rows of a query page (salesforce.md allows up to
	// 2,000); lower numbers make short pages.
	QueryPage int `json:"query_page"`
	// HiddenFields are taken from the user by field-level security, such as
	// "Contact.Birthdate"; ReadOnlyFields may be read alone.
	HiddenFields   []string `json:"hidden_fields"`
	ReadOnlyFields []string `json:"read_only_fields"`
	// CustomizeApplication lets the user make fields and permission sets.
	CustomizeApplication bool `json:"customize_application"`
	// NoCreate are objects on which the user has no Create right.
	NoCreate []string `json:"no_create"`
	// StateCountry switches the state and country picklists on.
	StateCountry bool `json:"state_country"`
	// PersonAccounts switches person accounts on.
	PersonAccounts bool `json:"person_accounts"`
	// DuplicateRule is off, alert or block: contacts and leads with the same
	// email and last name are duplicates. CorrectSpelling writes duplicateResult
	// as it should be spelled.
	DuplicateRule   string `json:"duplicate_rule"`
	CorrectSpelling bool   `json:"correct_spelling"`
	// ContactNeedsChannel is a validation rule: a contact needs phone or email.
	ContactNeedsChannel bool `json:"contact_needs_channel"`
	// RejectRows refuses rows by a value, with any code.
	RejectRows []Rejection `json:"reject_rows"`
	// TouchPeople makes the write of a task move its person's SystemModstamp.
	TouchPeople bool `json:"touch_people"`
	// AttributesFirst demands that attributes come first in every record.
	AttributesFirst bool `json:"attributes_first"`
	// WrongTypeFailsCall refuses a whole collection for one value of a wrong type;
	// which of the two Salesforce does is not confirmed.
	WrongTypeFailsCall bool `json:"wrong_type_fails_call"`
	// StorageFull refuses every create.
	StorageFull bool `json:"storage_full"`
}

// Rejection refuses the rows whose field has a value.
type Rejection struct {
	Field   string `json:"field"`
	Value   string `json:"value"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// Times bounds how often it refuses; 0 means always.
	Times int `json:"times"`
}

func defaultSettings() Settings {
	return Settings{
		DailyLimit: 100_000, LimitInfo: "normal", SessionSeconds: 7200, NewestVersion: 67, QueryPage: 2000,
		CustomizeApplication: true, DuplicateRule: "off", TouchPeople: true,
	}
}

// Simulator is one Salesforce org.
type Simulator struct {
	*base.Base
	settings Settings
	handler  http.Handler
	mux      *http.ServeMux

	// The rest is guarded by Base.Mu.
	objects  map[string]object
	records  map[string]*base.Table[record]
	index    map[string]map[string][]string // field and folded value -> ids, see records.go
	custom   *base.Table[customField]
	sessions *base.Table[session]
	refresh  *base.Table[session]
	codes    *base.Table[grant]
	numbers  *base.Table[int]
	jobs     *base.Table[job]
	keys     *base.Table[string]
	jwtKey   *rsa.PublicKey
	cursors  map[string]*cursor
	// described is what was last answered of each object's description.
	described map[string]description
	usage     int
	requests  int
	rejected  map[int]int // hits by index of RejectRows
}

var _ base.Simulator = (*Simulator)(nil)

// New opens the org with its state in dir; "" keeps it in memory.
func New(dir string) (base.Simulator, error) {
	store, err := base.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		Base: &base.Base{Store: store}, settings: defaultSettings(),
		records: map[string]*base.Table[record]{}, index: map[string]map[string][]string{},
		cursors: map[string]*cursor{}, described: map[string]description{}, rejected: map[int]int{},
	}
	s.Settings = &s.settings
	s.Held = s.held
	s.Subject, s.Merge = subject(), s.mergeByHand
	s.Faults.Presets = presets()
	s.Faults.Dos = []string{doLockRows, doLockInTrigger, doGzipLabel, doGzipCut, doHTML}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.mux = s.routes()
	s.handler = s.Serve(s.mux)
	return s, nil
}

func (s *Simulator) open() (err error) {
	if s.objects, err = readSchema(); err != nil {
		return err
	}
	for name := range s.objects {
		if s.records[name], err = base.OpenTable[record](s.Store, "object "+name); err != nil {
			return err
		}
	}
	if s.custom, err = base.OpenTable[customField](s.Store, "custom fields"); err != nil {
		return err
	}
	if s.sessions, err = base.OpenTable[session](s.Store, "sessions"); err != nil {
		return err
	}
	if s.refresh, err = base.OpenTable[session](s.Store, "refresh tokens"); err != nil {
		return err
	}
	if s.codes, err = base.OpenTable[grant](s.Store, "authorization codes"); err != nil {
		return err
	}
	if s.numbers, err = base.OpenTable[int](s.Store, "numbers"); err != nil {
		return err
	}
	if s.jobs, err = base.OpenTable[job](s.Store, "jobs"); err != nil {
		return err
	}
	if s.keys, err = base.OpenTable[string](s.Store, "keys"); err != nil {
		return err
	}
	if pem, ok := s.keys.Get("jwt"); ok {
		if s.jwtKey, err = readKey([]byte(pem)); err != nil {
			return err
		}
	}
	s.addCustomFields()
	for name, table := range s.records {
		for id, r := range table.All() {
			s.indexRecord(s.objects[name], id, r)
		}
	}
	s.seed()
	return s.Store.Commit()
}

// uriMax is the longest request line with its headers (salesforce.md §6.1).
const uriMax = 16_384

// ServeHTTP answers the org's port. A trailing slash and _HttpMethod are
// tolerated as Salesforce does (salesforce.md §2.2, §5.3).
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.RequestURI) > uriMax {
		w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	if len(r.URL.Path) > 1 && strings.HasSuffix(r.URL.Path, "/") {
		r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
		r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
	}
	if method := r.URL.Query().Get("_HttpMethod"); method != "" && r.Method == http.MethodPost {
		r.Method = method
	}
	s.handler.ServeHTTP(w, r)
}

// held fills in what the org holds: records by object, and how many of them
// share a key with another.
func (s *Simulator) held(c *base.Counts) {
	for name, table := range s.records {
		live, doubled := census(table, keysOf(s.objects[name]))
		if live > 0 {
			c.Held[name] = live
		}
		if doubled > 0 {
			c.Duplicates[name] = doubled
		}
		if n, ok := c.Counts["created "+name]; ok {
			c.Created[name] = n
			delete(c.Counts, "created "+name)
		}
	}
}

// keysOf are the fields that tell records apart: external ids, and what tasks use
// where they have none.
func keysOf(o object) []field {
	var keys []field
	for _, f := range o.fields {
		if f.externalID || o.name == "Task" && f.name == "CallObject" {
			keys = append(keys, f)
		}
	}
	return keys
}

// census counts the live records, and those whose key another has.
func census(table *base.Table[record], keys []field) (live, doubled int) {
	seen := map[string]bool{}
	for _, r := range table.All() {
		if r.deleted() {
			continue
		}
		live++
		for _, f := range keys {
			value := r.text(f.name)
			if mark := f.name + "=" + fold(f, value); value != "" {
				if seen[mark] {
					doubled++
				}
				seen[mark] = true
			}
		}
	}
	return live, doubled
}
