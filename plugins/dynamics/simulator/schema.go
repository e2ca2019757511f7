package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// table is one kind of row.
type table struct {
	Name, Set, ID, Title string
	Code                 int
	Activity             bool
	// Virtual tables are views: they take no writes.
	Virtual bool
	Columns []column
	byName  map[string]int
	Lookups []lookup
	// Children are collection navigation properties: name to table and lookup.
	Children []child
	// Roles are the participationtypemask values that a writer may give.
	Roles []int
}

// column is one attribute.
type column struct {
	Name, Schema string
	// Type is the AttributeType of the metadata.
	Type      string
	MaxLength int
	// Create and Update tell whether a body may set it.
	Create, Update bool
	Required       string
	DateOnly       bool
	Options        []option
	Custom         bool
}

type option struct {
	Value int
	Label string
	// State is the statecode a statuscode belongs to.
	State int
}

// lookup is a reference to rows of other tables. Bind has the navigation
// property by target table; more than one name may lead to the same target.
type lookup struct {
	Column   string
	ReadOnly bool
	Binds    []bind
}

type bind struct{ Name, Target string }

type child struct{ Name, Table, Column string }

// property is the name a lookup's value is read by.
func (l lookup) property() string { return "_" + l.Column + "_value" }

func (t *table) column(name string) (column, bool) {
	i, ok := t.byName[name]
	if !ok {
		return column{}, false
	}
	return t.Columns[i], true
}

// lookupByProperty finds a lookup by _x_value.
func (t *table) lookupByProperty(property string) (lookup, bool) {
	for _, l := range t.Lookups {
		if l.property() == property {
			return l, true
		}
	}
	return lookup{}, false
}

// navigation finds a lookup by a navigation property, case and all (quirk 2).
func (t *table) navigation(name string) (lookup, string, bool) {
	for _, l := range t.Lookups {
		for _, b := range l.Binds {
			if b.Name == name {
				return l, b.Target, true
			}
		}
	}
	return lookup{}, "", false
}

func (t *table) add(c column) {
	t.byName[c.Name] = len(t.Columns)
	t.Columns = append(t.Columns, c)
}

func (t *table) remove(name string) {
	columns := slices.DeleteFunc(t.Columns, func(c column) bool { return c.Name == name })
	t.Columns, t.byName = nil, map[string]int{}
	for _, c := range columns {
		t.add(c)
	}
}

// parseTable reads a table's definition, one thing a line:
//
//	table contact contacts contactid fullname 2
//	LastName String 50 A            schema name, type, length, flags
//	GenderCode Picklist 1=Male,2=Female
//	lookup parentcustomerid parentcustomerid_account=account …
//	child Contact_Tasks task regardingobjectid
//	roles 1 2
//
// Flags: A, R and S are the required levels; r is read-only, c create only, u
// update only, d date only.
func parseTable(text string) (*table, error) {
	t := &table{byName: map[string]int{}}
	for n, raw := range strings.Split(strings.TrimSpace(text), "\n") {
		words := strings.Fields(raw)
		if len(words) == 0 {
			continue
		}
		if err := t.define(words); err != nil {
			return nil, fmt.Errorf("table definition line %d %q: %w", n+1, raw, err)
		}
	}
	return t, nil
}

func (t *table) define(words []string) error {
	switch words[0] {
	case "table":
		if len(words) < 6 {
			return fmt.Errorf("want name, set, id, title and code")
		}
		code, err := strconv.Atoi(words[5])
		if err != nil {
			return err
		}
		t.Name, t.Set, t.ID, t.Title, t.Code = words[1], words[2], words[3], words[4], code
		t.Activity = len(words) > 6 && words[6] == "activity"
		return nil
	case "lookup", "readonly":
		l := lookup{Column: words[1], ReadOnly: words[0] == "readonly"}
		for _, w := range words[2:] {
			name, target, _ := strings.Cut(w, "=")
			l.Binds = append(l.Binds, bind{Name: name, Target: target})
		}
		t.Lookups = append(t.Lookups, l)
		return nil
	case "child":
		t.Children = append(t.Children, child{Name: words[1], Table: words[2], Column: words[3]})
		return nil
	case "roles":
		for _, w := range words[1:] {
			role, err := strconv.Atoi(w)
			if err != nil {
				return err
			}
			t.Roles = append(t.Roles, role)
		}
		return nil
	}
	c, err := parseColumn(words)
	if err != nil {
		return err
	}
	t.add(c)
	return nil
}

func parseColumn(words []string) (column, error) {
	if len(words) < 2 {
		return column{}, fmt.Errorf("want a name and a type")
	}
	c := column{
		Name: strings.ToLower(words[0]), Schema: words[0], Type: words[1], Create: true, Update: true, Required: "None",
	}
	for _, w := range words[2:] {
		switch {
		case w == "A":
			c.Required = "ApplicationRequired"
		case w == "R":
			c.Required = "Recommended"
		case w == "S":
			c.Required = "SystemRequired"
		case w == "r":
			c.Create, c.Update = false, false
		case w == "c":
			c.Update = false
		case w == "u":
			c.Create = false
		case w == "d":
			c.DateOnly = true
		case strings.Contains(w, "="):
			for _, one := range strings.Split(w, ",") {
				o, err := parseOption(one)
				if err != nil {
					return c, err
				}
				c.Options = append(c.Options, o)
			}
		default:
			length, err := strconv.Atoi(w)
			if err != nil {
				return c, fmt.Errorf("word %q", w)
			}
			c.MaxLength = length
		}
	}
	return c, nil
}

// parseOption reads 2=Made or, for a status, 2=Made/1 with its state.
func parseOption(text string) (option, error) {
	number, label, _ := strings.Cut(text, "=")
	label, in, _ := strings.Cut(label, "/")
	value, err := strconv.Atoi(number)
	if err != nil {
		return option{}, err
	}
	o := option{Value: value, Label: strings.ReplaceAll(label, "_", " ")}
	if in != "" {
		o.State, err = strconv.Atoi(in)
	}
	return o, err
}
