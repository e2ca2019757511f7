package main

import (
	"context"
	"net/http"
	"strconv"

	"github.com/clientele-crm/clientele/sdk"
)

// DescribeObject implements sdk.Adapter: the live columns with lengths, choices
// and lookups in one batch of metadata queries (§3.3). Lengths and choices exist
// on the derived types alone (quirk 30). Lookups come as the navigation property
// with @odata.bind, one field a target, since that is what can be written.
func (a *adapter) DescribeObject(ctx context.Context, req sdk.DescribeObjectRequest) (sdk.DescribeObjectReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.DescribeObjectReply{}, err
	}
	kind, failed := s.kindOf(ctx, a, req.Object, "contact")
	if failed != nil {
		return sdk.DescribeObjectReply{}, s.fail(failed)
	}
	object := sdk.Object{Name: kind.table, Label: kind.label, Role: sdk.RoleActivity, ExternalKeyField: kind.id}
	if kind.table == "" {
		t, bad := tableOf(req.Object)
		if bad != nil {
			return sdk.DescribeObjectReply{}, bad
		}
		object = sdk.Object{Name: t.name, Label: t.label, Role: t.role, ExternalKeyField: s.settings.keyColumn()}
	}
	definition := "EntityDefinitions(LogicalName='" + req.Object + "')"
	cast := func(kind string, options ...option) operation {
		return operation{method: http.MethodGet, path: query(definition+"/Attributes/Microsoft.Dynamics.CRM."+kind+"AttributeMetadata", options...)}
	}
	lengths := selecting([]string{"LogicalName", "MaxLength"})
	choices := []option{selecting([]string{"LogicalName"}), {"$expand", "OptionSet($select=Options),GlobalOptionSet($select=Options)"}}
	states := []option{selecting([]string{"LogicalName"}), {"$expand", "OptionSet($select=Options)"}}
	reads := []operation{
		{method: http.MethodGet, path: query(definition+"/Attributes", selecting([]string{
			"LogicalName", "SchemaName", "AttributeType", "DisplayName", "RequiredLevel",
			"IsValidForCreate", "IsValidForUpdate", "IsValidForRead", "IsPrimaryId", "AttributeOf", "IsCustomAttribute",
		}))},
		cast("String", lengths),
		cast("Memo", lengths),
		cast("Picklist", choices...),
		cast("MultiSelectPicklist", choices...),
		cast("State", states...),
		cast("Status", states...),
		cast("DateTime", selecting([]string{"LogicalName", "Format", "DateTimeBehavior"})),
		{method: http.MethodGet, path: query(definition+"/Keys", selecting(keyColumns()))},
		{method: http.MethodGet, path: query(definition+"/ManyToOneRelationships",
			selecting([]string{"ReferencingAttribute", "ReferencedEntity", "ReferencingEntityNavigationPropertyName"}))},
	}
	answers, failed := s.batch(ctx, singles(reads), false)
	if failed != nil {
		return sdk.DescribeObjectReply{}, s.fail(failed)
	}
	m := newMetadata()
	if failed := m.read(answers); failed != nil {
		return sdk.DescribeObjectReply{}, s.fail(failed)
	}
	return sdk.DescribeObjectReply{Object: object, Fields: m.fields(object.ExternalKeyField), Usage: s.usage()}, nil
}

// attribute is a column's definition; casts fill further members.
type attribute struct {
	LogicalName, SchemaName, AttributeType             string
	DisplayName                                        localized
	RequiredLevel                                      struct{ Value string }
	IsValidForCreate, IsValidForUpdate, IsValidForRead *bool
	IsPrimaryId, IsCustomAttribute                     bool
	AttributeOf                                        *string
	MaxLength                                          int
	Format                                             string
	OptionSet, GlobalOptionSet                         *struct{ Options []choice }
	ReferencingAttribute, ReferencedEntity             string
	ReferencingEntityNavigationPropertyName            string
	KeyAttributes                                      []string
	EntityKeyIndexStatus                               string
}

type choice struct {
	Value    int
	Label    localized
	IsHidden bool
}

// localized is a label; either part may be missing (§3.3).
type localized struct {
	UserLocalizedLabel *struct{ Label string }
	LocalizedLabels    []struct{ Label string }
}

func (l localized) text(otherwise string) string {
	if l.UserLocalizedLabel != nil && l.UserLocalizedLabel.Label != "" {
		return l.UserLocalizedLabel.Label
	}
	if len(l.LocalizedLabels) > 0 && l.LocalizedLabels[0].Label != "" {
		return l.LocalizedLabels[0].Label
	}
	return otherwise
}

// metadata joins the answers of DescribeObject.
type metadata struct {
	columns   []attribute
	maxLength map[string]int
	choices   map[string][]choice
	dateOnly  map[string]bool
	unique    map[string]bool
	lookups   []attribute
}

func newMetadata() *metadata {
	return &metadata{maxLength: map[string]int{}, choices: map[string][]choice{}, dateOnly: map[string]bool{}, unique: map[string]bool{}}
}

// read takes the answers in the order of the queries. The columns must be there;
// a refused cast leaves its facts out.
func (m *metadata) read(answers [][]part) *sdk.Error {
	lists := make([][]attribute, len(answers))
	for i, parts := range answers {
		var list struct {
			Value []attribute `json:"value"`
		}
		if err := decodeAnswer(parts, &list); err != nil {
			if i > 0 {
				continue
			}
			if len(parts) == 0 {
				return missing(false)
			}
			return classify(parts[0], false)
		}
		lists[i] = list.Value
	}
	m.columns = lists[0]
	for _, c := range append(lists[1], lists[2]...) {
		m.maxLength[c.LogicalName] = c.MaxLength
	}
	for _, list := range lists[3:7] {
		for _, c := range list {
			if c.OptionSet != nil {
				m.choices[c.LogicalName] = c.OptionSet.Options
			} else if c.GlobalOptionSet != nil {
				m.choices[c.LogicalName] = c.GlobalOptionSet.Options
			}
		}
	}
	for _, c := range lists[7] {
		m.dateOnly[c.LogicalName] = c.Format == "DateOnly"
	}
	for _, k := range lists[8] {
		if len(k.KeyAttributes) == 1 && k.EntityKeyIndexStatus == keyActive {
			m.unique[k.KeyAttributes[0]] = true
		}
	}
	m.lookups = lists[9]
	return nil
}

// fields are the columns that hold values of their own: no shadows of others,
// nothing virtual.
func (m *metadata) fields(key string) []sdk.Field {
	var out []sdk.Field
	lookup := map[string]attribute{}
	for _, c := range m.columns {
		switch {
		case c.AttributeOf != nil, c.IsValidForRead != nil && !*c.IsValidForRead, c.AttributeType == "Virtual", c.AttributeType == "EntityName":
		case c.AttributeType == "Lookup", c.AttributeType == "Customer", c.AttributeType == "Owner":
			lookup[c.LogicalName] = c
		default:
			out = append(out, m.field(c, key))
		}
	}
	for _, r := range m.lookups {
		c, ok := lookup[r.ReferencingAttribute]
		if !ok || !validName(r.ReferencingEntityNavigationPropertyName) {
			continue
		}
		out = append(out, sdk.Field{
			Name: r.ReferencingEntityNavigationPropertyName + bindSuffix, Label: c.DisplayName.text(c.LogicalName) + " (" + r.ReferencedEntity + ")",
			Type: c.AttributeType, Kind: sdk.KindText, Custom: c.IsCustomAttribute, References: []string{r.ReferencedEntity},
			Createable: tri(c.IsValidForCreate), Updateable: tri(c.IsValidForUpdate),
		})
	}
	return out
}

// field translates one column. "Required" is the form's rule
// (ApplicationRequired), which the API does not enforce; what the API requires
// it fills in by itself (§3.3).
func (m *metadata) field(c attribute, key string) sdk.Field {
	f := sdk.Field{
		Name: c.LogicalName, Label: c.DisplayName.text(c.LogicalName), Type: c.AttributeType, Kind: sdk.KindText,
		MaxLength: m.maxLength[c.LogicalName], Custom: c.IsCustomAttribute,
		Required:          c.RequiredLevel.Value == "ApplicationRequired" && !c.IsPrimaryId,
		DefaultedOnCreate: c.RequiredLevel.Value == "SystemRequired",
		Unique:            m.unique[c.LogicalName] || c.IsPrimaryId, ExternalID: c.LogicalName == key,
		Createable: tri(c.IsValidForCreate), Updateable: tri(c.IsValidForUpdate),
		IsDate: m.dateOnly[c.LogicalName],
	}
	switch c.AttributeType {
	case "Integer", "BigInt", "Decimal", "Double", "Money", "Picklist", "State", "Status":
		f.Kind = sdk.KindNumber
	case "Boolean":
		f.Kind = sdk.KindBool
	case "MultiSelectPicklist":
		f.Kind = sdk.KindList
	}
	for _, o := range m.choices[c.LogicalName] {
		f.Picklist = append(f.Picklist, sdk.PickValue{Value: strconv.Itoa(o.Value), Label: o.Label.text(strconv.Itoa(o.Value)), Active: !o.IsHidden})
		f.PicklistRestricted = true
	}
	return f
}

func tri(b *bool) sdk.Tri {
	switch {
	case b == nil:
		return sdk.Unknown
	case *b:
		return sdk.Yes
	default:
		return sdk.No
	}
}
