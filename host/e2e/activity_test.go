package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/sdk"
)

// On each CRM and for each channel: no activity before a conversation's end, one
// after it, and the same one after it was reopened and ended again.
func TestOneActivityAConversationOnEachCRM(t *testing.T) {
	t.Parallel()
	for _, crm := range []string{"hubspot", "salesforce", "dynamics"} {
		t.Run(crm, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, crm)
			people := []string{"ann@example.org", "+12125550142", "+12125550143", "lee@example.org"}
			say := func(n int, ended bool) {
				for i, channel := range []string{"email", "sms", "voice", "chat"} {
					m := intake.Message{
						Channel: channel, ExternalID: fmt.Sprint(channel, n), ConversationExternalID: "thread-" + channel, ChannelIdentifier: people[i],
						Text: fmt.Sprintf("Hello, this is about order %d.", n), Ended: ended,
					}
					switch channel {
					case "voice":
						m.Call = &intake.Call{ID: "call-1", Status: "completed"}
					case "chat":
						m.Session = &intake.Session{ID: "chat-1", PreChat: &intake.PreChat{Email: people[i]}}
					}
					s.take(m)
				}
			}
			say(1, true)
			s.settle()
			until(t, 45*time.Second, func() bool { return s.activities() == 4 }, "one activity for each channel")
			say(2, false)
			say(3, true)
			s.settle()
			if n := s.activities(); n != 4 {
				t.Errorf("after reopening the CRM holds %d activities, want the same 4", n)
			}
			for kind, n := range s.counters().Duplicates {
				if n != 0 {
					t.Errorf("%d %s are double", n, kind)
				}
			}
		})
	}
}

// activities is how many the CRM holds, of the kinds that its adapter writes.
func (s *stack) activities() int {
	s.t.Helper()
	adapter, err := s.host.Adapters.Adapter(s.crm)
	if err != nil {
		s.t.Fatal(err)
	}
	about, err := adapter.Describe(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	held, n := s.counters().Held, 0
	for _, o := range about.Objects {
		if o.Role == sdk.RoleActivity {
			n += held[o.Name]
		}
	}
	return n
}
