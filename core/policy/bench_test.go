package policy_test

import (
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/policy"
)

// BenchmarkDecide measures a decision in processor time, so that a busy machine
// changes nothing: the usual one, and the dearest there is (fifty windows, closed
// over a change of the clocks, every rule set). The bar is 20 µs; beside it the
// time it takes to write the same policy as JSON.
func BenchmarkDecide(b *testing.B) {
	const rounds = 2000
	usual := policy.In{
		Tenant: policy.TenantSettings{Timezone: "America/New_York"},
		Client: policy.ClientSettings{Windows: own([]policy.Window{{Days: workdays, Start: 9 * 60, End: 17 * 60}})},
	}
	dear := policy.In{
		Tenant: policy.TenantSettings{Timezone: "America/New_York", QuietHours: []policy.Window{{Days: workdays, Start: 21 * 60, End: 8 * 60}}},
		Client: policy.ClientSettings{NeverAutoSend: own(true), ReviewRequired: own(true), Sensitive: own(true)},
	}
	var many []policy.Window
	for i := range policy.MaxWindows {
		many = append(many, policy.Window{Days: workdays, Start: policy.Clock(9*60 + i), End: policy.Clock(17*60 + i)})
	}
	dear.Client.Windows = own(many)
	closed := time.Date(2026, 3, 6, 23, 0, 0, 0, time.UTC)
	m := policy.Message{Kind: policy.Reply, Origin: policy.Automation, Channel: policy.Email}
	for name, in := range map[string]policy.In{"usual": usual, "dear": dear} {
		b.Run(name, func(b *testing.B) {
			var zones policy.Zones
			var decided policy.Decision
			perDecision := processorTime(b, rounds, func() { decided = policy.Decide(policy.Combine(in), m, closed, &zones) })
			if decided.Opens.IsZero() {
				b.Fatalf("nothing was decided: %+v", decided)
			}
			perWriting := processorTime(b, rounds, func() {
				if _, err := json.Marshal(policy.Combine(in)); err != nil {
					b.Fatal(err)
				}
			})
			for b.Loop() {
				policy.Decide(policy.Combine(in), m, closed, &zones)
			}
			b.ReportMetric(float64(perDecision.Nanoseconds())/1e3, "µs/decision")
			b.ReportMetric(float64(perDecision)/float64(perWriting), "x_json")
			if perDecision > 20*time.Microsecond {
				b.Errorf("a decision takes %s, the bar is 20 µs", perDecision)
			}
		})
	}
}

// processorTime is what one call takes, the best of five rounds.
func processorTime(b *testing.B, rounds int, fn func()) time.Duration {
	best := time.Hour
	for range 5 {
		start := used(b)
		for range rounds {
			fn()
		}
		best = min(best, (used(b)-start)/time.Duration(rounds))
	}
	return best
}

func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
