package extract_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/extract"
)

// levels are the F1 that each field reached on our evaluation set when that was
// last widened; a change of the code may raise but never lower them.
var levels = map[string]float64{
	"names": 0.97, "suggested_names": 0.98, "emails": 0.98, "phones": 0.98, "companies": 0.97, "addresses": 0.97, "birth_dates": 0.98,
}

// evalItem is a message with what must come out of it: a field that isn't
// listed isn't scored, an empty list means that nothing may come out.
type evalItem struct {
	ID     string                     `json:"id"`
	Text   string                     `json:"text"`
	Expect map[string]json.RawMessage `json:"expect"`
}

type evalAnswer struct {
	ID        string                     `json:"id"`
	Suggested map[string]json.RawMessage `json:"suggested"`
	fields    map[string]json.RawMessage
}

type tally struct{ right, wrong, missed int }

func (t tally) f1() float64 {
	if t.right == 0 {
		return 0
	}
	return 2 * float64(t.right) / float64(2*t.right+t.wrong+t.missed)
}

// TestEval reports precision, recall and F1 a field on testdata/eval, messages
// that we wrote for this purpose over the four channels, and fails below the
// recorded levels. `make eval` prints the table.
func TestEval(t *testing.T) {
	files, err := filepath.Glob("testdata/eval/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no evaluation files: %v", err)
	}
	total := make(map[string]*tally)
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var answers bytes.Buffer
		if bad, err := extract.Lines(bytes.NewReader(data), &answers, extract.LineOptions{}); bad > 0 || err != nil {
			t.Fatalf("%s: %d bad lines, %v", name, bad, err)
		}
		items, out := bytes.Split(bytes.TrimSpace(data), []byte("\n")), bytes.Split(bytes.TrimSpace(answers.Bytes()), []byte("\n"))
		if len(items) != len(out) {
			t.Fatalf("%s: %d messages, %d answers", name, len(items), len(out))
		}
		for i := range items {
			scoreItem(t, items[i], out[i], total)
		}
	}
	fmt.Printf("%-16s %6s %6s %6s   right wrong missed\n", "field", "prec", "rec", "F1")
	for _, field := range sortedKeys(total) {
		c := total[field]
		fmt.Printf("%-16s %6.3f %6.3f %6.3f   %5d %5d %6d\n", field, ratio(c.right, c.right+c.wrong), ratio(c.right, c.right+c.missed), c.f1(), c.right, c.wrong, c.missed)
		if want, ok := levels[field]; !ok || c.f1() < want {
			t.Errorf("%s: F1 %.3f is below the recorded level %.3f", field, c.f1(), want)
		}
	}
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func sortedKeys(m map[string]*tally) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func scoreItem(t *testing.T, rawItem, rawAnswer []byte, total map[string]*tally) {
	t.Helper()
	var item evalItem
	var answer evalAnswer
	if err := json.Unmarshal(rawItem, &item); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(rawAnswer, &answer); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(rawAnswer, &answer.fields); err != nil {
		t.Fatal(err)
	}
	for field, expected := range item.Expect {
		got := answer.fields[field]
		if rest, ok := strings.CutPrefix(field, "suggested_"); ok {
			got = answer.Suggested[rest]
		}
		c := total[field]
		if c == nil {
			c = &tally{}
			total[field] = c
		}
		want, have := values(t, expected), values(t, got)
		for v := range have {
			if want[v] {
				c.right++
			} else {
				c.wrong++
				t.Logf("%s %s: wrong %s", item.ID, field, v)
			}
		}
		for v := range want {
			if !have[v] {
				c.missed++
				t.Logf("%s %s: missed %s | %.80s", item.ID, field, v, item.Text)
			}
		}
	}
}

// values makes a field's values comparable: one text each, empty parts left
// out.
func values(t *testing.T, raw json.RawMessage) map[string]bool {
	t.Helper()
	var list []any
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	set := make(map[string]bool)
	for _, v := range list {
		switch v := v.(type) {
		case string:
			set[v] = true
		case map[string]any:
			var parts []string
			for _, k := range []string{"first", "last", "street", "city", "state", "zip", "country"} {
				if s, _ := v[k].(string); s != "" {
					parts = append(parts, k+"="+s)
				}
			}
			set[strings.Join(parts, " ")] = true
		}
	}
	return set
}
