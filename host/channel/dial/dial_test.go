package dial_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/host/channel/dial"
)

func TestOwnNetworkIsClosed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1"} {
		c, err := dial.New(false).DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if !errors.Is(err, dial.ErrPrivate) {
			t.Errorf("%s: got %v, want it refused", host, err)
		}
		if err == nil {
			c.Close()
		} else if strings.Contains(dial.Reason(err), port) {
			t.Errorf("the reason holds the address: %s", dial.Reason(err))
		}
	}
	c, err := dial.New(true).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("opened by the operator: %v", err)
	}
	c.Close()
}
