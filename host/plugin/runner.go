package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/clientele-crm/clientele/sdk"
)

// What an adapter process inherits beside its standard streams. Everything is
// passed as an open descriptor, so that the process needs no right to walk the
// host's directories, and a socket's path is short wherever the data directory is.
const (
	fdLifeline = 3 + iota
	fdProgram
	fdSocketDir
)

// socketDirInside is the socket directory as the adapter process reaches it.
func socketDirInside() string { return inherited(fdSocketDir) }

func inherited(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

const (
	// Forks of other goroutines may hold the program's copy open for writing for
	// a moment (golang/go#22315).
	busyTries = 50
	busyWait  = 10 * time.Millisecond
)

// child runs one adapter process for go-plugin. It is go-plugin's Runner because
// the library's own can neither tie the process to us, nor tell how it ended, nor
// run a program by descriptor.
type child struct {
	name    string
	program *program
	account *syscall.Credential

	env           []string
	socketDir     *os.File
	socketDirPath string
	socket        string   // where it listens, as we reach it
	lifeline      *os.File // closing it, or dying, tells the adapter to go
	stdout        *os.File
	stderr        *os.File
	greeting      head

	pid    atomic.Int64 // 0 until started
	exited chan struct{}
	state  *os.ProcessState // set before exited is closed
	silent chan struct{}    // closed at the end of its error output

	closeOnce sync.Once
}

var _ runner.Runner = (*child)(nil)

func newChild(name string, program *program) *child {
	return &child{name: name, program: program, account: accountOf(name),
		exited: make(chan struct{}), silent: make(chan struct{})}
}

// use takes the environment and the socket directory that go-plugin made, and
// gives the directory to the adapter's user.
func (c *child) use(env []string, socketDir string) error {
	c.env, c.socketDirPath = env, socketDir
	if c.account != nil {
		if err := os.Chown(socketDir, int(c.account.Uid), int(c.account.Gid)); err != nil {
			return fmt.Errorf("give the socket directory to the adapter: %w", err)
		}
	}
	f, err := os.Open(socketDir)
	if err != nil {
		return fmt.Errorf("open the socket directory: %w", err)
	}
	c.socketDir = f
	return nil
}

// Start implements runner.Runner.
func (c *child) Start(context.Context) (err error) {
	lifeline, keep, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make the lifeline: %w", err)
	}
	c.lifeline = keep
	defer lifeline.Close()
	stdout, stdoutEnd, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make the output pipe: %w", err)
	}
	c.stdout = stdout
	defer stdoutEnd.Close()
	stderr, stderrEnd, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make the error pipe: %w", err)
	}
	c.stderr = stderr
	defer stderrEnd.Close()
	for try := 1; ; try++ {
		cmd, err := c.command(lifeline, stdoutEnd, stderrEnd)
		if err != nil {
			return err
		}
		err = c.startTied(cmd)
		if !errors.Is(err, syscall.ETXTBSY) || try == busyTries {
			return err
		}
		time.Sleep(busyWait)
	}
}

func (c *child) command(lifeline, stdout, stderr *os.File) (*exec.Cmd, error) {
	cmd := &exec.Cmd{
		Path: inherited(fdProgram),
		Args: []string{"clientele-adapter-" + c.name},
		// go-plugin's env names the directory as we see it; the last one counts.
		Env: append(c.env[:len(c.env):len(c.env)],
			sdk.LifelineEnv+"="+strconv.Itoa(fdLifeline), plugin.EnvUnixSocketDir+"="+socketDirInside()),
		Dir:         "/",
		Stdout:      stdout,
		Stderr:      stderr,
		ExtraFiles:  []*os.File{lifeline, c.program.file, c.socketDir},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: c.account},
	}
	if c.program.dir == "" {
		return cmd, nil
	}
	path, err := c.program.run.program(c.program.dir)
	if err != nil {
		return nil, err
	}
	cmd.Path, cmd.Args, cmd.Dir = path, c.program.run.Command, c.program.dir
	return cmd, nil
}

// startTied starts the process and keeps the thread that forked it: the kernel
// ties the parent-death signal to that thread (golang/go#27505).
func (c *child) startTied(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		if err == nil {
			c.pid.Store(int64(cmd.Process.Pid))
		}
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in ProcessState
		c.state = cmd.ProcessState
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // whatever it started
		close(c.exited)
	}()
	return <-started
}

// Wait implements runner.Runner.
func (c *child) Wait(ctx context.Context) error {
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Kill implements runner.Runner. Unlike the library's it does not wait for the
// adapter's consent.
func (c *child) Kill(context.Context) error {
	c.signal(syscall.SIGKILL)
	return nil
}

// signal reaches the process and whatever it started, while it runs.
func (c *child) signal(s syscall.Signal) {
	select {
	case <-c.exited:
	default:
		if pid := int(c.pid.Load()); pid != 0 {
			_ = syscall.Kill(-pid, s)
		}
	}
}

// gone waits for the process's end and tells whether it came. A child that never
// started is gone.
func (c *child) gone(patience time.Duration) bool {
	if c.pid.Load() == 0 {
		return true
	}
	select {
	case <-c.exited:
		return true
	case <-time.After(patience):
		return false
	}
}

// close gives up our ends of its pipes and its socket, after it ended.
func (c *child) close() {
	c.closeOnce.Do(func() {
		for _, f := range []*os.File{c.lifeline, c.stdout, c.stderr, c.socketDir} {
			if f != nil {
				f.Close()
			}
		}
		c.program.close()
		if c.socketDirPath != "" {
			_ = os.RemoveAll(c.socketDirPath) // swept at the next start otherwise
		}
	})
}

// Stdout implements runner.Runner; the handshake is its first line.
func (c *child) Stdout() io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(c.stdout, &c.greeting), c.stdout}
}

// Stderr implements runner.Runner.
func (c *child) Stderr() io.ReadCloser {
	return &untilSilent{ReadCloser: c.stderr, silent: c.silent}
}

// untilSilent closes silent when there is nothing more to read.
type untilSilent struct {
	io.ReadCloser
	silent chan struct{}
	once   sync.Once
}

// Read implements io.Reader.
func (u *untilSilent) Read(b []byte) (int, error) {
	n, err := u.ReadCloser.Read(b)
	if err != nil {
		u.once.Do(func() { close(u.silent) })
	}
	return n, err
}

// Name implements runner.Runner.
func (c *child) Name() string { return c.name }

// ID implements runner.Runner; go-plugin takes an empty one for "not started".
func (c *child) ID() string {
	if pid := c.pid.Load(); pid != 0 {
		return strconv.FormatInt(pid, 10)
	}
	return ""
}

// Diagnose implements runner.Runner; startError says more.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: the adapter's path of its socket to ours.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" {
		return "", "", fmt.Errorf("it listens on %s %s, and only unix sockets are let in", network, address)
	}
	if path.Dir(address) != socketDirInside() {
		return "", "", fmt.Errorf("it listens outside of the directory that %s gave it", plugin.EnvUnixSocketDir)
	}
	c.socket = filepath.Join("/proc/self/fd", strconv.Itoa(int(c.socketDir.Fd())), path.Base(address))
	return network, c.socket, nil
}

// HostToPlugin implements runner.Runner.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, path.Join(socketDirInside(), path.Base(address)), nil
}

// dial connects to the adapter's socket and makes sure that the process we started
// listens there, not another adapter of the same user.
func (c *child) dial(ctx context.Context, _ string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, err
	}
	if err := c.checkPeer(conn.(*net.UnixConn)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
