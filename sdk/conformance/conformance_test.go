package conformance_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/conformance"
	"github.com/clientele-crm/clientele/sdk/scaffold/example/adapter"
	"github.com/clientele-crm/clientele/sdk/scaffold/example/simulator"
)

// variantEnv makes the test binary play the reference adapter, broken as it says.
const variantEnv = "CONFORMANCE_TEST_VARIANT"

func TestMain(m *testing.M) {
	if name, ok := os.LookupEnv(variantEnv); ok {
		sdk.Serve(variants()[name].wrap(adapter.New(nil)))
	}
	os.Exit(m.Run())
}

// target is the reference adapter as a process, with a CRM of its own.
func target(t *testing.T, variant string) conformance.Target {
	t.Helper()
	crm, err := simulator.New("")
	if err != nil {
		t.Fatal(err)
	}
	port, admin := httptest.NewServer(crm), httptest.NewServer(adminPaths(crm.Admin()))
	t.Cleanup(func() {
		port.Close()
		admin.Close()
		if err := crm.Close(); err != nil {
			t.Error(err)
		}
	})
	at := conformance.Simulator{Admin: strings.TrimPrefix(admin.URL, "http://"), Name: "example"}
	conn, err := conformance.Connect(t.Context(), at, strings.TrimPrefix(port.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return conformance.Target{Connection: conn, Simulator: &at, Settling: 500 * time.Millisecond, Dial: func(context.Context) (*conformance.Process, error) {
		return launch(t, variant)
	}}
}

// launch starts this binary as an adapter, the way a host does.
func launch(t *testing.T, variant string) (*conformance.Process, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{variantEnv + "=" + variant, "TMPDIR=" + t.TempDir()}
	log := &logBuffer{}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.PluginSet(), Cmd: cmd, SkipHostEnv: true, Stderr: log, SyncStdout: log, SyncStderr: log,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, StartTimeout: time.Minute, Logger: hclog.NewNullLogger(),
	})
	rpc, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, err
	}
	raw, err := rpc.Dispense(sdk.PluginName)
	if err != nil {
		client.Kill()
		return nil, err
	}
	return &conformance.Process{Adapter: raw.(sdk.Adapter), Stop: client.Kill, Logs: log.String}, nil
}

func TestTheReferenceAdapterReachesTheHighestLevel(t *testing.T) {
	t.Parallel()
	report, err := conformance.Run(t.Context(), target(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Text(&text); err != nil {
		t.Fatal(err)
	}
	if !report.Green || report.Level != conformance.Highest {
		t.Errorf("level %s:\n%s", report.Level, text.String())
	}
	t.Log(text.String())
}
