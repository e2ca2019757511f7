package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
)

// bindSuffix marks a field that sets a lookup through its navigation property.
const bindSuffix = "@odata.bind"

// row is a record as Dataverse sends it.
type row map[string]any

// decodeRow reads one record.
func decodeRow(body []byte) (row, error) {
	var r row
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("read a record of the CRM: %w", err)
	}
	return r, nil
}

func (r row) text(column string) string {
	s, _ := r[column].(string)
	return s
}

func (r row) truth(column string) bool {
	b, _ := r[column].(bool)
	return b
}

// survivor is the id of the record this one was merged into, or empty (§6.2).
func (r row) survivor() string {
	if !r.truth("merged") {
		return ""
	}
	return r.text("_masterid_value")
}

// record turns a row of t into the contract's form with the wanted fields.
func (r row) record(t table, key string, fields []string) sdk.Record {
	return sdk.Record{
		Object: t.name, ID: r.text(t.id), ExternalKey: r.text(key), Version: versionOf(r.text("@odata.etag")),
		UpdatedAt: r.text("modifiedon"), Fields: r.values(fields),
	}
}

// values picks fields out of a row; a column the row does not name is left out
// (column security hides it).
func (r row) values(fields []string) map[string]sdk.Value {
	out := map[string]sdk.Value{}
	for _, name := range fields {
		raw, known := r[name]
		if !known {
			continue
		}
		switch v := raw.(type) {
		case string:
			out[name] = sdk.Text(v)
		case float64:
			out[name] = sdk.Number(v)
		case bool:
			out[name] = sdk.Bool(v)
		default:
			out[name] = sdk.Clear()
		}
	}
	return out
}

// columns is what to select of t: the id, the key, what tells a merged record,
// and the wanted fields that can be read. It fails on a name that is none.
func (t table) columns(key string, fields []string) ([]string, *sdk.Error) {
	out := []string{t.id, key, "merged", "_masterid_value", "modifiedon"}
	for _, name := range fields {
		if strings.HasSuffix(name, bindSuffix) {
			continue
		}
		if !validName(name) {
			return nil, refuse(sdk.ClassSchema, name, "%q is not a column name of Dataverse", name)
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// payload is the JSON body for fields. Blank text becomes null, as Dataverse
// stores it (§2.2), and a list the comma form of a multi-select choice.
func payload(fields map[string]sdk.Value, more map[string]any) ([]byte, *sdk.Error) {
	body := map[string]any{}
	for name, v := range fields {
		column, isBind := strings.CutSuffix(name, bindSuffix)
		if !validName(column) {
			return nil, refuse(sdk.ClassSchema, name, "%q is not a column name of Dataverse", name)
		}
		switch {
		case isBind && (v.Kind() != sdk.KindText || !strings.HasPrefix(v.Text(), "/")):
			return nil, refuse(sdk.ClassValidation, name, "%s: want the path of a record, such as /accounts(id); a write cannot empty a lookup", name)
		case v.Kind() == sdk.KindText && v.Text() == "":
			body[name] = nil
		case v.Kind() == sdk.KindList:
			body[name] = strings.Join(v.List(), ",")
		default:
			body[name] = v.Any()
		}
	}
	for name, v := range more {
		body[name] = v
	}
	return encode(body)
}

// encode writes a body; map keys come out sorted, so that transcripts are stable.
func encode(body any) ([]byte, *sdk.Error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, refuse(sdk.ClassValidation, "", "the record cannot be written as JSON: %v", err)
	}
	return data, nil
}
