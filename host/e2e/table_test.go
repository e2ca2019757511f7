package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// A test that a README's table of requirements names is there.
func TestTablesOfRequirementsNameTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(rootDir, "core/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Z][A-Za-z]+)`").FindAllSubmatch(text, -1)
	if len(named) < 30 {
		t.Fatalf("only %d tests are named: the pattern is wrong", len(named))
	}
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Z][A-Za-z]+)\(`)
	err = filepath.WalkDir(rootDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !regexp.MustCompile(`_test\.go$`).MatchString(path) {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range named {
		if !there[string(m[1])] {
			t.Errorf("core/README.md names %s, which is no test", m[1])
		}
	}
}
