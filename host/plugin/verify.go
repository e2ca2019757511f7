package plugin

import (
	"context"
	"fmt"

	"github.com/clientele-crm/clientele/sdk"
)

// Verify does with a version all of a swap that comes before the flip: it is
// started, asked, and ended again. It serves nobody, and what serves is not
// touched. An empty sha256 means the version that serves everybody.
func (r *Registry) Verify(ctx context.Context, name, sha256 string, step func(Step)) error {
	s, err := r.slot(name)
	if err != nil {
		return err
	}
	step(StepStage)
	now := s.serving.Load().main
	a := now.program()
	if sha256 != "" {
		if a, err = s.obtain(ctx, sha256); err != nil {
			return err
		}
	}
	if a == (artifact{}) {
		return &Unavailable{Name: name, Cause: "no version of it serves: name one"}
	}
	step(StepStart)
	p, err := launch(ctx, a, s.options)
	if err != nil {
		return fmt.Errorf("it does not start: %w", err)
	}
	defer p.kill()
	step(StepVerify)
	return s.verify(ctx, now, p)
}

// verify asks the host whether next may take the place of old.
func (s *slot) verify(ctx context.Context, old *worker, next *process) error {
	if s.options.Verify == nil || next == nil {
		return nil
	}
	var before *sdk.Description
	if running := old.process(); running != nil {
		before = &running.description
	}
	if err := s.options.Verify(ctx, before, next.description, next.adapter); err != nil {
		return fmt.Errorf("it does not fit: %w", err)
	}
	return nil
}
