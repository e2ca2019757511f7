package simulator

import (
	"fmt"
	"net/http"
	"slices"
)

// group holds properties together in HubSpot's pages.
type group struct {
	Name         string `json:"name"`
	Label        string `json:"label"`
	DisplayOrder int    `json:"displayOrder"`
	Archived     bool   `json:"archived"`
}

// groupsOf lists the groups of a kind: HubSpot's one and the account's own.
func (s *Simulator) groupsOf(c *call, o object) []group {
	out := []group{{Name: s.catalogue[o.plural][0].GroupName, Label: o.singular + " information", DisplayOrder: 0}}
	prefix := propertyKey(c.portal, o, "")
	for key, g := range s.groups.All() {
		if !g.Archived && key == prefix+g.Name {
			out = append(out, g)
		}
	}
	return out
}

func (s *Simulator) hasGroup(c *call, o object, name string) bool {
	return slices.ContainsFunc(s.groupsOf(c, o), func(g group) bool { return g.Name == name })
}

func (s *Simulator) listGroups(c *call) answer {
	o, refused := s.schemaKind(c, false)
	if refused != nil {
		return *refused
	}
	return answer{http.StatusOK, map[string]any{"results": s.groupsOf(c, o)}}
}

func (s *Simulator) createGroup(c *call) answer {
	o, refused := s.schemaKind(c, true)
	if refused != nil {
		return *refused
	}
	g := group{DisplayOrder: -1}
	if refused := s.decode(c, &g); refused != nil {
		return *refused
	}
	switch {
	case g.Name == "" || g.Label == "":
		return s.missing("Some required fields were not set.", "name", "label").answer()
	case s.hasGroup(c, o, g.Name):
		return s.fail(http.StatusConflict, "CONFLICT", fmt.Sprintf("A property group named %q already exists.", g.Name))
	}
	g.Archived = false
	s.groups.Put(propertyKey(c.portal, o, g.Name), g)
	return answer{http.StatusCreated, g}
}

// findGroup finds the group that the path names.
func (s *Simulator) findGroup(c *call, writes bool) (string, group, *answer) {
	o, refused := s.schemaKind(c, writes)
	if refused != nil {
		return "", group{}, refused
	}
	for _, g := range s.groupsOf(c, o) {
		if g.Name == c.PathValue("name") {
			return propertyKey(c.portal, o, g.Name), g, nil
		}
	}
	a := s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", fmt.Sprintf("Property group %q does not exist", c.PathValue("name")))
	return "", group{}, &a
}

func (s *Simulator) readGroup(c *call) answer {
	_, g, refused := s.findGroup(c, false)
	if refused != nil {
		return *refused
	}
	return answer{http.StatusOK, g}
}

func (s *Simulator) updateGroup(c *call) answer {
	key, g, refused := s.findGroup(c, true)
	if refused != nil {
		return *refused
	}
	name := g.Name
	if refused := s.decode(c, &g); refused != nil {
		return *refused
	}
	g.Name = name
	s.groups.Put(key, g)
	return answer{http.StatusOK, g}
}

func (s *Simulator) archiveGroup(c *call) answer {
	key, g, refused := s.findGroup(c, true)
	if refused != nil {
		return *refused
	}
	g.Archived = true
	s.groups.Put(key, g)
	return answer{status: http.StatusNoContent}
}
