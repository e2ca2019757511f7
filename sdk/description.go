package sdk

// Protocol is the version of the contract: the major stands in the protobuf
// package name, minor growth is announced by Description.Capabilities.
const Protocol = 1

// Description is what an adapter says about itself.
type Description struct {
	// Name is the adapter's short name ("hubspot"); it is used in config.
	Name, Label, Version string
	Protocol             int
	Objects              []Object
	// Capabilities are words for what may differ: see the Cap constants.
	Capabilities []string
	Batch        BatchLimits
	// UniformFields: every item of a Write must name the same fields.
	UniformFields bool
	Auth          []AuthMethod
	// SettingsSchema is a JSON Schema (draft 2020-12) object; a property with
	// "x-secret": true is stored encrypted and passed in Token.Extras.
	SettingsSchema []byte
	// DefaultMapping is what an admin starts from.
	DefaultMapping []MappingRow
	// Simulator is the name the CRM simulator serves this CRM under, or empty.
	Simulator string
}

// The capabilities of protocol 1.
const (
	CapInstall       = "install"
	CapFind          = "find"
	CapActivities    = "activities"
	CapDelete        = "delete"
	CapChanges       = "changes"
	CapPlan          = "plan"
	CapEcho          = "echo"
	CapVersionChecks = "version_checks"
)

// BatchLimits bounds Write and LogActivities, in items per call.
type BatchLimits struct{ Min, Start, Max int }

// AuthMethod is one way to get an access token; the host runs it.
type AuthMethod struct {
	// Kind is static_token, client_credentials, authorization_code or jwt_bearer.
	Kind  string
	Label string
	// AuthorizeURL and TokenURL may hold {setting} placeholders.
	AuthorizeURL, TokenURL string
	Scopes                 []string
	PKCE                   bool
	// KeepExtras names the members of the token reply that every call needs.
	KeepExtras []string
	// TokenHosts pins where tokens may be sent.
	TokenHosts []string
	// ReauthErrors are words of the token endpoint that mean: ask the admin.
	ReauthErrors []string
}

// The kinds of AuthMethod.
const (
	AuthStaticToken       = "static_token"
	AuthClientCredentials = "client_credentials"
	AuthAuthorizationCode = "authorization_code"
	AuthJWTBearer         = "jwt_bearer"
)

// MappingRow fills one CRM field from a CEL expression over `client`, the
// client's fields by their catalogue names (design.md §7).
type MappingRow struct {
	Object string
	// Field is the CRM field; Expr the expression ("client.first_name").
	Field, Expr string
	// Blank says what an empty result does: "ignore" (leave alone) or "clear".
	Blank string
	// MaxLength truncates, noted in the outcome; 0 means not.
	MaxLength int
}
