package sender

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/clientele-crm/clientele/host/channel/dial"
)

func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// reason says why a connection failed, without the address and its secrets.
func reason(err error) string {
	if errors.Is(err, dial.ErrPrivate) {
		return dial.ErrPrivate.Error() + ": let the operator set senders.private_networks"
	}
	return dial.Reason(err)
}

// clip shortens what a provider said to what a person reads, on one line.
func clip(s string) string {
	const most = 300
	s = strings.Join(strings.Fields(s), " ")
	return strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), most)], ""), "\x00", "")
}
