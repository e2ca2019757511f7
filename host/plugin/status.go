package plugin

import (
	"maps"
	"slices"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
)

// Status is one version of an adapter that serves, as operators see it.
type Status struct {
	Name, Path string
	// Pinned are the tenants that this version serves; none: everybody else.
	Pinned []actor.TenantID
	// Version is what the serving process says it is; empty while none serves.
	Version string
	// SHA256 of the program in service.
	SHA256 string
	// DeclaredSHA256 is what was at Path at the last load, ChosenSHA256 what
	// operators want instead (drift, when they differ), BeforeSHA256 what served
	// everybody until the last swap.
	DeclaredSHA256, ChosenSHA256, BeforeSHA256 string

	State    State
	Since    time.Time
	PID      int
	InFlight int
	// Restarts counts processes that replaced one that ended by itself.
	Restarts int
	// Cause of the last failure, of the process or of a change that could not be
	// made, and when the next try is.
	Cause   string
	RetryAt time.Time
	// Quarantined programs by sha256, each with its cause.
	Quarantined map[string]string
}

// Status lists the declared adapters by name, each with the version for everybody
// first.
func (r *Registry) Status() []Status {
	slots := r.snapshot()
	all := make([]Status, 0, len(slots))
	for _, name := range slices.Sorted(maps.Keys(slots)) {
		all = append(all, slots[name].status()...)
	}
	return all
}
