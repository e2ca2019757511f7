package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"
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
// is declared. API, CSV, filters, mapping and redaction read it from here.
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
	exact    bool // kept byte for byte
	get      func(*Client) string
	set      func(*Client, string)
	clean    func(string) (string, error)
}

// Get reads the field as text.
func (f Field) Get(c *Client) string { return f.get(c) }

// Clean brings a value into the form that is stored, or says what is wrong.
func (f Field) Clean(v string) (string, error) {
	if f.exact {
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

// AddressBlock is the group of the postal address.
const AddressBlock = "address"

// Fields is the catalogue, in the order people read.
func Fields() []Field {
	text := func(name, label string, maximum int, block string, p func(*Client) *string) Field {
		return Field{
			Name: name, Label: label, Class: Personal, MaxLength: maximum, Block: block, Editable: true,
			get: func(c *Client) string { return *p(c) }, set: func(c *Client, v string) { *p(c) = v },
		}
	}
	with := func(f Field, class Class, clean func(string) (string, error)) Field {
		f.Class, f.clean = class, clean
		return f
	}
	exactly := func(f Field) Field {
		f.exact = true
		return f
	}
	return []Field{
		text("first_name", "First name", 200, "", func(c *Client) *string { return &c.FirstName }),
		text("last_name", "Last name", 200, "", func(c *Client) *string { return &c.LastName }),
		text("company", "Company", 200, "", func(c *Client) *string { return &c.Company }),
		text("street", "Street", 500, AddressBlock, func(c *Client) *string { return &c.Street }),
		text("city", "City", 200, AddressBlock, func(c *Client) *string { return &c.City }),
		text("state", "State or province", 100, AddressBlock, func(c *Client) *string { return &c.State }),
		text("zip", "Postal code", 20, AddressBlock, func(c *Client) *string { return &c.Zip }),
		with(text("country", "Country", 100, AddressBlock, func(c *Client) *string { return &c.Country }), Personal, cleanCountry),
		with(text("date_of_birth", "Date of birth", 10, "", func(c *Client) *string { return &c.DateOfBirth }), Protected, cleanBirthDate),
		exactly(with(text("metadata", "Metadata", 65536, "", func(c *Client) *string { return &c.Metadata }), Personal, cleanMetadata)),
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

// cleanCountry stores the ISO code of what is one; other text is kept (R34).
func cleanCountry(v string) (string, error) {
	if len(v) == 2 {
		if region, err := language.ParseRegion(strings.ToUpper(v)); err == nil && region.IsCountry() {
			return region.String(), nil
		}
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

// cleanMetadata keeps an object byte for byte (R37).
func cleanMetadata(v string) (string, error) {
	if len(v) > 65536 {
		return "", &FieldError{Field: "metadata", Rule: "is larger than 64 KB", WayOut: "shorten it"}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(v), &object); err != nil {
		return "", &FieldError{Field: "metadata", Rule: "is no JSON object", WayOut: `write {"key": "value"}`}
	}
	return v, nil
}
