package sdk_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/clientele-crm/clientele/sdk"
)

// The test binary doubles as an adapter process: TestMain serves when the host
// side of these tests started it.
const actAsAdapter = "SDK_TEST_ADAPTER"

func TestMain(m *testing.M) {
	switch os.Getenv(actAsAdapter) {
	case "":
	case "frozen":
		serveFrozen()
		return
	default:
		sdk.Serve(odd{})
	}
	os.Exit(m.Run())
}

// odd is an adapter that answers each record as its key asks.
type odd struct{ sdk.Adapter }

func (odd) Describe(context.Context) (sdk.Description, error) {
	return sdk.Description{Name: "odd", Protocol: sdk.Protocol, SettingsSchema: []byte(`{}`)}, nil
}

func (odd) Check(context.Context, sdk.CheckRequest) (sdk.CheckReply, error) {
	return sdk.CheckReply{}, errors.New("plain error")
}

func (odd) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	what := req.Items[0].ExternalKey
	switch what {
	case "echo":
		return sdk.WriteReply{Outcomes: []sdk.Outcome{{
			ItemID: req.Items[0].ItemID, Done: sdk.Created, Echo: req.Items[0].Fields,
		}}}, nil
	case "hang":
		<-ctx.Done()
		return sdk.WriteReply{}, ctx.Err()
	case "panic":
		panic("boom")
	case "dumpable":
		can, _, _ := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0)
		return sdk.WriteReply{Outcomes: []sdk.Outcome{{ItemID: "1", Done: sdk.Created, CRMID: strconv.Itoa(int(can))}}}, nil
	case "die":
		os.Exit(3)
		return sdk.WriteReply{}, nil
	case "big":
		text := strings.Repeat("x", sdk.MaxMessageBytes+1)
		return sdk.WriteReply{Outcomes: []sdk.Outcome{{Echo: map[string]sdk.Value{"f": sdk.Text(text)}}}}, nil
	default:
		return sdk.WriteReply{}, &sdk.Error{
			Class: sdk.Class(what), Retry: sdk.RetryLater, After: 1500 * time.Millisecond, Field: "email", Code: "CODE",
			Message: "text", Status: 429, RequestID: "id-1",
			Usage: sdk.Usage{Calls: []sdk.BucketCalls{{Bucket: "daily", N: 2}}},
		}
	}
}

// launch starts this binary as an adapter the way a host does.
func launch(t *testing.T) (sdk.Adapter, *plugin.Client) {
	t.Helper()
	return launchAs(t, "1")
}

func launchAs(t *testing.T, what string) (sdk.Adapter, *plugin.Client) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{actAsAdapter + "=" + what, "TMPDIR=" + t.TempDir()}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.PluginSet(), Cmd: cmd, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, StartTimeout: 10 * time.Second,
		Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := rpc.Dispense(sdk.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	return raw.(sdk.Adapter), client
}

func write(t *testing.T, a sdk.Adapter, what string) (sdk.WriteReply, *sdk.Error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if what == "hang" {
		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
	}
	reply, err := a.Write(ctx, sdk.WriteRequest{Items: []sdk.WriteItem{{
		ItemID: "1", ExternalKey: what, Fields: map[string]sdk.Value{"n": sdk.Number(1.5), "gone": sdk.Clear()},
	}}})
	if err == nil {
		return reply, nil
	}
	typed, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		t.Fatalf("error %v is %T, want *sdk.Error", err, err)
	}
	return reply, typed
}

func TestAProcessAnswers(t *testing.T) {
	t.Parallel()
	adapter, _ := launch(t)

	d, err := adapter.Describe(t.Context())
	if err != nil || d.Name != "odd" {
		t.Fatalf("Describe: %+v, %v", d, err)
	}
	reply, failed := write(t, adapter, "echo")
	want := map[string]sdk.Value{"n": sdk.Number(1.5), "gone": sdk.Clear()}
	if failed != nil || !cmp.Equal(reply.Outcomes[0].Echo, want) {
		t.Fatalf("echo: %+v, %v", reply, failed)
	}
	if _, err := adapter.Check(t.Context(), sdk.CheckRequest{}); err.(*sdk.Error).Class != sdk.ClassUnknown {
		t.Errorf("an unclassified error came out as %v", err)
	}
	if _, err := adapter.Find(t.Context(), sdk.FindRequest{}); err.(*sdk.Error).Class != sdk.ClassTransient {
		t.Errorf("a panic in Find came out as %v", err)
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	t.Parallel()
	adapter, _ := launch(t)
	for _, class := range sdk.Classes() {
		_, got := write(t, adapter, string(class))
		want := &sdk.Error{
			Class: class, Retry: sdk.RetryLater, After: 1500 * time.Millisecond, Field: "email", Code: "CODE",
			Message: "text", Status: 429, RequestID: "id-1",
			Usage: sdk.Usage{Calls: []sdk.BucketCalls{{Bucket: "daily", N: 2}}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-sent +received):\n%s", class, diff)
		}
	}
}

func TestALostReplyOfAWriteIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"hang", "panic", "big", "die"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			adapter, _ := launch(t)
			_, err := write(t, adapter, what)
			if err == nil || err.Class != sdk.ClassUnknownOutcome || err.Retry != sdk.RetryReadBack {
				t.Errorf("got %+v, want unknown_outcome and read_back", err)
			}
		})
	}
}

func TestARequestThatIsTooLargeIsRefusedUnsent(t *testing.T) {
	t.Parallel()
	adapter := sdk.NewClient(nil) // no connection: sending would panic
	text := sdk.Text(strings.Repeat("x", sdk.MaxMessageBytes))
	_, err := adapter.Write(t.Context(), sdk.WriteRequest{Items: []sdk.WriteItem{{Fields: map[string]sdk.Value{"f": text}}}})
	if typed, ok := errors.AsType[*sdk.Error](err); !ok || typed.Class != sdk.ClassBatchRefused {
		t.Errorf("got %v, want batch_refused", err)
	}
}

func TestSIGTERMStopsAndRemovesTheSocket(t *testing.T) {
	t.Parallel()
	_, client := launch(t)
	socket := client.ReattachConfig().Addr.String()
	pid, err := strconv.Atoi(client.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the process to exit", client.Exited)
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("socket %s is still there: %v", socket, err)
	}
}

func TestAnAdapterDiesWithItsHost(t *testing.T) {
	t.Parallel()
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	handshake := sdk.Handshake()
	cmd.Env = []string{
		actAsAdapter + "=1", "TMPDIR=" + t.TempDir(), sdk.LifelineEnv + "=3",
		handshake.MagicCookieKey + "=" + handshake.MagicCookieValue,
	}
	cmd.ExtraFiles = []*os.File{reading}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	first := make([]byte, 64)
	n, err := io.ReadAtLeast(stdout, first, 10)
	if err != nil || !strings.HasPrefix(string(first[:n]), "1|1|unix|") {
		t.Fatalf("the first line on stdout is %q, %v; want the handshake", first[:n], err)
	}
	_ = writing.Close()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("exit: %v", err)
		}
	case <-time.After(3 * time.Second):
		t.Error("still running 3 s after the lifeline closed")
	}
}

func TestDescribeByHand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "describe")
	cmd.Env = []string{actAsAdapter + "=1"}
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), `"Name": "odd"`) {
		t.Errorf("describe: %v\n%s", err, out)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 5 s for %s", what)
		}
	}
}
