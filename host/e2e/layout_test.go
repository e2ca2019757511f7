package e2e_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/clientele-crm/clientele/"

// The import rule of design.md §2: arrows point inward.
func TestImportRule(t *testing.T) {
	t.Parallel()
	mayImport := map[string][]string{
		"core":       {"core", "migrations"},
		"sdk":        {"sdk"},
		"plugins":    {"sdk", "plugins"}, // its own simulator; see below
		"host":       {"host", "core", "sdk", "configs", "migrations"},
		"configs":    {},
		"migrations": {},
	}
	for pkg, imports := range packages(t) {
		from, ok := strings.CutPrefix(pkg, module)
		if !ok {
			t.Errorf("%s lies outside the module's rooms", pkg)
			continue
		}
		room := strings.Split(from, "/")
		for _, imported := range imports {
			to, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			target := strings.Split(to, "/")
			if !slices.Contains(mayImport[room[0]], target[0]) {
				t.Errorf("%s imports %s: %s may import only %v", from, to, room[0], mayImport[room[0]])
			}
			if room[0] == "plugins" && target[0] == "plugins" && room[1] != target[1] && room[1] != "cmd" {
				t.Errorf("%s imports %s: an adapter knows no other adapter", from, to)
			}
		}
	}
}

// The pure packages decide on values: no database, no network, no clock.
func TestPurePackages(t *testing.T) {
	t.Parallel()
	for pkg, imports := range packages(t) {
		name := strings.TrimPrefix(pkg, module)
		if !slices.Contains([]string{"core/extract", "core/match", "core/policy"}, name) {
			continue
		}
		for _, imported := range imports {
			for _, forbidden := range []string{"github.com/jackc/", "net/http", "database/sql", "os/exec", "log/slog", "github.com/riverqueue/"} {
				if strings.HasPrefix(imported, forbidden) {
					t.Errorf("%s imports %s: it must stay pure", name, imported)
				}
			}
		}
	}
}

// The top level is that of R209.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("git", "-C", root(t), "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"host", "plugins", "sdk", "core", "configs", "migrations", "Makefile", "go.mod", "go.sum", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"}
	for _, file := range strings.Fields(string(out)) {
		if top, _, _ := strings.Cut(file, "/"); !slices.Contains(allowed, top) && !strings.HasPrefix(top, ".") {
			t.Errorf("%s lies at the top level", file)
		}
	}
}

// The six required packages are direct requirements (R208).
func TestRequiredModules(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(root(t), "go.mod")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog", "golang.org/x/oauth2", "github.com/go-resty/resty/v2",
		"github.com/jackc/pgx/v5", "github.com/nyaruka/phonenumbers/v2",
	} {
		direct := false
		for _, r := range mod.Require {
			direct = direct || (r.Path == want && !r.Indirect)
		}
		if !direct {
			t.Errorf("%s is no direct requirement", want)
		}
	}
}

// packages answers the imports of every package of the module, tests left out.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[p.ImportPath] = p.Imports
	}
}

func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}
