package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Class says how careful a field must be handled.
type Class string

// The classes of the catalogue (design.md §2).
const (
	Plain     Class = "plain"
	Personal  Class = "personal"
	Protected Class = "sensitive"
)

// Field is one entry of the catalogue: the one place where a field of a client
// is declared. To add one takes a column of that name, the member of [Client]
// that holds it and a line in [Fields]; storage, forms, API, filters, merge,
// mapping and redaction read the rest from here.
type Field struct {
	// Name is the field's word everywhere: column, API member, CSV column, mapping.
	Name string
	// Label is what people read.
	Label string
	Class Class
	// MaxLength in characters.
	MaxLength int
	// Block names the group that is filled together or not at all (R130), or "".
	Block string
	// Editable fields are set by people and filled by automation.
	Editable bool
	// Asks: where clients of a merge contradict each other, a person must choose
	// (R153).
	Asks bool

	empty string // what stands for no value
	json  bool   // kept byte for byte, in a column of JSON
	get   func(*Client) string
	set   func(*Client, string)
	clean func(string) (string, error)
}

// Get reads the field as text.
func (f Field) Get(c *Client) string { return f.get(c) }

// Empty tells whether the client has no value there.
func (f Field) Empty(c *Client) bool { return f.get(c) == f.empty }

// Show is the value as people read it: of a country its name (R34).
func (f Field) Show(c *Client) string {
	if f.Name == "country" {
		return CountryName(c.Country)
	}
	return f.get(c)
}

// Clean brings a value into the form that is stored, or says what is wrong.
func (f Field) Clean(v string) (string, error) {
	if f.json {
		return f.clean(v)
	}
	v = strings.TrimSpace(norm.NFC.String(strings.ToValidUTF8(v, "\uFFFD")))
	if n := utf8.RuneCountInString(v); n > f.MaxLength {
		return "", &FieldError{Field: f.Name, Rule: fmt.Sprintf("is %d characters long, at most %d are kept", n, f.MaxLength), WayOut: "shorten it"}
	}
	if f.clean == nil || v == "" {
		return v, nil
	}
	return f.clean(v)
}

// The groups of fields that belong together: the name and the postal address.
const (
	NameBlock    = "name"
	AddressBlock = "address"
)

// Fields is the catalogue, in the order people read.
func Fields() []Field {
	text := func(name, label string, maximum int, block string, p func(*Client) *string) Field {
		return Field{
			Name: name, Label: label, Class: Personal, MaxLength: maximum, Block: block, Editable: true,
			get: func(c *Client) string { return *p(c) }, set: func(c *Client, v string) { *p(c) = v },
		}
	}
	with := func(f Field, change func(*Field)) Field {
		change(&f)
		return f
	}
	return []Field{
		text("first_name", "First name", 200, NameBlock, func(c *Client) *string { return &c.FirstName }),
		text("last_name", "Last name", 200, NameBlock, func(c *Client) *string { return &c.LastName }),
		text("company", "Company", 200, "", func(c *Client) *string { return &c.Company }),
		text("street", "Street", 500, AddressBlock, func(c *Client) *string { return &c.Street }),
		text("city", "City", 200, AddressBlock, func(c *Client) *string { return &c.City }),
		text("state", "State or province", 100, AddressBlock, func(c *Client) *string { return &c.State }),
		text("zip", "Postal code", 20, AddressBlock, func(c *Client) *string { return &c.Zip }),
		with(text("country", "Country", 100, AddressBlock, func(c *Client) *string { return &c.Country }), func(f *Field) { f.clean = cleanCountry }),
		with(text("date_of_birth", "Date of birth", 10, "", func(c *Client) *string { return &c.DateOfBirth }), func(f *Field) {
			f.Class, f.Asks, f.clean = Protected, true, cleanBirthDate
		}),
		with(text("metadata", "Metadata", maxMetadata, "", func(c *Client) *string { return &c.Metadata }), func(f *Field) {
			f.json, f.empty, f.clean = true, "{}", cleanMetadata
		}),
	}
}

// FieldNamed finds a field of the catalogue.
func FieldNamed(name string) (Field, bool) {
	for _, f := range Fields() {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// cleanCountry stores the ISO code of what is a country; other text is kept (R34).
func cleanCountry(v string) (string, error) {
	if code, ok := countryCode(v); ok {
		return code, nil
	}
	return v, nil
}

// cleanBirthDate takes a date, or month and day without a year (R35). Whether a
// date lies in the future is the service's question: it knows the time.
func cleanBirthDate(v string) (string, error) {
	wrong := &FieldError{Field: "date_of_birth", Rule: "is no date", WayOut: "write 1980-05-17, or --05-17 without a year"}
	if rest, yearless := strings.CutPrefix(v, "--"); yearless {
		if _, err := time.Parse("2006-01-02", "2000-"+rest); err != nil {
			return "", wrong
		}
		return v, nil
	}
	if _, err := time.Parse("2006-01-02", v); err != nil {
		return "", wrong
	}
	return v, nil
}

// cleanMetadata keeps an object byte for byte (R37). An empty text stands for an
// empty object.
func cleanMetadata(v string) (string, error) {
	if v == "" {
		return "{}", nil
	}
	if len(v) > maxMetadata {
		return "", &FieldError{Field: "metadata", Rule: "is larger than 64 KB", WayOut: "shorten it"}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(v), &object); err != nil || object == nil {
		return "", &FieldError{Field: "metadata", Rule: "is no JSON object", WayOut: `write {"key": "value"}`}
	}
	return v, nil
}
