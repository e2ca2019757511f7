package sdk

// Record is a CRM record as it was read.
type Record struct {
	// Object is the CRM's name of the object the record is of.
	Object string
	ID     string
	// ExternalKey is the value of Clientele's key field, or empty.
	ExternalKey string
	// Version is whatever the CRM offers to detect a later change, or empty.
	Version string
	// UpdatedAt in RFC 3339 UTC, or empty.
	UpdatedAt string
	Fields    map[string]Value
}

// Object is a kind of CRM record that the adapter can write.
type Object struct {
	// Name is the CRM's name ("contacts", "Contact"); Label is for people.
	Name, Label string
	// Role says which Clientele thing it holds: client, company or activity.
	Role string
	// ExternalKeyField is the CRM field that holds Clientele's id.
	ExternalKeyField string
}

// The roles of an object.
const (
	RoleClient   = "client"
	RoleCompany  = "company"
	RoleActivity = "activity"
)

// Tri is yes, no or not known.
type Tri string

// The values of Tri.
const (
	Unknown Tri = ""
	Yes     Tri = "yes"
	No      Tri = "no"
)

// Field is one live field of an object.
type Field struct {
	Name, Label string
	// Type is the CRM's own type name; Kind is what to write into it.
	Type string
	Kind ValueKind
	// MaxLength in characters; 0 means the CRM states none.
	MaxLength                 int
	Required, Unique, Custom  bool
	ExternalID                bool
	Createable, Updateable    Tri
	Picklist                  []PickValue
	PicklistRestricted        bool
	References                []string
	DefaultedOnCreate, IsDate bool
}

// PickValue is one choice of a picklist.
type PickValue struct {
	Value, Label string
	Active       bool
}
