package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/clientele-crm/clientele/sdk/conformance"
)

// Our own adapters pass what is asked of everybody's, as the programs they are,
// through the host's own launcher.
func TestOurAdaptersConform(t *testing.T) {
	t.Parallel()
	for _, crm := range []string{"hubspot", "salesforce", "dynamics"} {
		t.Run(crm, func(t *testing.T) {
			t.Parallel()
			out, code := clientele(t, "adapter", "conformance", filepath.Join(bin, "clientele-adapter-"+crm), "--json")
			var report conformance.Report
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Fatalf("exit code %d: %v\n%s", code, err, out)
			}
			for _, failed := range report.Failed() {
				t.Errorf("%s: %s", failed.Check, failed.Problem)
			}
			if code != 0 || !report.Green || report.Level != conformance.Highest || report.Adapter != crm {
				t.Errorf("exit code %d, report %+v", code, report)
			}
		})
	}
}

// A program that is no adapter gets a report that says so, and is not green.
func TestConformanceOfSomethingElse(t *testing.T) {
	t.Parallel()
	out, code := clientele(t, "adapter", "conformance", "/bin/true", "--json")
	if code == 0 {
		t.Errorf("/bin/true conforms:\n%s", out)
	}
}
