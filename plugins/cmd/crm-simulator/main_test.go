package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestItServesUntilItsParentIsGone(t *testing.T) {
	t.Parallel()
	parent, parentEnd := io.Pipe()
	reading, writing := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(context.Background(), []string{
			"--hubspot", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", t.TempDir(), "--lifeline",
		}, parent, writing)
	}()
	line, err := bufio.NewReader(reading).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var addresses map[string]string
	if err := json.Unmarshal([]byte(line), &addresses); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	for path, want := range map[string]int{
		"http://" + addresses["hubspot"] + "/account-info/2026-09/details": http.StatusUnauthorized,
		"http://" + addresses["admin"] + "/_sim/hubspot/counters":          http.StatusOK,
		"http://" + addresses["hubspot"] + "/_sim/hubspot/counters":        http.StatusNotFound,
	} {
		res, err := http.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
	_ = parentEnd.Close()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("still serving 5 s after standard input ended")
	}
}

func TestNothingToServeIsAnError(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--admin", "127.0.0.1:0"}, {"--hubspot", "127.0.0.1:0", "stray"}, {"--hubspot", "nowhere"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := run(ctx, args, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
