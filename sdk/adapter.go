package sdk

import "context"

// Adapter is the contract between the host and one CRM's translator
// (requirements R202, design.md §4).
//
// Call order: Describe is called once after start and whenever the host
// reloads. All other calls are independent of each other and may overlap, also
// for the same connection; an adapter keeps nothing between them except caches
// it can lose. The context carries the host's deadline: when it is done, return
// at once; a write whose fate is then unknown is reported as
// [ClassUnknownOutcome].
//
// An adapter never retries, splits or waits out a limit by itself. It
// classifies what happened and the host decides.
//
// Returned errors: an error that concerns the call as a whole (expired token,
// quota, unreachable CRM) is returned as *[Error] and then stands for every item
// of the call. Anything about one record is that record's [Outcome]. When a call
// needs several requests and a later one fails, what was done keeps its outcomes
// and the rest fails item by item with that error.
type Adapter interface {
	// Describe says what the adapter is and can. It makes no network call.
	Describe(ctx context.Context) (Description, error)
	// Check asks the CRM whether the connection is good.
	Check(ctx context.Context, req CheckRequest) (CheckReply, error)
	// Install creates what Clientele needs in the CRM (the external-key field).
	// It is idempotent; the host calls again until no step is pending.
	Install(ctx context.Context, req InstallRequest) (InstallReply, error)
	// DescribeObject reads the live fields of one CRM object, custom ones too.
	DescribeObject(ctx context.Context, req DescribeObjectRequest) (DescribeObjectReply, error)
	// Find looks records or activities up, without changing anything.
	Find(ctx context.Context, req FindRequest) (FindReply, error)
	// Write creates or updates a batch of records, one outcome per item id.
	Write(ctx context.Context, req WriteRequest) (WriteReply, error)
	// LogActivities creates or updates conversation summaries as the CRM's own
	// kind of activity, keyed by ExternalKey so that a replay never doubles: after
	// a lost reply the host calls it again.
	LogActivities(ctx context.Context, req LogActivitiesRequest) (WriteReply, error)
	// Delete archives or deletes records by CRM id; a record that is gone
	// afterwards is Updated, whoever removed it.
	Delete(ctx context.Context, req DeleteRequest) (WriteReply, error)
	// Changes answers one page of what changed in the CRM since a cursor.
	Changes(ctx context.Context, req ChangesRequest) (ChangesReply, error)
	// Plan says what Write would send, and sends nothing that changes the CRM.
	Plan(ctx context.Context, req WriteRequest) (PlanReply, error)
}

// Connection is what every call but Describe carries: which account, with which
// settings, and the access token of this moment. Refresh tokens never reach an
// adapter.
type Connection struct {
	// ID is the host's id of the connection; stable, usable in derived ids.
	ID string
	// Settings is the JSON object the admin filled in, valid against
	// Description.SettingsSchema.
	Settings []byte
	Token    Token
}

// Token authorises one call. It must never be logged or stored.
type Token struct {
	AccessToken string
	// Extras are the other members of the token reply that Description.Auth
	// asked for (such as instance_url), or secrets of a static credential.
	Extras map[string]string
}

// Usage is what a call cost and what the CRM said about its limits.
type Usage struct {
	// Calls spent, by the buckets the CRM counts in.
	Calls []BucketCalls
	// Quotas seen in response headers or bodies during this call.
	Quotas []Quota
}

// BucketCalls counts the requests that fell into one limit of the CRM.
type BucketCalls struct {
	Bucket string
	N      int
}

// Quota is one limit as the CRM reported it.
type Quota struct {
	Bucket string
	// Limit and Remaining are in calls; -1 means the CRM did not say.
	Limit, Remaining int64
	// ResetSeconds until the window starts again; -1 means the CRM did not say.
	ResetSeconds int64
}

// CheckRequest asks whether a connection is good.
type CheckRequest struct{ Connection Connection }

// CheckReply names the account behind the token and what is missing.
type CheckReply struct {
	Account, User, APIVersion string
	Sandbox                   bool
	// Missing lists rights the user lacks, each as the admin would look for it.
	Missing []string
	// ExternalKey tells, for each object of Description, whether the
	// external-key field is there.
	ExternalKey map[string]bool
	Usage       Usage
}

// InstallRequest asks for the external-key fields of the named objects; none
// named means all of Description.
type InstallRequest struct {
	Connection Connection
	Objects    []string
}

// InstallReply lists every step, done or not.
type InstallReply struct {
	Steps []InstallStep
	Usage Usage
}

// StepState says how far an install step is.
type StepState string

// The states of an install step.
const (
	StepDone    StepState = "done"
	StepPending StepState = "pending"
	StepManual  StepState = "manual"
)

// InstallStep is one thing that must be there.
type InstallStep struct {
	Name  string
	State StepState
	// Instructions tell the admin what to click when State is manual.
	Instructions string
}

// DescribeObjectRequest names the object by its CRM name.
type DescribeObjectRequest struct {
	Connection Connection
	Object     string
}

// DescribeObjectReply is the live schema of one object.
type DescribeObjectReply struct {
	Object Object
	Fields []Field
	Usage  Usage
}

// FindRequest looks up one object by any of the given keys. All keys of a
// request are answered in as few CRM calls as its limits allow.
type FindRequest struct {
	Connection Connection
	Object     string
	Keys       []FindKey
	// Fields to return beside the id; none means id and external key only.
	Fields []string
}

// FindBy says what a key is.
type FindBy string

// The kinds of key. Activities are found by external key and id only.
const (
	FindByExternalKey FindBy = "external_key"
	FindByID          FindBy = "id"
	FindByEmail       FindBy = "email"
	FindByPhone       FindBy = "phone"
)

// FindKey is one thing to look for. ItemID is echoed in each hit.
type FindKey struct {
	ItemID string
	By     FindBy
	// Value is an external key, a CRM id, a lower-case email address, or a phone
	// in E.164.
	Value string
}

// FindReply holds the hits; a key without a hit has none.
type FindReply struct {
	Hits  []Hit
	Usage Usage
}

// Hit is one record found for one key.
type Hit struct {
	ItemID string
	By     FindBy
	Record Record
}

// WriteRequest is a batch for one object. Its length is within
// Description.Batch; item ids are unique, external keys too.
type WriteRequest struct {
	Connection Connection
	Object     string
	Items      []WriteItem
}

// WriteMode says what may happen to an item.
type WriteMode string

// The write modes (design.md §4).
const (
	ModeUpsert WriteMode = "upsert"
	ModeCreate WriteMode = "create"
	ModeUpdate WriteMode = "update"
)

// WriteItem is one record to be written.
type WriteItem struct {
	// ItemID identifies the item within the call and is echoed in its outcome.
	ItemID string
	Mode   WriteMode
	// ExternalKey is Clientele's id of the source; always set.
	ExternalKey string
	// CRMID is set when the record is known; then it addresses the record and
	// ExternalKey is written onto it.
	CRMID string
	// Version is the CRM's version we last saw, or empty.
	Version string
	// Fields by CRM field name. A field that is not in the map is left alone.
	Fields map[string]Value
	// ContentionKey groups items that lock the same parent in the CRM, or empty.
	ContentionKey string
	// AssociateCRMID is the CRM id of the company or account, or empty.
	AssociateCRMID string
}

// WriteReply has exactly one outcome per item id of the request.
type WriteReply struct {
	Outcomes []Outcome
	Usage    Usage
}

// LogActivitiesRequest is a batch of conversation summaries, all of one kind.
type LogActivitiesRequest struct {
	Connection Connection
	Items      []Activity
}

// Activity is one conversation as the CRM should show it (R167).
type Activity struct {
	ItemID string
	// ExternalKey is the conversation's id, the stable key of the activity.
	ExternalKey string
	// CRMID is set when the activity is known; CRMObject is the Outcome.Object it
	// came with.
	CRMID, CRMObject string
	// Channel is email, sms, chat or voice; the adapter maps it to the CRM's kind.
	Channel string
	// Subject and Body are plain text; Body is at most 1,000 characters.
	Subject, Body string
	// Link leads back to the conversation in Clientele, or is empty.
	Link string
	// Direction of the conversation's first message: inbound or outbound.
	Direction string
	// StartedAt and EndedAt in RFC 3339 UTC.
	StartedAt, EndedAt string
	// ContactCRMIDs are the records the activity belongs to; the first is its owner.
	ContactCRMIDs []string
	// ContactObject is the CRM object those ids are of.
	ContactObject string
	// From and To are the addresses or numbers of the conversation, where known.
	From, To string
	// CallStatus is completed, missed or busy; only for voice.
	CallStatus string
}

// DeleteRequest removes records of one object by CRM id.
type DeleteRequest struct {
	Connection Connection
	Object     string
	Items      []DeleteItem
}

// DeleteItem is one record to archive or delete.
type DeleteItem struct{ ItemID, CRMID string }

// ChangesRequest asks for one page of changes of an object. An empty cursor
// starts now minus nothing: the adapter answers a cursor for the present.
type ChangesRequest struct {
	Connection Connection
	Object     string
	Cursor     string
	// Fields to return beside the id and the external key.
	Fields []string
	// Limit is the most records of a page; at least 1.
	Limit int
}

// ChangesReply is one page. Calling with Next goes on; More tells whether there
// is more to read now.
type ChangesReply struct {
	Changed  []Record
	Deleted  []string
	Remapped []Remap
	Next     string
	More     bool
	// Horizon is the RFC 3339 time up to which everything has been answered.
	Horizon string
	Usage   Usage
}

// Remap says that the CRM merged or converted a record into another.
type Remap struct {
	FromID, ToID string
	// ToObject is the object of ToID when it differs (a converted lead).
	ToObject string
}

// PlanReply is what Write would do.
type PlanReply struct {
	Requests []PlannedRequest
	Items    []PlannedItem
	Usage    Usage
}

// PlannedRequest is one HTTP request that Write would send, without secrets.
type PlannedRequest struct {
	Method, Path, Body, Bucket string
}

// PlannedItem is the change of one record, before and after by CRM field name.
type PlannedItem struct {
	ItemID, CRMID, Action string
	Before, After         map[string]Value
}
