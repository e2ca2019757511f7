package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/clientele-crm/clientele/sdk"
)

// ear overhears everything that an adapter answers and remembers where a secret
// came back.
type ear struct {
	secrets []string

	mu    sync.Mutex
	heard map[string]bool // calls whose answer held a secret
}

func newEar(c sdk.Connection) *ear {
	e := &ear{secrets: []string{c.Token.AccessToken}, heard: map[string]bool{}}
	const shortest = 8
	for _, value := range c.Token.Extras {
		if len(value) >= shortest && !strings.Contains(value, "://") { // an address is no secret
			e.secrets = append(e.secrets, value)
		}
	}
	return e
}

// holds tells whether a text has a secret in it.
func (e *ear) holds(text string) bool {
	for _, secret := range e.secrets {
		if secret != "" && strings.Contains(text, secret) {
			return true
		}
	}
	return false
}

// hide takes the secrets out of a text.
func (e *ear) hide(text string) string {
	for _, secret := range e.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[secret]")
		}
	}
	return text
}

// leaks lists the calls that gave a secret back.
func (e *ear) leaks() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var calls []string
	for call := range e.heard {
		calls = append(calls, call)
	}
	return calls
}

func (e *ear) hear(call string, reply any, err error) {
	text, _ := json.Marshal(reply) // replies are plain values
	said := string(text)
	if err != nil {
		said += fmt.Sprintf("%v %+v", err, err)
	}
	if !e.holds(said) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[call] = true
}

// listening is an adapter whose answers the ear hears.
type listening struct {
	sdk.Adapter
	ear *ear
}

func heard[Req, Reply any](l listening, ctx context.Context, call string, req Req, method func(context.Context, Req) (Reply, error)) (Reply, error) {
	reply, err := method(ctx, req)
	l.ear.hear(call, reply, err)
	return reply, err
}

func (l listening) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	return heard(l, ctx, "Check", req, l.Adapter.Check)
}

func (l listening) Install(ctx context.Context, req sdk.InstallRequest) (sdk.InstallReply, error) {
	return heard(l, ctx, "Install", req, l.Adapter.Install)
}

func (l listening) DescribeObject(ctx context.Context, req sdk.DescribeObjectRequest) (sdk.DescribeObjectReply, error) {
	return heard(l, ctx, "DescribeObject", req, l.Adapter.DescribeObject)
}

func (l listening) Find(ctx context.Context, req sdk.FindRequest) (sdk.FindReply, error) {
	return heard(l, ctx, "Find", req, l.Adapter.Find)
}

func (l listening) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	return heard(l, ctx, "Write", req, l.Adapter.Write)
}

func (l listening) LogActivities(ctx context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
	return heard(l, ctx, "LogActivities", req, l.Adapter.LogActivities)
}

func (l listening) Delete(ctx context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
	return heard(l, ctx, "Delete", req, l.Adapter.Delete)
}

func (l listening) Changes(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
	return heard(l, ctx, "Changes", req, l.Adapter.Changes)
}

func (l listening) Plan(ctx context.Context, req sdk.WriteRequest) (sdk.PlanReply, error) {
	return heard(l, ctx, "Plan", req, l.Adapter.Plan)
}
