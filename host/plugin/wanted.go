package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/clientele-crm/clientele/core/actor"
)

// wantedMain is the version that everybody is to get: what operators chose, else
// what is declared. In place of a quarantined one it is the last good one, with the
// reason as error, or zero where none is known.
func (s *slot) wantedMain(ctx context.Context) (artifact, error) {
	wanted, err := s.chosenOrDeclared(ctx)
	if err != nil {
		return artifact{}, err
	}
	s.mu.Lock()
	cause, condemned := s.quarantined[wanted.sha256]
	s.mu.Unlock()
	if condemned {
		return s.lastGood(ctx), &quarantineError{wanted.sha256, cause}
	}
	if err := s.admit(ctx, wanted); err != nil {
		return artifact{}, err
	}
	return wanted, nil
}

// firstMain is the version to begin with: one in quarantine, where nothing else is
// known, is better than none.
func (s *slot) firstMain(ctx context.Context) (artifact, error) {
	a, err := s.wantedMain(ctx)
	if a != (artifact{}) && err != nil {
		_ = s.kept(err) // status tells
		return a, nil
	}
	if _, condemned := errors.AsType[*quarantineError](err); condemned {
		return s.chosenOrDeclared(ctx)
	}
	return a, err
}

// quarantineError is the refusal of a program that keeps crashing.
type quarantineError struct{ sha256, cause string }

func (e *quarantineError) Error() string {
	return fmt.Sprintf("the program %s is in quarantine: %s: choose it anew with `clientele adapter use` when that is mended", e.sha256, e.cause)
}

// lastGood is what served before and is not in quarantine; zero: nothing is known.
func (s *slot) lastGood(ctx context.Context) artifact {
	s.mu.Lock()
	good, sum := s.before, s.desired.Before
	if s.quarantined[sum] != "" {
		sum = ""
	}
	s.mu.Unlock()
	if good != (artifact{}) || sum == "" {
		return good
	}
	good, err := s.obtain(ctx, sum)
	if err != nil {
		s.options.Logger.Warn("the last good version of an adapter is not to be had", "adapter", s.name, "sha256", sum, "cause", err)
		return artifact{}
	}
	return good
}

// admit asks the host whether a program may serve.
func (s *slot) admit(ctx context.Context, a artifact) error {
	if s.options.Admit == nil {
		return nil
	}
	return s.options.Admit(ctx, s.name, a.sha256)
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
