package simulator

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// row is one record. A row in the store is never changed in place.
type row struct {
	ID      string            `json:"id"`
	Version int64             `json:"v"`
	Values  map[string]any    `json:"f"`
	Refs    map[string]target `json:"r,omitempty"`
}

// target is what a lookup points to.
type target struct {
	Table string `json:"t"`
	ID    string `json:"i"`
}

func (r row) clone() row {
	r.Values, r.Refs = maps.Clone(r.Values), maps.Clone(r.Refs)
	if r.Refs == nil {
		r.Refs = map[string]target{}
	}
	return r
}

func (r row) number(column string) int {
	n, _ := r.Values[column].(float64)
	return int(n)
}

func (r row) text(column string) string {
	s, _ := r.Values[column].(string)
	return s
}

// tombstone remembers a deletion for the delta feed.
type tombstone struct {
	Version int64     `json:"v"`
	At      time.Time `json:"at"`
}

// environment is one Dataverse database.
type environment struct {
	name   string
	sim    *Simulator
	tables map[string]*table // by logical name, with this environment's columns

	rows    map[string]*base.Table[row]
	gone    map[string]*base.Table[tombstone]
	keys    *base.Table[alternateKey] // by table and logical name
	index   *base.Table[string]       // key values to row ids
	columns *base.Table[customColumn]
	numbers *base.Table[int64]
	jobs    *base.Table[job]
}

// customColumn is a column that a customization made.
type customColumn struct {
	Table   string    `json:"table"`
	Column  column    `json:"column"`
	Created time.Time `json:"created"`
}

func openEnvironment(s *Simulator, name string) (*environment, error) {
	e := &environment{name: name, sim: s, tables: schema(), rows: map[string]*base.Table[row]{}, gone: map[string]*base.Table[tombstone]{}}
	var err error
	for t := range e.tables {
		if e.rows[t], err = base.OpenTable[row](s.Store, name+"/"+t); err != nil {
			return nil, err
		}
		if e.gone[t], err = base.OpenTable[tombstone](s.Store, name+"/"+t+".gone"); err != nil {
			return nil, err
		}
	}
	if e.keys, err = base.OpenTable[alternateKey](s.Store, name+".keys"); err != nil {
		return nil, err
	}
	if e.index, err = base.OpenTable[string](s.Store, name+".index"); err != nil {
		return nil, err
	}
	if e.columns, err = base.OpenTable[customColumn](s.Store, name+".columns"); err != nil {
		return nil, err
	}
	if e.numbers, err = base.OpenTable[int64](s.Store, name+".numbers"); err != nil {
		return nil, err
	}
	if e.jobs, err = base.OpenTable[job](s.Store, name+".jobs"); err != nil {
		return nil, err
	}
	for _, c := range e.columns.All() {
		e.tables[c.Table].add(c.Column)
	}
	e.seedUser()
	return e, s.Store.Commit()
}

// seedUser makes the application user of this environment.
func (e *environment) seedUser() {
	id := e.id("systemuser")
	if _, known := e.rows["systemuser"].Get(id); known {
		return
	}
	e.rows["systemuser"].Put(id, row{ID: id, Version: e.nextVersion(), Values: map[string]any{
		"fullname": "# Clientele application", "domainname": "clientele@" + e.name, "applicationid": ClientID, "systemuserid": id,
	}})
}

// id is a fixed id of this environment, such as its organization's.
func (e *environment) id(what string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("dataverse:"+e.name+":"+what)).String()
}

// organization is the environment's id; restoring or copying changes it (§1.7).
func (e *environment) organization() string {
	if id, ok := e.sim.settings.OrganizationIDs[e.name]; ok {
		return id
	}
	return e.id("organization")
}

// version is the environment's growing counter.
func (e *environment) version() int64 {
	n, ok := e.numbers.Get("rowversion")
	if !ok {
		return 1000
	}
	return n
}

func (e *environment) nextVersion() int64 {
	n := e.version() + 1
	e.numbers.Put("rowversion", n)
	return n
}

// setOf finds a table by its entity set name.
func (e *environment) setOf(set string) (*table, bool) {
	for _, t := range e.tables {
		if t.Set == set {
			return t, true
		}
	}
	return nil, false
}

// get reads a row; activitypointer is a view of all activities.
func (e *environment) get(t *table, id string) (row, bool) {
	if t.Name != "activitypointer" {
		return e.rows[t.Name].Get(id)
	}
	for _, a := range e.activities() {
		if r, ok := e.rows[a.Name].Get(id); ok {
			return r, true
		}
	}
	return row{}, false
}

// all yields the rows of a table.
func (e *environment) all(t *table) iter.Seq2[string, row] {
	if t.Name != "activitypointer" {
		return e.rows[t.Name].All()
	}
	return func(yield func(string, row) bool) {
		for _, a := range e.activities() {
			for id, r := range e.rows[a.Name].All() {
				if !yield(id, r) {
					return
				}
			}
		}
	}
}

// activities are the concrete activity tables, in order.
func (e *environment) activities() []*table {
	var out []*table
	for _, t := range e.tables {
		if t.Activity && !t.Virtual {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *table) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// put writes a row with a new version and keeps the key index. It fails when an
// alternate key is taken.
func (e *environment) put(t *table, r row) (row, *failure) {
	old, had := e.rows[t.Name].Get(r.ID)
	for _, k := range e.keys.All() {
		if k.Table != t.Name || k.status(e.sim) == keyFailed {
			continue
		}
		next, set := k.value(r)
		if had {
			if before, was := k.value(old); was && (!set || before != next) {
				e.index.Delete(before)
			}
		}
		if !set {
			continue
		}
		if owner, taken := e.index.Get(next); taken && owner != r.ID {
			return r, k.violated(r, e.tables[t.Name])
		}
		e.index.Put(next, r.ID)
	}
	r.Version = e.nextVersion()
	e.rows[t.Name].Put(r.ID, r)
	return r, nil
}

// remove deletes a row with its index entries and remembers it for the feed.
func (e *environment) remove(t *table, r row, now time.Time) {
	for _, k := range e.keys.All() {
		if v, set := k.value(r); set && k.Table == t.Name {
			if owner, ok := e.index.Get(v); ok && owner == r.ID {
				e.index.Delete(v)
			}
		}
	}
	e.rows[t.Name].Delete(r.ID)
	e.gone[t.Name].Put(r.ID, tombstone{Version: e.nextVersion(), At: now})
}

// byKey finds a row by the columns of an alternate key.
func (e *environment) byKey(t *table, values map[string]string) (row, bool, *failure) {
	for _, k := range e.keys.All() {
		if k.Table != t.Name || len(k.Columns) != len(values) {
			continue
		}
		wanted := row{Values: map[string]any{}}
		fits := true
		for _, c := range k.Columns {
			v, ok := values[c]
			fits = fits && ok
			wanted.Values[c] = v
		}
		if !fits || k.status(e.sim) != keyActive {
			continue
		}
		v, _ := k.value(wanted)
		id, ok := e.index.Get(v)
		if !ok {
			return row{}, false, nil
		}
		r, ok := e.rows[t.Name].Get(id)
		return r, ok, nil
	}
	return row{}, false, fail(400, "",
		"The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.%s'. Ensure that the names and number of key properties match the declared or alternate key properties.", t.Name)
}

// newID is an id for a row that its writer gave none: growing, as the server's
// are (§4.2).
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// stamp is a time as Dataverse stores it: UTC with seconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// alternateKey is a unique key over columns (§4.4).
type alternateKey struct {
	Table   string    `json:"table"`
	Name    string    `json:"name"`
	Schema  string    `json:"schema"`
	Label   string    `json:"label"`
	Columns []string  `json:"columns"`
	Created time.Time `json:"created"`
	Failed  bool      `json:"failed"`
	ID      string    `json:"id"`
}

const (
	keyPending    = "Pending"
	keyInProgress = "InProgress"
	keyActive     = "Active"
	keyFailed     = "Failed"
)

// status follows the simulator's clock: the index is built in the background.
func (k alternateKey) status(s *Simulator) string {
	delay := s.settings.keyIndexDelay()
	switch age := s.Clock.Now().Sub(k.Created); {
	case k.Failed:
		return keyFailed
	case age < delay/2:
		return keyPending
	case age < delay:
		return keyInProgress
	default:
		return keyActive
	}
}

// value is the index entry of a row, if all columns are set.
func (k alternateKey) value(r row) (string, bool) {
	parts := []string{k.Table, k.Name}
	for _, c := range k.Columns {
		v, ok := r.Values[c]
		if !ok || v == nil {
			return "", false
		}
		parts = append(parts, strings.ToLower(fmt.Sprint(v)))
	}
	return strings.Join(parts, "\x00"), true
}

func (k alternateKey) violated(r row, t *table) *failure {
	var labels, xml []string
	for _, name := range k.Columns {
		c, _ := t.column(name)
		labels = append(labels, labelOf(c))
		xml = append(xml, fmt.Sprintf("<%s>%v</%s>", name, r.Values[name], name))
	}
	f := fail(412, "0x80060892",
		"Entity Key %s violated. A record with the same value for %s already exists. A duplicate record cannot be created. Select one or more unique values and try again.",
		k.Label, strings.Join(labels, ","))
	f.Annotations = map[string]string{
		"@Microsoft.PowerApps.CDS.ErrorDetails.DuplicateAttributes": "<DuplicateAttributes>" + strings.Join(xml, "") + "</DuplicateAttributes>",
		// The id is the row being written, not the one in the way (quirk 29).
		"@Microsoft.PowerApps.CDS.ErrorDetails.DuplicateEntity": "<DuplicateEntity><" + t.Name + " id=\"" + r.ID + "\"/></DuplicateEntity>",
	}
	return f
}
