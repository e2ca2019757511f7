package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/api"
)

// clientForm is the page that creates a client, or edits one.
type clientForm struct {
	frame
	ID       string // of the client that is edited, or ""
	Name     string
	Revision int64
	// Conflict: somebody saved while this form was open; each field that differs
	// shows what it is now.
	Conflict bool
	Groups   []fieldGroup
	Errors   []fieldInput // what is wrong, for the summary above the form
}

type fieldGroup struct {
	Label  string
	Fields []fieldInput
}

type fieldInput struct {
	Name, Label, Value string
	Long               bool // several lines
	MaxLength          int
	Error              string
	Owner              string // id of the client that has this address or number
	Now                string // what the field is meanwhile, in a conflict
	Changed            bool
}

func (s *site) newClient(v *visit) error {
	s.showForm(v, http.StatusOK, clientForm{frame: s.frame(v, "form.new", "/clients")}, values(&client.Client{Metadata: "{}"}))
	return nil
}

func (s *site) createClient(v *visit) error {
	form := clientForm{frame: s.frame(v, "form.new", "/clients")}
	edit, typed, err := readForm(v)
	if err != nil {
		return err
	}
	c, err := s.Clients.Create(v.ctx(), v.actor, edit)
	if err != nil {
		return s.refused(v, form, typed, err)
	}
	v.redirect("/clients/" + c.ID.String())
	return nil
}

func (s *site) editClient(v *visit) error {
	id, err := client.ParseID(v.r.PathValue("id"))
	if err != nil {
		return s.notFound(v)
	}
	c, err := s.Clients.Get(v.ctx(), v.actor, id)
	if err != nil {
		return err
	}
	form := clientForm{frame: s.frame(v, "form.edit", "/clients"), ID: c.ID.String(), Name: c.DisplayName(), Revision: c.Revision}
	s.showForm(v, http.StatusOK, form, values(c))
	return nil
}

func (s *site) updateClient(v *visit) error {
	id, err := client.ParseID(v.r.PathValue("id"))
	if err != nil {
		return s.notFound(v)
	}
	edit, typed, err := readForm(v)
	if err != nil {
		return err
	}
	if edit.Revision, err = strconv.ParseInt(v.r.PostForm.Get("revision"), 10, 64); err != nil && v.r.PostForm.Has("revision") {
		edit.Revision = -1 // no revision is like this one: a conflict
	}
	c, err := s.Clients.Update(v.ctx(), v.actor, id, edit)
	if err == nil {
		v.redirect("/clients/" + c.ID.String())
		return nil
	}
	form := clientForm{frame: s.frame(v, "form.edit", "/clients"), ID: id.String(), Revision: edit.Revision}
	if conflict, ok := errors.AsType[*client.ConflictError](err); ok {
		// Saving again is then a decision: the form goes on from what is there now.
		form.Conflict, form.Revision = true, conflict.Current.Revision
		s.showForm(v, http.StatusConflict, form, typed, values(conflict.Current))
		return nil
	}
	return s.refused(v, form, typed, err)
}

// refused shows the form again, as it was typed, with what is wrong beside it.
func (s *site) refused(v *visit, form clientForm, typed map[string]string, err error) error {
	p := api.ProblemOf(err)
	if p == nil || len(p.Errors) == 0 {
		return err
	}
	owner := ""
	if taken, ok := errors.AsType[*client.TakenError](err); ok {
		owner = taken.Owner.String()
	}
	for _, e := range p.Errors {
		input := fieldInput{Name: e.Field, Label: formLabel(e.Field), Error: text("form.error", e.Rule, e.WayOut), Owner: owner}
		if owner != "" {
			input.Error = text("form.taken")
		}
		form.Errors = append(form.Errors, input)
	}
	s.showForm(v, p.Status, form, typed)
	return nil
}

// showForm fills the form's fields. Now, if given, is what the record holds
// meanwhile.
func (s *site) showForm(v *visit, status int, form clientForm, typed map[string]string, now ...map[string]string) {
	for _, group := range []struct {
		label  string
		fields []string
	}{
		{text("form.person"), []string{"first_name", "last_name", "company"}},
		{text("form.contact"), []string{"email", "phone"}},
		{text("form.address"), inBlock(client.AddressBlock)},
		{text("form.more"), remaining()},
	} {
		g := fieldGroup{Label: group.label}
		for _, name := range group.fields {
			input := formInput(name, typed[name])
			if len(now) > 0 && now[0][name] != input.Value {
				input.Now, input.Changed = now[0][name], true
			}
			for _, e := range form.Errors {
				if e.Name == name {
					input.Error, input.Owner = e.Error, e.Owner
				}
			}
			g.Fields = append(g.Fields, input)
		}
		form.Groups = append(form.Groups, g)
	}
	s.show(v, status, "client_form", form)
}

func formInput(name, value string) fieldInput {
	input := fieldInput{Name: name, Label: formLabel(name), Value: value, MaxLength: 500, Long: name == "street" || name == "metadata"}
	if f, ok := client.FieldNamed(name); ok {
		input.MaxLength = f.MaxLength
	}
	return input
}

func formLabel(name string) string {
	if name == "email" || name == "phone" {
		return text("clients." + name)
	}
	return fieldLabel(name)
}

// readForm reads what was typed. A field that the form didn't send stays as it
// is.
func readForm(v *visit) (client.Edit, map[string]string, error) {
	if err := v.r.ParseForm(); err != nil {
		return client.Edit{}, nil, err
	}
	edit, typed := client.Edit{Fields: map[string]string{}}, map[string]string{}
	for name := range v.r.PostForm {
		// Browsers send CRLF from a text area, whatever was in it (HTML, 4.10.22.4).
		typed[name] = strings.ReplaceAll(v.r.PostForm.Get(name), "\r\n", "\n")
	}
	for _, f := range client.Fields() {
		if value, ok := typed[f.Name]; ok && f.Editable {
			edit.Fields[f.Name] = value
		}
	}
	if email, ok := typed["email"]; ok {
		edit.Email = &email
	}
	if phone, ok := typed["phone"]; ok {
		edit.Phone = &phone
	}
	return edit, typed, nil
}

// values are a client's fields as the form shows them.
func values(c *client.Client) map[string]string {
	phone, _ := c.Primary(client.Phone)
	v := map[string]string{"email": c.Email(), "phone": phone.Value}
	for _, f := range client.Fields() {
		v[f.Name] = f.Get(c)
	}
	return v
}

func inBlock(block string) []string {
	var names []string
	for _, f := range client.Fields() {
		if f.Block == block && f.Editable {
			names = append(names, f.Name)
		}
	}
	return names
}

// remaining are the catalogue's fields that no other group has: a new one
// appears here by itself.
func remaining() []string {
	var names []string
	for _, name := range inBlock("") {
		if !slices.Contains([]string{"first_name", "last_name", "company"}, name) {
			names = append(names, name)
		}
	}
	return names
}

// mayEdit tells whether to offer editing; the service asks again.
func (v *visit) mayEdit() bool { return v.actor.May(actor.EditClients) }
