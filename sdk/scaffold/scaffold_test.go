package scaffold_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/sdk/scaffold"
)

func TestWrittenFilesBearTheNewName(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string][]string{
		scaffold.Go: {
			"go.mod", "go.sum", "main.go", "Makefile", "README.md", ".gitignore", "adapter/describe.go", "adapter/adapter_test.go", "simulator/simulator.go",
			"cmd/simulator/main.go",
		},
		scaffold.Node: {"package.json", "adapter.json", "adapter.proto", "main.js", "simulator.js", "Makefile", "README.md", "lib/serve.js", "test/adapter.test.js"},
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "acme-crm")
			files, err := scaffold.Write(dir, scaffold.Options{Name: "acme-crm", Lang: lang, Source: "../..", Clientele: "/opt/clientele"})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range want {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Errorf("%s is missing", name)
				}
			}
			old := regexp.MustCompile(`(?i)example|@CLIENTELE@`)
			for _, name := range files {
				text, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if left := old.FindString(strings.ReplaceAll(string(text), "example.com", "")); left != "" && name != "go.sum" {
					t.Errorf("%s still says %q", name, left)
				}
			}
		})
	}
}

func TestWhatCannotBeWrittenLeavesNothing(t *testing.T) {
	t.Parallel()
	for title, test := range map[string]struct {
		o    scaffold.Options
		want string
	}{
		"bad name":     {scaffold.Options{Name: "My CRM", Lang: scaffold.Go}, "lower-case letters"},
		"bad language": {scaffold.Options{Name: "mycrm", Lang: "cobol"}, "go and node"},
		"no source":    {scaffold.Options{Name: "mycrm", Lang: scaffold.Go, Source: "/nowhere"}, "source"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "new")
			if _, err := scaffold.Write(dir, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the directory is there")
			}
		})
	}
	dir := t.TempDir()
	if _, err := scaffold.Write(dir, scaffold.Options{Name: "mycrm", Lang: scaffold.Node}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("into a directory that is there: %v", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error("the directory that was there is gone")
	}
}
