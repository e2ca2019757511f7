package simulator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/sdk/simulator"
)

// tally is a CRM with one route: it stores a row per POST.
type tally struct {
	*simulator.Base
	handler http.Handler
	rows    *simulator.Table[row]
}

func newTally(dir string) (simulator.Simulator, error) {
	store, err := simulator.Open(dir)
	if err != nil {
		return nil, err
	}
	settings := struct {
		Extra int `json:"extra"`
	}{}
	s := &tally{Base: &simulator.Base{Store: store, Settings: &settings}}
	if s.rows, err = simulator.OpenTable[row](store, "rows"); err != nil {
		return nil, err
	}
	s.Faults.Presets = map[string]simulator.Reply{"daily": {Status: 429, Header: map[string]string{"Retry-After": "9"}, Body: `{"policyName":"DAILY"}`}}
	s.Faults.Dos = []string{"forget"}
	s.Held = func(c *simulator.Counts) { c.Held["rows"] = s.rows.Len() }
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rows/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !simulator.Does(r, "forget") {
			s.rows.Put(r.PathValue("id"), row{settings.Extra})
		}
		if r.PathValue("id") == "panic" {
			panic("boom")
		}
		simulator.WriteJSON(w, http.StatusCreated, map[string]string{"id": r.PathValue("id")})
	})
	s.handler = s.Serve(mux)
	return s, nil
}

func (s *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }
func (s *tally) Admin() http.Handler                              { return s.AdminMux(nil) }

// start runs a tally and returns the addresses of its CRM and admin ports.
func start(t *testing.T, data string) (crm, admin string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reading, writing := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- simulator.Run(ctx, []simulator.Served{{Name: "tally", Addr: "127.0.0.1:0", New: newTally}}, "127.0.0.1:0", data, writing)
	}()
	line, err := bufio.NewReader(reading).ReadString('\n')
	if err != nil {
		t.Fatal(err, <-done)
	}
	var addresses map[string]string
	if err := json.Unmarshal([]byte(line), &addresses); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return addresses["tally"], addresses["admin"], stop
}

func post(t *testing.T, addr, id string) (int, http.Header, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post("http://"+addr+"/rows/"+id, "application/json", strings.NewReader("{}"))
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	_, err = io.ReadAll(res.Body)
	return res.StatusCode, res.Header, err
}

func control(t *testing.T, method, admin, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, simulator.AdminURL(admin, "tally", path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, out)
}

func counts(t *testing.T, admin string) simulator.Counts {
	t.Helper()
	_, body, _ := strings.Cut(control(t, "GET", admin, "counters", ""), " ")
	var c simulator.Counts
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  string
		status int  // 0: no answer
		stored bool // whether the CRM committed
	}{
		"none that fits":   {`{"path":"/other/**","status":500}`, 201, true},
		"other method":     {`{"method":"GET","status":500}`, 201, true},
		"status":           {`{"path":"/rows/*","status":502,"body":"<html>"}`, 502, false},
		"preset":           {`{"preset":"daily"}`, 429, false},
		"cut before":       {`{"path":"/rows/**","cut":"before"}`, 0, false},
		"cut after":        {`{"cut":"after"}`, 0, true},
		"cut in the midst": {`{"cut":"middle"}`, 0, true},
		"delay":            {`{"delay":"1ms"}`, 201, true},
		"inside the CRM":   {`{"do":"forget"}`, 201, false},
		"not yet":          {`{"status":500,"skip":1}`, 201, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crm, admin, _ := start(t, "")
			if got := control(t, "POST", admin, "faults", tc.fault); !strings.HasPrefix(got, "200") {
				t.Fatal(got)
			}
			status, header, err := post(t, crm, "1")
			if err != nil {
				status = 0
			}
			if status != tc.status {
				t.Errorf("status %d (%v), want %d", status, err, tc.status)
			}
			if status == 429 && header.Get("Retry-After") != "9" {
				t.Errorf("preset without its header: %v", header)
			}
			c := counts(t, admin)
			if (c.Held["rows"] == 1) != tc.stored {
				t.Errorf("holds %d rows, want stored=%v", c.Held["rows"], tc.stored)
			}
			if c.Calls != 1 {
				t.Errorf("counted %d calls, want 1: %v", c.Calls, c.Endpoints)
			}
		})
	}
}

func TestAFaultIsUsedUp(t *testing.T) {
	t.Parallel()
	crm, admin, _ := start(t, "")
	control(t, "POST", admin, "faults", `{"status":503,"skip":1,"count":2}`)
	var got []int
	for i := range 5 {
		status, _, err := post(t, crm, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	if fmt.Sprint(got) != "[201 503 503 201 201]" {
		t.Errorf("statuses %v", got)
	}
	control(t, "DELETE", admin, "faults", "")
	if left := control(t, "GET", admin, "faults", ""); left != "200 []\n" {
		t.Errorf("left: %s", left)
	}
}

func TestBadFaultsAreRefused(t *testing.T) {
	t.Parallel()
	_, admin, _ := start(t, "")
	for _, bad := range []string{
		`{"cut":"sideways"}`, `{"preset":"nope"}`, `{"do":"nope"}`, `{"path":"[" }`, `{"delay":"soon"}`, `{"statsu":500}`, `{`,
	} {
		if got := control(t, "POST", admin, "faults", bad); !strings.HasPrefix(got, `400 {"error":"fault: `) {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	crm, admin, stop := start(t, dir)
	control(t, "PATCH", admin, "settings", `{"extra":5}`)
	if _, _, err := post(t, crm, "1"); err != nil {
		t.Fatal(err)
	}
	if status, _, err := post(t, crm, "panic"); err == nil {
		t.Errorf("a panicking handler answered %d", status)
	}
	stop()
	_, admin, _ = start(t, dir)
	if held := counts(t, admin).Held["rows"]; held != 1 {
		t.Errorf("holds %d rows after the restart, want 1 (and none of the request that panicked)", held)
	}
}

func TestClockAndSettings(t *testing.T) {
	t.Parallel()
	_, admin, _ := start(t, "")
	for body, want := range map[string]string{
		`{"now":"2030-01-02T03:04:05Z"}`: "200 {\"now\":\"2030-01-02T03:04:0",
		`{"advance":"x"}`:                `400 {"error":"clock`,
		`[]`:                             `400 {"error":"clock`,
	} {
		if got := control(t, "POST", admin, "clock", body); !strings.HasPrefix(got, want) {
			t.Errorf("clock %s: %s, want %s", body, got, want)
		}
	}
	if got := control(t, "PATCH", admin, "settings", `{"extra":1,"nope":2}`); !strings.HasPrefix(got, "400") {
		t.Errorf("an unknown switch was taken: %s", got)
	}
	if got := control(t, "GET", admin, "settings", ""); got != "200 {\"extra\":0}\n" {
		t.Errorf("settings after a refused change: %s", got)
	}
}

func TestATakenPortIsOneSentence(t *testing.T) {
	t.Parallel()
	crm, _, _ := start(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := simulator.Run(ctx, []simulator.Served{{Name: "tally", Addr: crm, New: newTally}}, "127.0.0.1:0", "", io.Discard)
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}
