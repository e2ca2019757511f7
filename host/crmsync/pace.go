package crmsync

import (
	"sync"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// When a connection's batches grow and shrink.
const (
	growAfter = 8               // full batches in a row that went well
	quickCall = 5 * time.Second // slower ones don't let it grow
	slowCall  = callTimeout / 2 // such calls halve it, before they time out
)

// pace is how fast a connection is worked on: its batch size between the
// adapter's bounds, and whether it has answered since it was parked. It is safe
// for concurrent use.
type pace struct {
	mu       sync.Mutex
	limits   sdk.BatchLimits
	size     int // 0: not known yet
	streak   int
	answered bool // a call went through since the crew began
	parked   bool // the connection was parked when it began
}

// start sets the bounds, and at first the size of last time; 0 is the adapter's
// own start.
func (p *pace) start(last int, limits sdk.BatchLimits) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits = limits
	if p.size == 0 {
		p.size = last
	}
	if p.size == 0 {
		p.size = limits.Start
	}
	p.size = min(max(p.size, limits.Min, 1), max(limits.Max, 1))
}

func (p *pace) batch() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// went notes a call that went through with so many records. It answers the new
// size when that has changed.
func (p *pace) went(records int, took time.Duration) (size int, changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = true
	switch {
	case took > slowCall:
		return p.set(records / 2)
	case records < p.size || took > quickCall:
		return p.size, false
	}
	p.streak++
	if p.streak < growAfter {
		return p.size, false
	}
	return p.set(p.size * 2)
}

// refused halves the size: a batch of so many was refused and no record of it was
// to blame.
func (p *pace) refused(records int) (size int, changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set(records / 2)
}

func (p *pace) set(size int) (int, bool) {
	before := p.size
	p.streak = 0
	p.size = min(max(size, p.limits.Min, 1), max(p.limits.Max, 1))
	return p.size, p.size != before
}

// probe: the connection was parked; until it answers, one batch goes at a time.
func (p *pace) probe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parked = true
}

func (p *pace) probing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parked && !p.answered
}
