package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/channel/sender/sendertest"
	"github.com/clientele-crm/clientele/host/config"
)

// killCycles is how often the host is killed; `make kills` asks for 100.
func killCycles(t *testing.T) int {
	text := os.Getenv("CLIENTELE_KILL_CYCLES")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("CLIENTELE_KILL_CYCLES: %v", err)
	}
	return n
}

// post is a tenant whose host is a process of its own, and providers that count.
type post struct {
	t        *testing.T
	services *host.Host // shares the database, and does no work
	config   string
	said     lockedBuffer
	mail     *sendertest.SMTP
	sms      *sendertest.Webhook
	robot    actor.Actor
	talks    map[string]conversation.ID
}

func newPost(t *testing.T) *post {
	t.Helper()
	owner, data := dbtest.NewURL(t), dataDir(t)
	p := &post{t: t, config: filepath.Join(data, "clientele.yaml"), talks: map[string]conversation.ID{}}
	p.mail = sendertest.StartSMTP(t, &sendertest.SMTP{Delay: 20 * time.Millisecond})
	p.sms = sendertest.StartWebhook(t, &sendertest.Webhook{Secret: "hush", Idempotent: true, Delay: 20 * time.Millisecond})
	key := filepath.Join(data, "secrets.key")
	text := fmt.Sprintf("data: %s\nhttp: {listen: \"127.0.0.1:0\"}\ndatabase: {url: %q}\nsecrets: {key_file: %s}\nsenders: {private_networks: true}\n", data, dbtest.AppURL(owner), key)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	p.services, err = host.Start(t.Context(), host.Options{Passive: true, Config: config.Config{
		Data: filepath.Join(data, "passive"), Database: config.Database{URL: config.Secret(dbtest.AppURL(owner))}, Secrets: config.Secrets{KeyFile: key},
		Senders: config.Senders{PrivateNetworks: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.services.Stop)
	own, err := p.services.Tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "CA", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	p.robot = actor.Actor{Tenant: own.ID, Kind: actor.Automation, Name: "key bot", Scopes: []actor.Scope{actor.ScopeRead, actor.ScopeWrite, actor.ScopeAdmin}}
	secret := "hush"
	for channel, s := range map[string]sender.Settings{
		"email": {From: "support@acme.example", SMTP: &sender.SMTPSettings{Host: "127.0.0.1", Port: p.mail.Port(), TLS: "none"}},
		"sms":   {From: "+14165559999", Webhook: &sender.WebhookSettings{URL: p.sms.URL(), Idempotent: true}},
	} {
		if _, err := p.services.Senders.Set(t.Context(), p.robot, channel, s, &secret); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// reply lets automation answer on a channel.
func (p *post) reply(channel string) *outbound.Message {
	p.t.Helper()
	if _, begun := p.talks[channel]; !begun {
		m := intake.Message{Channel: channel, ExternalID: uuid.NewString() + "@x.example", Direction: "inbound", Text: "Hello", ChannelIdentifier: "ann@x.example"}
		if channel == "sms" {
			m.ChannelIdentifier, m.Participants = "+14165550100", []intake.Participant{{Role: "agent", Address: "+14165559999"}}
		}
		r, err := p.services.Intake.Take(p.t.Context(), p.robot, m)
		if err != nil || r.State != "done" {
			p.t.Fatalf("%+v, %v", r, err)
		}
		p.talks[channel] = conversation.ID{UUID: r.ConversationID.UUID}
	}
	m, err := p.services.Outbound.Reply(p.t.Context(), p.robot, p.talks[channel], outbound.New{Text: "Hello yourself"})
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// run starts the host.
func (p *post) run() *exec.Cmd {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "clientele"), "serve", "--config", p.config)
	cmd.Stdout, cmd.Stderr = &p.said, &p.said
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	return cmd
}

func (p *post) passedOn() int {
	all, _ := p.sms.Requests()
	return all + len(p.mail.Mails())
}

// Killed in the middle of sending, again and again, the host loses no message,
// sends none twice where the provider takes each once, and where it doesn't, says
// of what was under way that it maybe left (design.md §11).
func TestKilledWhileSending(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	var all []*outbound.Message
	for range killCycles(t) {
		before := p.passedOn()
		for range 10 {
			all = append(all, p.reply("email"), p.reply("sms"))
		}
		cmd := p.run()
		until(t, 2*time.Minute, func() bool { return p.passedOn() > before }, "the host to send")
		time.Sleep(rand.N(60 * time.Millisecond)) // somewhere in the middle
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed: there is no exit code to look at
	}
	cmd := p.run()
	defer func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
	}()
	final := map[outbound.State]int{}
	for _, m := range all {
		var got *outbound.Message
		until(t, 2*time.Minute, func() bool {
			var err error
			if got, err = p.services.Outbound.Get(t.Context(), p.robot, m.ID); err != nil {
				t.Fatal(err)
			}
			return got.State == outbound.Sent || got.State == outbound.MaybeSent
		}, "every message to leave; the host said "+p.said.String())
		final[got.State]++
		p.account(got)
	}
	t.Logf("%d messages: %v", len(all), final)
}

// account compares what the host says of a message with what the provider has.
func (p *post) account(m *outbound.Message) {
	p.t.Helper()
	times := 0
	for _, s := range p.sms.Sent() {
		if s.ID == m.ID.String() {
			times++
		}
	}
	for _, s := range p.mail.Mails() {
		if strings.HasPrefix(s.MessageID, m.ID.String()) {
			times++
		}
	}
	switch {
	case m.State == outbound.Sent && times != 1:
		p.t.Errorf("a message by %s that was sent reached the provider %d times", m.Channel, times)
	case m.State == outbound.MaybeSent && (times > 1 || m.Channel != "email"):
		p.t.Errorf("a message by %s that maybe left reached the provider %d times", m.Channel, times)
	}
}
