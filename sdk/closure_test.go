package sdk_test

import (
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Adapter authors pay for everything that the SDK imports, so that each module
// more is a decision: testdata/modules.txt lists them all.
func TestTheImportClosureIsKnown(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.Module.Path}}{{end}}", ".", "./crmhttp")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	got := strings.Join(slices.Compact(modules), "\n") + "\n"
	const path = "testdata/modules.txt"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("modules (-want +got; go test ./sdk -run Closure -update accepts them):\n%s", diff)
	}
}

// The SDK knows nothing of the product and nothing of a CRM.
func TestTheSDKImportsOnlyItself(t *testing.T) {
	t.Parallel()
	const module = "github.com/clientele-crm/clientele/"
	out, err := exec.Command("go", "list", "-deps", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if rest, ours := strings.CutPrefix(path, module); ours && rest != "sdk" && !strings.HasPrefix(rest, "sdk/") {
			t.Errorf("sdk imports %s", rest)
		}
	}
}
