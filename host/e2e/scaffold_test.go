package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/host/demo"
)

// A third party begins an adapter outside of this repository, builds it, adds a few
// lines to the configuration and reloads; a tenant connects, and a client arrives in
// the scaffold's CRM (R205). The steps are those of sdk/README.md.
func TestAThirdPartysAdapterReachesItsCRM(t *testing.T) {
	t.Parallel()
	const name = "mycrm"
	s := serveStack(t)
	work := t.TempDir()
	begin := exec.Command(filepath.Join(bin, "clientele"), "adapter", "new", name)
	begin.Dir = work
	if out, err := begin.CombinedOutput(); err != nil {
		t.Fatalf("adapter new: %v\n%s", err, out)
	}
	made := filepath.Join(work, name)
	if out, err := exec.Command("make", "-C", made, "build").CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	if out, code := clientele(t, "adapter", "conformance", filepath.Join(made, "bin", "clientele-adapter-"+name), "--only", "creates, and finds again"); code != 0 {
		t.Fatalf("conformance: exit code %d\n%s", code, out)
	}

	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	lines := "  - name: " + name + "\n    path: " + filepath.Join(made, "bin", "clientele-adapter-"+name) + "\n"
	if err := os.WriteFile(s.config, append(text, lines...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.adapter("reload")

	crm, err := demo.RunSimulators(t.Context(), []string{filepath.Join(made, "bin", name+"-simulator")}, "", []string{name}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(crm.Stop)
	s.connect(name, crm.CRMs()[name], name+"-access-token")
	s.do("POST", "/v1/messages", mail(0), nil)
	until(t, time.Minute, func() bool {
		held, err := crm.Held(t.Context(), name)
		return err == nil && held["people"] == 1
	}, "the client to be in the third party's CRM")
}
