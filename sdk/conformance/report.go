package conformance

import (
	"fmt"
	"io"
	"time"
)

// Report is what became of a run.
type Report struct {
	Adapter string `json:"adapter"`
	Version string `json:"version"`
	// Level is the highest one below which every check passed or did not apply.
	Level Level `json:"level"`
	// Green: no check failed.
	Green   bool     `json:"green"`
	Seconds float64  `json:"seconds"`
	Results []Result `json:"results"`
}

// Result is what became of one check: it passed when Problem and LeftOut are empty.
type Result struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Problem is what is wrong, for the adapter's author.
	Problem string `json:"problem,omitempty"`
	// LeftOut is why the check does not apply or could not be made.
	LeftOut string  `json:"left_out,omitempty"`
	Seconds float64 `json:"seconds"`
}

// settle works out the level.
func (r *Report) settle(started time.Time) {
	r.Seconds = time.Since(started).Seconds()
	r.Level, r.Green = Highest, len(r.Results) > 0
	for _, one := range r.Results {
		if one.Problem != "" {
			r.Green = false
		}
		if one.Problem != "" || one.LeftOut == string(noSimulator) {
			r.Level = min(r.Level, one.Level-1)
		}
	}
	if len(r.Results) == 0 {
		r.Level = None
	}
}

// Failed lists the checks that did not pass.
func (r *Report) Failed() []Result {
	var failed []Result
	for _, one := range r.Results {
		if one.Problem != "" {
			failed = append(failed, one)
		}
	}
	return failed
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var passed, failed, out int
	at := None
	for _, one := range r.Results {
		if one.Level != at {
			at = one.Level
			if _, err := fmt.Fprintf(w, "%s\n", at); err != nil {
				return err
			}
		}
		word, why := "ok  ", ""
		switch {
		case one.Problem != "":
			failed++
			word, why = "FAIL", ": "+one.Problem
		case one.LeftOut != "":
			out++
			word, why = "-   ", ": left out, "+one.LeftOut
		default:
			passed++
		}
		if _, err := fmt.Fprintf(w, "  %s  %s%s\n", word, one.Check, why); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s %s reaches level %s of %d: %d checks passed, %d failed, %d left out, in %.1f s\n",
		r.Adapter, r.Version, r.Level, Highest, passed, failed, out, r.Seconds)
	return err
}
