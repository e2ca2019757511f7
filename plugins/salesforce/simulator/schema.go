package simulator

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed schema.txt
var schemaText string

// object is a kind of record and its fields, in order.
type object struct {
	name, plural, prefix string
	fields               []field
}

// field is one field of an object.
type field struct {
	name, label, kind                 string
	length                            int
	createable, updateable            bool
	nillable, defaulted, idLookup     bool
	restricted                        bool
	unique, externalID, caseSensitive bool
	custom                            bool
	references, picklist              []string
	compound                          string
}

// find is a field by its name, without case.
func (o object) find(name string) (field, bool) {
	at := slices.IndexFunc(o.fields, func(f field) bool { return strings.EqualFold(f.name, name) })
	if at < 0 {
		return field{}, false
	}
	return o.fields[at], true
}

// relationship is the name under which a lookup's record is read or named.
func (f field) relationship() string {
	if f.kind != "reference" {
		return ""
	}
	if base, custom := strings.CutSuffix(f.name, "__c"); custom {
		return base + "__r"
	}
	return strings.TrimSuffix(f.name, "Id")
}

// readSchema reads schema.txt. A mistake in it is one of the program.
func readSchema() (map[string]object, error) {
	objects := map[string]object{}
	current := ""
	for n, line := range strings.Split(schemaText, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		o := objects[current]
		switch words[0] {
		case "object":
			current = words[1]
			o = object{name: words[1], prefix: words[2], plural: quoted(line)}
		case "@system":
			o.fields = append(o.fields, systemFields()...)
		case "@address":
			prefix := ""
			if len(words) > 1 {
				prefix = words[1]
			}
			o.fields = append(o.fields, addressFields(prefix)...)
		default:
			f, err := readField(line, words)
			if err != nil {
				return nil, fmt.Errorf("schema.txt line %d: %w", n+1, err)
			}
			o.fields = append(o.fields, f)
		}
		objects[current] = o
	}
	return objects, nil
}

func readField(line string, words []string) (field, error) {
	if len(words) < 4 {
		return field{}, fmt.Errorf("want name, type, length and flags")
	}
	length, err := strconv.Atoi(words[2])
	if err != nil {
		return field{}, fmt.Errorf("length: %w", err)
	}
	f := field{name: words[0], kind: words[1], length: length, label: quoted(line)}
	for _, flag := range words[3] {
		switch flag {
		case 'C':
			f.createable = true
		case 'U':
			f.updateable = true
		case 'N':
			f.nillable = true
		case 'D':
			f.defaulted = true
		case 'L':
			f.idLookup = true
		case 'R':
			f.restricted = true
		case '-':
		default:
			return field{}, fmt.Errorf("unknown flag %c", flag)
		}
	}
	if m := regexp.MustCompile(`->(\S+)`).FindStringSubmatch(line); m != nil {
		f.references = strings.Split(m[1], "|")
	}
	if m := regexp.MustCompile(`\[(.+)\]`).FindStringSubmatch(line); m != nil {
		f.picklist = strings.Split(m[1], "|")
	}
	if m := regexp.MustCompile(`<(\S+)`).FindStringSubmatch(line); m != nil {
		f.compound = m[1]
	}
	if f.label == "" {
		f.label = spaced(f.name)
	}
	return f, nil
}

func quoted(line string) string {
	if m := regexp.MustCompile(`"([^"]+)"`).FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// spaced is a label made from a name: "MailingCity" becomes "Mailing City".
func spaced(name string) string {
	return regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name, "$1 $2")
}

func systemFields() []field {
	return []field{
		{name: "IsDeleted", label: "Deleted", kind: "boolean", defaulted: true},
		{name: "CreatedDate", label: "Created Date", kind: "datetime", defaulted: true},
		{name: "CreatedById", label: "Created By ID", kind: "reference", length: 18, defaulted: true, references: []string{"User"}},
		{name: "LastModifiedDate", label: "Last Modified Date", kind: "datetime", defaulted: true},
		{name: "LastModifiedById", label: "Last Modified By ID", kind: "reference", length: 18, defaulted: true, references: []string{"User"}},
		{name: "SystemModstamp", label: "System Modstamp", kind: "datetime", defaulted: true},
	}
}

// addressFields are the parts of a compound address and the compound itself
// (salesforce.md §3.5).
func addressFields(prefix string) []field {
	part := func(name, label, kind string, length int) field {
		return field{
			name: prefix + name, label: strings.TrimSpace(prefix + " " + label), kind: kind, length: length,
			createable: true, updateable: true, nillable: true, compound: prefix + "Address",
		}
	}
	codes := func(name, label string, values []string) field {
		f := part(name, label, "picklist", 10)
		f.restricted, f.picklist = true, values
		return f
	}
	accuracy := part("GeocodeAccuracy", "Geocode Accuracy", "picklist", 40)
	accuracy.restricted = true
	accuracy.picklist = []string{"Address", "NearAddress", "Block", "Street", "ExtendedZip", "Zip", "Neighborhood", "City", "County", "State", "Unknown"}
	return []field{
		part("Street", "Street", "textarea", 255), part("City", "City", "string", 40),
		part("State", "State/Province", "string", 80), part("PostalCode", "Zip/Postal Code", "string", 20),
		part("Country", "Country", "string", 80),
		codes("StateCode", "State/Province Code", stateCodes()), codes("CountryCode", "Country Code", countryCodes()), part("Latitude", "Latitude", "double", 0),
		part("Longitude", "Longitude", "double", 0), accuracy,
		{name: prefix + "Address", label: strings.TrimSpace(prefix + " Address"), kind: "address", nillable: true},
	}
}
