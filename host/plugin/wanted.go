package plugin

import (
	"context"
	"fmt"

	"github.com/clientele-crm/clientele/core/actor"
)

// wantedMain is the version that everybody is to get: what operators chose, else
// what is declared. In place of a quarantined one it is the one before, with the
// reason as error; without any it is zero.
func (s *slot) wantedMain(ctx context.Context) (artifact, error) {
	wanted, err := s.chosenOrDeclared(ctx)
	if err != nil {
		return artifact{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cause, condemned := s.quarantined[wanted.sha256]
	if !condemned {
		return wanted, nil
	}
	err = fmt.Errorf("the program %s is in quarantine: %s", wanted.sha256, cause)
	return s.before, err
}

func (s *slot) chosenOrDeclared(ctx context.Context) (artifact, error) {
	s.mu.Lock()
	chosen, declared, declaration := s.desired.SHA256, s.declared, s.declaration
	s.mu.Unlock()
	if chosen != "" {
		return s.obtain(ctx, chosen)
	}
	if declared != (artifact{}) {
		return declared, nil
	}
	declared, err := s.store.stage(declaration)
	if err != nil {
		return artifact{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declared = declared
	return declared, nil
}

// obtain has a version in the store, fetching it from the catalog when it is not.
func (s *slot) obtain(ctx context.Context, sum string) (artifact, error) {
	a := artifact{name: s.name, sha256: sum, path: s.store.path(sum)}
	s.mu.Lock()
	if s.declared.sha256 == sum {
		a = s.declared
	}
	s.mu.Unlock()
	if s.store.has(sum) {
		return a, nil
	}
	if s.options.Fetch == nil {
		return artifact{}, fmt.Errorf("the program %s is not in the store", sum)
	}
	return a, s.store.fetch(ctx, sum, s.options.Fetch)
}

// pins leaves out what is in quarantine: those tenants get what everybody gets.
func (s *slot) pins() map[actor.TenantID]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	pins := map[actor.TenantID]string{}
	for tenant, sum := range s.desired.Pins {
		if s.quarantined[sum] == "" {
			pins[tenant] = sum
		}
	}
	return pins
}

// settled tells whether what operators chose serves; a choice that failed is tried
// again at the next Desire.
func (s *slot) settled() bool {
	r, pins := s.serving.Load(), s.pins()
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.desired.SHA256; c != "" && s.quarantined[c] == "" && r.main.program().sha256 != c {
		return false
	}
	for tenant, sum := range pins {
		if r.to(tenant).program().sha256 != sum {
			return false
		}
	}
	return true
}
