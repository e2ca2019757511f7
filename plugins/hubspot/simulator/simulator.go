package simulator

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// DefaultPortal is the account of tokens that name none.
const DefaultPortal = 4711001

// appID is the app that every token of the simulator belongs to.
const appID = "55501"

// Settings are the switches of the simulator, changed on its admin path.
type Settings struct {
	// SearchLagMillis is how long a write takes to reach search (0 to 300,000).
	SearchLagMillis int `json:"search_lag_ms"`
	// BurstLimit and OAuthBurstLimit are requests per rolling 10 s, SearchLimit
	// searches per second, DailyLimit requests per day of the portal's zone.
	BurstLimit      int `json:"burst_limit"`
	OAuthBurstLimit int `json:"oauth_burst_limit"`
	SearchLimit     int `json:"search_limit"`
	DailyLimit      int `json:"daily_limit"`
	// UniqueActivities allows unique properties on activity objects, which is not
	// confirmed for every tier.
	UniqueActivities bool `json:"unique_activities"`
	// StrictEmailUpsert refuses an upsert by email that leaves email out of its
	// properties.
	StrictEmailUpsert bool `json:"strict_email_upsert"`
	// PreservePrimaryID lets a merge keep the primary's id.
	PreservePrimaryID bool `json:"preserve_primary_id"`
	// RequiredProperties are required on every write of a contact in 2026-09.
	RequiredProperties []string `json:"required_properties"`
	// ReadOnlyProperties are contact properties that have become read-only.
	ReadOnlyProperties []string `json:"read_only_properties"`
	// WithdrawnScopes are refused as if the admin had taken them back.
	WithdrawnScopes []string `json:"withdrawn_scopes"`
	// Uninstalled refuses every token; ExpireTokens makes them expired.
	Uninstalled  bool `json:"uninstalled"`
	ExpireTokens bool `json:"expire_tokens"`
	// TokenSeconds is the life of an OAuth token; RotateRefreshTokens makes each
	// refresh answer a new refresh token and kill the old.
	TokenSeconds        int  `json:"token_seconds"`
	RotateRefreshTokens bool `json:"rotate_refresh_tokens"`
	// TimeZone and AccountType describe the portals.
	TimeZone    string `json:"time_zone"`
	AccountType string `json:"account_type"`
}

// Simulator is HubSpot.
type Simulator struct {
	*base.Base
	settings Settings
	handler  http.Handler

	// The rest is guarded by Base.Mu.
	records       *base.Table[record]
	links         *base.Table[link]
	properties    *base.Table[property]
	groups        *base.Table[group]
	tokens        *base.Table[token]
	blocked       *base.Table[bool]
	numbers       *base.Table[int]
	subscriptions *base.Table[subscription]
	imports       *base.Table[importRun]
	index         *index
	catalogue     catalogue
	limits        map[int64]*usage
	events        []event
}

var _ base.Simulator = (*Simulator)(nil)

// New opens the simulator with its state in dir; "" keeps it in memory.
func New(dir string) (base.Simulator, error) {
	store, err := base.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		Base: &base.Base{Store: store},
		settings: Settings{
			SearchLagMillis: 2000, BurstLimit: 190, OAuthBurstLimit: 110, SearchLimit: 5, DailyLimit: 625_000,
			UniqueActivities: true, TokenSeconds: 1800, TimeZone: "Europe/Amsterdam", AccountType: "STANDARD",
		},
		index: newIndex(), catalogue: newCatalogue(), limits: map[int64]*usage{},
	}
	s.Settings = &s.settings
	s.Held = s.count
	s.Subject, s.Merge = subject(), s.mergeByHand
	s.Faults.Presets = presets()
	s.Faults.Dos = []string{doEmpty, doShort, doShuffle, doErrorsAs200, doStale, doConflictOnce, doWithdrawAssociation}
	if err := s.openTables(); err != nil {
		return nil, err
	}
	s.handler = &observer{
		next: s.Serve(s.routes()), add: s.Counters.Add, now: s.Clock.Now,
		paused: map[string]time.Time{}, failed: map[[sha256.Size]byte]bool{},
	}
	return s, nil
}

func (s *Simulator) openTables() (err error) {
	if s.records, err = base.OpenTable[record](s.Store, "records"); err != nil {
		return err
	}
	if s.links, err = base.OpenTable[link](s.Store, "associations"); err != nil {
		return err
	}
	if s.properties, err = base.OpenTable[property](s.Store, "properties"); err != nil {
		return err
	}
	if s.groups, err = base.OpenTable[group](s.Store, "groups"); err != nil {
		return err
	}
	if s.tokens, err = base.OpenTable[token](s.Store, "tokens"); err != nil {
		return err
	}
	if s.blocked, err = base.OpenTable[bool](s.Store, "gdpr_blocked"); err != nil {
		return err
	}
	if s.numbers, err = base.OpenTable[int](s.Store, "numbers"); err != nil {
		return err
	}
	if s.subscriptions, err = base.OpenTable[subscription](s.Store, "subscriptions"); err != nil {
		return err
	}
	if s.imports, err = base.OpenTable[importRun](s.Store, "imports"); err != nil {
		return err
	}
	for _, r := range s.records.All() {
		s.index.add(r)
	}
	for _, l := range s.links.All() {
		s.index.link(l)
	}
	return nil
}

// ServeHTTP answers on the CRM's port. A slash at the end of a path means
// nothing, and HubSpot's own client sends some.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path, found := strings.CutSuffix(r.URL.Path, "/"); found && path != "" {
		r.URL.Path, r.URL.RawPath = path, strings.TrimSuffix(r.URL.RawPath, "/")
	}
	s.handler.ServeHTTP(w, r)
}

// Admin answers the admin paths.
func (s *Simulator) Admin() http.Handler {
	return s.AdminMux(map[string]http.HandlerFunc{
		"GET /records/{type}":         s.adminRecords,
		"DELETE /state":               s.adminReset,
		"POST /webhooks/deliver":      s.adminDeliver,
		"POST /records/{type}":        s.adminCreate,
		"PATCH /records/{type}/{id}":  s.adminEdit,
		"DELETE /records/{type}/{id}": s.adminArchive,
	})
}
