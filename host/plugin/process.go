package plugin

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/clientele-crm/clientele/sdk"
)

const (
	startTimeout    = 15 * time.Second
	describeTimeout = 5 * time.Second
	// A frozen adapter is to be noticed within 5 s: one interval and one deadline.
	healthInterval = time.Second
	healthDeadline = 3 * time.Second
	// The SDK lets calls in flight finish for 2 s after SIGTERM.
	termPatience = 3 * time.Second
	// A process that ended has written its last words; only a grandchild that
	// escaped its group could still hold the pipes.
	lastWordsPatience = 500 * time.Millisecond
)

// process is one adapter process that shook hands, and the calls in flight to it.
type process struct {
	child       *child
	client      *plugin.Client
	conn        *grpc.ClientConn
	adapter     sdk.Adapter
	description sdk.Description
	words       *words
	oomKills    int64
	started     time.Time

	mu      sync.Mutex
	calls   int
	retired bool
	idle    chan struct{} // closed when retired and no call is left

	killOnce sync.Once
}

// launch starts the artifact's program, shakes hands and asks it to describe
// itself. On failure nothing of it is left, and the error is a cause a person can
// read.
func launch(ctx context.Context, a artifact, o Options) (_ *process, err error) {
	program, err := openVerified(a, o.RunDir)
	if err != nil {
		return nil, err
	}
	p := &process{child: newChild(a.name, program), words: &words{}, oomKills: oomKills(),
		started: time.Now(), idle: make(chan struct{})}
	log := newSink(o.Logger.With("adapter", a.name, "sha256", a.sha256[:12]))
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		Plugins:          sdk.PluginSet(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, socketDir string) (runner.Runner, error) {
			return p.child, p.child.use(append(environment(o.MemoryLimit), spec.Env...), socketDir)
		},
		SkipHostEnv:      true,
		StartTimeout:     startTimeout,
		Stderr:           o.listen(p.words),
		SyncStdout:       o.listen(&printed{sink: log, from: "stdout"}),
		SyncStderr:       o.listen(&printed{sink: log, from: "stderr"}),
		Logger:           log.logger(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: o.RunDir},
		GRPCDialOptions:  []grpc.DialOption{grpc.WithContextDialer(p.child.dial)},
	})
	defer func() {
		if err != nil {
			p.kill()
		}
	}()
	// go-plugin's start knows no context; a killed child ends it.
	unwatch := context.AfterFunc(ctx, func() { p.child.signal(syscall.SIGKILL) })
	defer unwatch()
	rpc, err := p.client.Client()
	if err != nil {
		return nil, p.startError(ctx, err)
	}
	raw, err := rpc.Dispense(sdk.PluginName)
	if err != nil {
		return nil, fmt.Errorf("dispense the adapter: %w", err)
	}
	p.adapter = raw.(sdk.Adapter)
	p.conn = rpc.(*plugin.GRPCClient).Conn

	describeCtx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	if p.description, err = p.adapter.Describe(describeCtx); err != nil {
		return nil, p.startError(ctx, fmt.Errorf("it does not describe itself: %w", err))
	}
	return p, checkDescription(p.description, a)
}

// checkDescription refuses an adapter that is another one than declared.
func checkDescription(d sdk.Description, a artifact) error {
	switch {
	case a.name != "" && d.Name != a.name:
		return fmt.Errorf("it calls itself %q: declare it under that name in adapters, or correct the path", d.Name)
	case d.Protocol != sdk.Protocol:
		return protocolError(strconv.Itoa(d.Protocol))
	case a.version != "" && d.Version != a.version:
		return fmt.Errorf("it is version %q, declared is %q: correct the declaration's version or path", d.Version, a.version)
	}
	return nil
}

func protocolError(theirs string) error {
	return fmt.Errorf("it speaks adapter protocol %s and this host speaks %d: install a version made for this host", theirs, sdk.Protocol)
}

// startError turns what go-plugin says about a start into what the operator needs.
func (p *process) startError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("the start was broken off: %w", cause)
	}
	if errors.Is(err, syscall.ENOEXEC) {
		return errors.New("it is not a program for this machine (exec format error): build it for this system")
	}
	if greeting := p.child.greeting.line(); greeting != "" {
		// core protocol | our protocol | network | address | transport
		parts := strings.Split(greeting, "|")
		switch {
		case len(parts) < 5:
			return fmt.Errorf("it printed %q instead of the handshake: it is no Clientele adapter, or it prints to stdout before sdk.Serve", redact(greeting))
		case parts[1] != strconv.Itoa(sdk.Protocol):
			return protocolError(parts[1])
		case parts[4] != string(plugin.ProtocolGRPC):
			return fmt.Errorf("it speaks %s, and only gRPC is allowed: build it with the current SDK", redact(parts[4]))
		}
	}
	// Give it the time to end by itself, to learn how.
	if p.child.pid.Load() != 0 && p.child.gone(lastWordsPatience) && !killed(p.child.state) {
		return fmt.Errorf("it ended while starting: %s", p.cause())
	}
	return fmt.Errorf("it did not start: %w", err)
}

// acquire counts a call in, unless the process takes no more.
func (p *process) acquire() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired {
		return false
	}
	p.calls++
	return true
}

func (p *process) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	p.idleLocked()
}

// retire lets no more calls in. idle is closed when the last one has left.
func (p *process) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.retired {
		p.retired = true
		p.idleLocked()
	}
}

func (p *process) idleLocked() {
	if p.retired && p.calls == 0 {
		close(p.idle)
	}
}

func (p *process) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// check asks for the process's health, with a deadline: a frozen process does not
// refuse, it says nothing.
func (p *process) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthDeadline)
	defer cancel()
	reply, err := grpc_health_v1.NewHealthClient(p.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("it hung: no answer for %v", healthDeadline)
	case err != nil:
		return errors.New("its connection broke")
	case reply.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING:
		return fmt.Errorf("it reports %v", reply.GetStatus())
	}
	return nil
}

// stop lets the calls in flight finish, until drain ends, and ends the process.
func (p *process) stop(drain context.Context) {
	p.retire()
	select {
	case <-p.idle:
	case <-p.child.exited:
	case <-drain.Done():
	}
	p.child.signal(syscall.SIGTERM)
	p.child.gone(termPatience)
	p.kill()
}

// kill ends the process at once and clears up behind it.
func (p *process) kill() {
	p.retire()
	p.killOnce.Do(func() {
		p.child.signal(syscall.SIGKILL)
		if p.child.pid.Load() != 0 {
			<-p.child.exited
			p.hear()
		}
		p.child.close()
		p.client.Kill() // the process is gone, so this only clears up
	})
}

// hear waits until everything a dead process wrote has been read.
func (p *process) hear() {
	select {
	case <-p.child.silent:
	case <-time.After(lastWordsPatience):
	}
}
