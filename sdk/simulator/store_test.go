package simulator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/sdk/simulator"
)

type row struct{ N int }

func open(t interface{ Fatal(...any) }, dir string) (*simulator.Store, *simulator.Table[row]) {
	s, err := simulator.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	table, err := simulator.OpenTable[row](s, "rows")
	if err != nil {
		t.Fatal(err)
	}
	return s, table
}

func contents(t *simulator.Table[row]) map[string]row {
	out := map[string]row{}
	for k, v := range t.All() {
		out[k] = v
	}
	return out
}

// A store behaves like a map whose uncommitted changes vanish, across any
// sequence of puts, deletes, commits, rollbacks and kills.
func TestAStoreIsAMapThatSurvives(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		dir := filepath.Join(base, fmt.Sprint(runs))
		s, table := open(t, dir)
		committed, now := map[string]row{}, map[string]row{}
		copyOf := func(m map[string]row) map[string]row {
			out := map[string]row{}
			for k, v := range m {
				out[k] = v
			}
			return out
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			switch rapid.SampledFrom([]string{"put", "put", "delete", "commit", "rollback", "kill", "clear"}).Draw(t, "step") {
			case "put":
				v := row{rapid.Int().Draw(t, "value")}
				table.Put(key, v)
				now[key] = v
			case "delete":
				table.Delete(key)
				delete(now, key)
			case "commit":
				if err := s.Commit(); err != nil {
					t.Fatal(err)
				}
				committed = copyOf(now)
			case "rollback":
				s.Rollback()
				now = copyOf(committed)
			case "kill":
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s, table = open(t, dir)
				now = copyOf(committed)
			case "clear":
				if err := s.Clear(); err != nil {
					t.Fatal(err)
				}
				committed, now = map[string]row{}, map[string]row{}
			}
			if diff := cmp.Diff(now, contents(table)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestACommitCutOffByAKillIsDropped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, table := open(t, dir)
	table.Put("a", row{1})
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	path := filepath.Join(dir, "state.jsonl")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`[{"t":"rows","k":"b","v":{"N":2}},{"t":"ro`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	_, table = open(t, dir)
	if diff := cmp.Diff(map[string]row{"a": {1}}, contents(table)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRowsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, table := open(t, dir)
	for _, k := range []string{"9", "10", "8"} {
		table.Put(k, row{})
		if err := s.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	table.Put("9", row{1})
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	_, table = open(t, dir)
	var got []string
	for k := range table.All() {
		got = append(got, k)
	}
	if diff := cmp.Diff([]string{"9", "10", "8"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`[{"t":"rows","k":"a","v":{"N":1}}]` + "\n"))
	f.Add([]byte(`[{"t":"rows","k":"a","v":null}]` + "\n[]\n"))
	f.Add([]byte("null\n"))
	f.Add([]byte("{\n"))
	f.Fuzz(func(t *testing.T, journal []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state.jsonl"), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := simulator.Open(dir)
		if err != nil {
			return // refused, with an error
		}
		defer s.Close()
		table, err := simulator.OpenTable[row](s, "rows")
		if err != nil {
			return
		}
		before := contents(table)
		table.Put("new", row{7})
		if err := s.Commit(); err != nil {
			t.Fatal(err)
		}
		before["new"] = row{7}
		again, reopened := open(t, dir)
		defer again.Close()
		if diff := cmp.Diff(before, contents(reopened)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
