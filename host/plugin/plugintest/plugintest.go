// Package plugintest is an adapter for tests of the plugin host: the test binary
// itself, started again under an adapter's name. Only tests import it.
package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// Behaviour is one variant of the adapter. It is appended to a copy of the test
// binary, which the format of programs allows: so each variant has its own content
// and digest, without a compiler in the test.
type Behaviour struct {
	Name, Version string
	// Start is what it does instead of serving: exit, panic, noise, protocol,
	// netrpc; or "crash": describe itself, and end a moment later.
	Start string
}

const (
	behaviourMark = "\nCLIENTELE TEST ADAPTER "
	// programFD is where the host leaves the program's own file open.
	programFD = "/proc/self/fd/4"
)

// Program writes a variant into dir and returns its path.
func Program(t testing.TB, dir string, b Behaviour) string {
	t.Helper()
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	tail, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, b.Name+"-"+b.Version+b.Start)
	if err := os.WriteFile(path, append(append(self, behaviourMark...), tail...), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// playWord, as an argument, makes a package's command play the adapter.
const playWord = "play-adapter"

// Package makes a directory with a manifest whose interpreter starts the variant,
// and returns its path.
func Package(t testing.TB, dir string, b Behaviour) string {
	t.Helper()
	pkg := filepath.Join(dir, "package-of-"+b.Name+b.Version)
	if err := os.MkdirAll(filepath.Join(pkg, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(Program(t, dir, b), filepath.Join(pkg, "lib", "adapter")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("lib/adapter", filepath.Join(pkg, "adapter")); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"adapter.json": `{"command": ["sh", "run.sh"]}`,
		// The behaviour is read from the descriptor of the program.
		"run.sh": "exec ./adapter " + playWord + " 4<./adapter\n",
	} {
		if err := os.WriteFile(filepath.Join(pkg, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pkg
}

// Main is the first call of TestMain. In an adapter process it never returns.
func Main() {
	if !strings.HasPrefix(os.Args[0], "clientele-adapter-") && !slices.Contains(os.Args, playWord) {
		return
	}
	b, err := ownBehaviour()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
	switch b.Start {
	case "exit":
		fmt.Fprintln(os.Stderr, "no licence found")
		os.Exit(3)
	case "panic":
		panic("boom for ann@example.com")
	case "noise":
		fmt.Println("starting up")
	case "protocol":
		fmt.Println("1|2|unix|/proc/self/fd/5/x|grpc")
		time.Sleep(time.Minute)
	case "netrpc":
		fmt.Println("1|1|unix|/proc/self/fd/5/x|netrpc")
		time.Sleep(time.Minute)
	}
	sdk.Serve(testAdapter{b: b})
}

func ownBehaviour() (b Behaviour, err error) {
	f, err := os.Open(programFD)
	if err != nil {
		// As another user the file may not be opened again, only read on.
		f = os.NewFile(4, "program")
	}
	info, err := f.Stat()
	if err != nil {
		return b, err
	}
	const most = 4096
	tail := make([]byte, most)
	n, err := f.ReadAt(tail, max(0, info.Size()-most))
	if err != nil && !errors.Is(err, io.EOF) {
		return b, err
	}
	i := bytes.LastIndex(tail[:n], []byte(behaviourMark))
	if i < 0 {
		return b, fmt.Errorf("no behaviour in the program")
	}
	return b, json.Unmarshal(tail[i+len(behaviourMark):n], &b)
}

// testAdapter does in Write and Check what the settings of the call ask for.
type testAdapter struct {
	sdk.Adapter
	b Behaviour
}

func (a testAdapter) Describe(context.Context) (sdk.Description, error) {
	if a.b.Start == "crash" {
		time.AfterFunc(100*time.Millisecond, func() { os.Exit(4) })
	}
	return sdk.Description{Name: a.b.Name, Version: a.b.Version, Protocol: sdk.Protocol, SettingsSchema: []byte(`{}`)}, nil
}

func (a testAdapter) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	answer, err := do(ctx, string(req.Connection.Settings))
	return sdk.CheckReply{Account: answer, APIVersion: a.b.Version}, err
}

func (a testAdapter) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	answer, err := do(ctx, string(req.Connection.Settings))
	var reply sdk.WriteReply
	for _, item := range req.Items {
		reply.Outcomes = append(reply.Outcomes, sdk.Outcome{ItemID: item.ItemID, Done: sdk.Created, CRMID: answer})
	}
	return reply, err
}

func do(ctx context.Context, what string) (answer string, err error) {
	verb, arg, _ := strings.Cut(what, " ")
	switch verb {
	case "exit":
		os.Exit(7)
	case "panic":
		go panic("token sk_live_1234567890abcdef of ann@example.com")
		time.Sleep(time.Second)
	case "sleep":
		d, err := time.ParseDuration(arg)
		if err != nil {
			return "", err
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	case "read":
		content, err := os.ReadFile(arg)
		if err != nil {
			return "refused", nil
		}
		return string(content), nil
	case "list":
		entries, err := os.ReadDir(arg)
		if err != nil {
			return "refused", nil
		}
		return fmt.Sprint(entries), nil
	case "shout":
		long := strings.Repeat("a", 1<<20) + "\n"
		fmt.Fprint(os.Stderr, long)
		fmt.Print(long)
	case "stdin":
		return os.Readlink("/proc/self/fd/0")
	case "uid":
		return fmt.Sprint(os.Getuid()), nil
	}
	return "done", nil
}
