// Command clientele is the host and its command line: it serves, and it talks to
// a host that serves. Run `clientele --help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes.
const (
	exitOK       = 0
	exitFailed   = 1 // something went wrong
	exitUsage    = 2 // the command's words are off
	exitRefused  = 3 // the host refuses: bad input, missing rights
	exitPartly   = 4 // some of several things failed
	exitCanceled = 130
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	os.Exit(exitCode(os.Stderr, err, interrupted))
}

// exitCode says what went wrong and answers the code for it.
func exitCode(stderr io.Writer, err error, interrupted bool) int {
	if err == nil {
		return exitOK
	}
	if interrupted && errors.Is(err, context.Canceled) {
		return exitCanceled
	}
	if coded, ok := errors.AsType[*codedError](err); ok {
		if coded.err != nil {
			fmt.Fprintf(stderr, "clientele: %s\n", coded.err)
		}
		return coded.code
	}
	fmt.Fprintf(stderr, "clientele: %s\n", err)
	return exitFailed
}

// codedError is an error with an exit code of its own; a nil err has been
// reported already.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codedError) Unwrap() error { return e.err }
