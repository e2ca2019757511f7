// Package actor says who acts: a person, automation or the system itself, in
// which tenant, with which rights. An Actor is an argument of every service
// call, and the services refuse by it (requirements §1.21); nothing reads the
// actor from a context or a global. Authentication happens elsewhere
// (host/access makes the Actor from a session or a key).
package actor

import (
	"fmt"

	"github.com/google/uuid"
)

// TenantID identifies a tenant. Ids are structs so that those of different
// things can't be mixed up.
type TenantID struct{ uuid.UUID }

// ParseTenant reads what String writes.
func ParseTenant(s string) (TenantID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return TenantID{}, fmt.Errorf("tenant id %q: not a UUID", s)
	}
	return TenantID{id}, nil
}

// Kind tells people from programs. It follows the credential: a session is a
// person, an API key is automation (R210, §1.21).
type Kind string

// The kinds of actor.
const (
	Person     Kind = "person"
	Automation Kind = "automation"
	System     Kind = "system"
	Operator   Kind = "operator"
)

// Role is what a person may do in a tenant.
type Role string

// The roles of §1.21, strongest first.
const (
	Admin  Role = "admin"
	Member Role = "member"
	Viewer Role = "viewer"
)

// Scope is what an API key may do.
type Scope string

// The scopes of API keys.
const (
	ScopeRead   Scope = "read"
	ScopeWrite  Scope = "write"
	ScopeExport Scope = "export"
	ScopeAdmin  Scope = "admin"
)

// Actor is who acts. The zero Actor may do nothing.
type Actor struct {
	Tenant TenantID
	Kind   Kind
	// ID is the user's or the key's id; empty for the system.
	ID string
	// Name is shown in events: "Ann Lee", "key mail-gateway", "intake".
	Name   string
	Role   Role
	Scopes []Scope
}

// ForSystem is the host itself, working for one tenant on what somebody
// already asked for. Part names the part of the host ("intake", "sync").
func ForSystem(t TenantID, part string) Actor {
	return Actor{Tenant: t, Kind: System, Name: part}
}

// ForOperator is the person who runs the hosts: above tenants, without a
// tenant, without client data (R210).
func ForOperator(name string) Actor { return Actor{Kind: Operator, Name: name} }

// Can is something an actor may or may not do.
type Can string

// The actions of §1.21 that services ask for.
const (
	SeeClients    Can = "see clients"
	EditClients   Can = "edit clients"
	DeleteClients Can = "delete clients"
	MergeClients  Can = "merge clients"
	ExportClients Can = "export clients"
	SendMessages  Can = "push messages"
	MarkSensitive Can = "mark clients sensitive"
	// ReviewMessages is what only a person does: approve, reject, edit and send
	// what automation wrote (R61, R62).
	ReviewMessages Can = "review what automation wrote"
	// LoosenClients and LoosenConversations are about letting more through than
	// before: of a client, and of a conversation beside its client (R73).
	LoosenClients       Can = "loosen what a client allows"
	LoosenConversations Can = "loosen what a client allows for one conversation"
	Administer          Can = "administer the tenant"
	Operate             Can = "operate hosts and tenants"
)

// May answers whether the actor may do c. A person's right follows the role, a
// key's the scopes, and a key that acts for a person needs both; the system may do
// everything inside its tenant but decide how careful to be with a client; an
// operator only operates.
func (a Actor) May(c Can) bool {
	switch a.Kind {
	case System:
		return c != Operate && c != ReviewMessages && c != MarkSensitive && c != LoosenClients && c != LoosenConversations
	case Operator:
		return c == Operate
	case Person: // a key that acts for a person is bound by its scopes too
		return a.roleMay(c) && (len(a.Scopes) == 0 || a.scopeMay(c))
	case Automation:
		return c != ReviewMessages && c != LoosenConversations && a.scopeMay(c)
	default:
		return false
	}
}

// Require returns a *Refusal when the actor may not do c.
func (a Actor) Require(c Can) error {
	if a.May(c) {
		return nil
	}
	return &Refusal{Actor: a, Action: c}
}

func (a Actor) roleMay(c Can) bool {
	switch a.Role {
	case Admin:
		return c != Operate
	case Member:
		return c == SeeClients || c == EditClients || c == DeleteClients ||
			c == MergeClients || c == ExportClients || c == SendMessages || c == ReviewMessages || c == LoosenClients || c == LoosenConversations
	case Viewer:
		return c == SeeClients
	default:
		return false
	}
}

func (a Actor) scopeMay(c Can) bool {
	need := map[Can]Scope{
		SeeClients: ScopeRead, EditClients: ScopeWrite, DeleteClients: ScopeWrite,
		SendMessages: ScopeWrite, ReviewMessages: ScopeWrite, ExportClients: ScopeExport,
		MergeClients: ScopeAdmin, MarkSensitive: ScopeAdmin, Administer: ScopeAdmin,
		LoosenClients: ScopeAdmin, LoosenConversations: ScopeAdmin,
	}[c]
	for _, s := range a.Scopes {
		if s == need && need != "" {
			return true
		}
	}
	return false
}

// Refusal is the error of an action the actor may not do (HTTP 403).
type Refusal struct {
	Actor  Actor
	Action Can
	// Why is what makes the action need more than the actor has, or "" when it
	// always does.
	Why string
}

// Error says who may not do what, and what would help.
func (r *Refusal) Error() string {
	if r.Why != "" {
		return r.Why + ": " + r.sentence()
	}
	return r.sentence()
}

func (r *Refusal) sentence() string {
	switch r.Actor.Kind {
	case Automation:
		if r.Action == ReviewMessages || r.Action == LoosenConversations {
			return "no API key may " + string(r.Action) + ": a person does, signed in or with a key that acts for them"
		}
		return fmt.Sprintf("this API key may not %s: it needs another scope", r.Action)
	case Person:
		return fmt.Sprintf("the role %q may not %s: ask an admin of the tenant", r.Actor.Role, r.Action)
	case Operator:
		return fmt.Sprintf("an operator may not %s: sign in to the tenant", r.Action)
	default:
		return fmt.Sprintf("sign in to %s", r.Action)
	}
}
