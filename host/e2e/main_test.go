package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/clientele-crm/clientele/core/db/dbtest"
)

// bin holds the programs, built once for all tests of the package.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clientele-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Adapters may run as another user than root.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bin = dir
	for name, pkg := range map[string]string{
		"clientele": "host/cmd/clientele", "clientele-adapter-hubspot": "plugins/hubspot", "clientele-adapter-salesforce": "plugins/salesforce",
		"clientele-adapter-dynamics": "plugins/dynamics", "crm-simulator": "plugins/cmd/crm-simulator",
	} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/clientele-crm/clientele/"+pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", pkg, err, out)
			return 1
		}
	}
	return dbtest.Run(m)
}
