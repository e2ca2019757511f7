package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/plugin"
)

// watchTimeout is longer than the host gives any swap.
const watchTimeout = 5 * time.Minute

// watch calls what takes a while and prints each thing that happens when it does.
func (s *settings) watch(ctx context.Context, path string, body any) error {
	b, err := s.open(ctx, "")
	if err != nil {
		return err
	}
	defer b.close()
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	res, err := b.send(ctx, "POST", path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return refused(res)
	}
	for lines := json.NewDecoder(res.Body); ; {
		var line api.AdapterProgress
		err := lines.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the host's answer broke off; `clientele adapter list` shows what became of it: %w", err)
		case s.json:
			err = printJSON(os.Stdout, line)
		case line.Problem == nil:
			_, err = fmt.Fprintf(os.Stdout, "%s: %s\n", line.Adapter, inWords(line))
		}
		if err != nil {
			return err
		}
		if line.Problem != nil {
			return problemError(line.Problem)
		}
	}
}

func problemError(p *api.Problem) error {
	if p.Status >= http.StatusInternalServerError {
		return errors.New(p.Detail)
	}
	return &codedError{exitRefused, errors.New(p.Detail)}
}

// inWords says what a line means to a person.
func inWords(line api.AdapterProgress) string {
	switch line.Step {
	case plugin.StepStage:
		return "taking the program into the store"
	case plugin.StepStart:
		return "starting it beside what serves"
	case plugin.StepVerify:
		return "trying it with the settings, mappings and CRMs in use"
	case plugin.StepFlip:
		return "sending new calls to it"
	case plugin.StepDrain:
		return "waiting for calls in flight on the version before"
	case plugin.StepDone:
		return "the version before has ended"
	}
	return line.Outcome
}
