package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/host/demo"
)

// A newcomer's demo makes what the samples' expectation says; a second run goes
// on there and makes nothing twice.
func TestDemoTwice(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	first, second := runDemo(t, data), runDemo(t, data)
	text, err := os.ReadFile(filepath.Join(rootDir, "configs/samples/expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Report demo.Report `json:"report"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for name, crm := range first.CRM {
		if crm.Calls == 0 {
			t.Errorf("%s: no call was counted", name)
		}
		if again := second.CRM[name]; again == nil || again.Created != 0 || again.Records != crm.Records || again.Activities != crm.Activities {
			t.Errorf("%s: second run %+v after %+v", name, again, crm)
		}
		if w := want.Report.CRM["each"]; crm.Records != w.Records || crm.Created != w.Created || crm.Activities != w.Activities {
			t.Errorf("%s: got %+v, want %+v", name, *crm, *w)
		}
	}
	if first.Messages != want.Report.Messages || first.ClientsCreated != want.Report.ClientsCreated || first.ConversationsLinked != want.Report.ConversationsLinked {
		t.Errorf("got %+v, want %+v", first, want.Report)
	}
	if second.ClientsCreated != 0 || second.ClientsUpdated != 0 || second.ConversationsLinked != 0 {
		t.Errorf("the second run made something: %+v", second)
	}
	wantNoProcess(t, data)
}

// Killed hard, the host takes its PostgreSQL, adapters and simulators along
// within two seconds.
func TestNothingOutlivesTheHost(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	config := filepath.Join(data, "clientele.yaml")
	if err := os.WriteFile(config, []byte("data: "+data+"\nhttp: {listen: \"127.0.0.1:0\"}\nadapters:\n  - {name: hubspot, path: clientele-adapter-hubspot}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "clientele"), "demo", "--config", config)
	var said lockedBuffer
	cmd.Stderr = &said
	cmd.Stdout = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, func() bool { return strings.Contains(said.String(), "Sign in as") }, "the demo to serve")
	if len(processes(t, data)) == 0 {
		t.Fatal("no process of the host's is found: the test would prove nothing")
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed: there is no exit code to look at
	time.Sleep(2 * time.Second)
	wantNoProcess(t, data)
	if again := runDemo(t, data); again.ClientsCreated != 0 {
		t.Errorf("after the kill %d clients were made again", again.ClientsCreated)
	}
}

// What is wrong is said with the field, the rule and the way out.
func TestCommandLineRefusals(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	bad := filepath.Join(data, "bad.yaml")
	text := "htp: {listen: x}\nhttp: {listen: nowhere}\nlog: {level: loud}\nadapters:\n  - {name: Hub Spot, path: /nowhere/adapter}\n"
	if err := os.WriteFile(bad, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(data, "wrong.yaml")
	if err := os.WriteFile(wrong, []byte("http: {listen: nowhere}\nlog: {level: loud}\nadapters:\n  - {name: hubspot, path: /nowhere/adapter}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	messages := filepath.Join(data, "bad.jsonl")
	if err := os.WriteFile(messages, []byte("{\"channel\":\"fax\"}\n{\"chanel\":\"sms\"}\nno json\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(data, "big.eml")
	if err := os.WriteFile(big, append([]byte("From: a@b.com\n\n"), bytes.Repeat([]byte("x"), 50<<20)...), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"an unknown setting", []string{"serve", "--config", bad}, 2, []string{"line 1", "htp", "is no setting"}},
		{"all wrong values at once", []string{"serve", "--config", wrong}, 2, []string{"http.listen", "log.level", "adapters[0].path", "does not exist"}},
		{"no config", []string{"serve", "--config", "/nowhere.yaml"}, 2, []string{"/nowhere.yaml", "--config"}},
		{"an unknown flag", []string{"serve", "--colour"}, 2, []string{"--colour"}},
		{"bad messages", []string{"ingest", "--data", filepath.Join(data, "d"), messages}, 4, []string{"channel", "use email, sms, chat, voice", "chanel", "bad.jsonl:3"}},
		{"a 50 MB mail", []string{"ingest", "--data", filepath.Join(data, "d"), big}, 4, []string{"25 MB"}},
		{"no such file", []string{"ingest", "--data", filepath.Join(data, "d"), "/nowhere.eml"}, 2, []string{"/nowhere.eml"}},
		{"no such tenant", []string{"ingest", "--data", filepath.Join(data, "d"), "--tenant", "nobody", messages}, 4, []string{"nobody", "clientele tenant list"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { // one after the other: one data directory
			out, code := clientele(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not said in:\n%s", want, out)
				}
			}
		})
	}
}

func runDemo(t *testing.T, data string) demo.Report {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(filepath.Join(bin, "clientele"), "demo", "--once", "--json", "--data", data)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, said.String())
	}
	var r demo.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("demo printed %q: %v", out, err)
	}
	return r
}
