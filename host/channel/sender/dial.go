package sender

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// dialTimeout is how long a provider may take to pick up.
const dialTimeout = 10 * time.Second

// errPrivate: a tenant's settings point into the host's own network.
var errPrivate = errors.New("the address lies in the host's own network: let the operator set senders.private_networks")

// newDialer makes the dialer for providers. Tenants choose the addresses, so that
// the host's own network is closed to them unless the operator opens it; the
// check is on the address that is dialled, whatever name led to it.
func newDialer(private bool) *net.Dialer {
	d := &net.Dialer{Timeout: dialTimeout}
	if !private {
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !public(at.Addr().Unmap()) {
				return errPrivate
			}
			return nil
		}
	}
	return d
}

// public tells whether an address can be a provider's in the internet. 100.64/10
// is for carriers' own networks (RFC 6598).
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}

// newClient makes the HTTP client for gateways: no redirects, since a signed
// message is for one address, and no proxy from the environment.
func newClient(d *net.Dialer) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSHandshakeTimeout: dialTimeout, MaxIdleConnsPerHost: 4,
			IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// reason says why a connection failed, without the address and its secrets.
func reason(err error) string {
	if errors.Is(err, errPrivate) {
		return errPrivate.Error()
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

// clip shortens what a provider said to what a person reads, on one line.
func clip(s string) string {
	const most = 300
	s = strings.Join(strings.Fields(s), " ")
	return strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), most)], ""), "\x00", "")
}
