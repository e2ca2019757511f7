// Package dial connects to addresses that tenants choose: gateways and AI
// endpoints. It guards the host's own network; what is said over a connection is
// its callers' business.
package dial

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// connectTimeout is how long the other side may take to pick up.
const connectTimeout = 10 * time.Second

// ErrPrivate is an address in the host's own network, which the operator has not
// opened to tenants.
var ErrPrivate = errors.New("the address lies in the host's own network")

// New makes a dialer. Unless private is true it refuses, with [ErrPrivate],
// addresses that are no public ones; the check is on the address that is dialled,
// whatever name led to it.
func New(private bool) *net.Dialer {
	d := &net.Dialer{Timeout: connectTimeout}
	if !private {
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !public(at.Addr().Unmap()) {
				return ErrPrivate
			}
			return nil
		}
	}
	return d
}

// Client makes an HTTP client: no redirects, since what is sent is for one
// address, and no proxy from the environment.
func Client(d *net.Dialer) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSHandshakeTimeout: connectTimeout, MaxIdleConnsPerHost: 4,
			IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Reason says why a connection failed, without the address.
func Reason(err error) string {
	if errors.Is(err, ErrPrivate) {
		return ErrPrivate.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "it took too long"
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok && failed.Err != nil {
		return failed.Err.Error()
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err.Error()
	}
	return err.Error()
}

// public tells whether an address can be in the internet. 100.64/10 is for
// carriers' own networks (RFC 6598).
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}
