package crmhttp

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// BaseURL checks an address that tokens will be sent to: an absolute https URL
// without query, fragment or user. Plain http is allowed on the loopback
// interface alone, where simulators live. The result has no trailing slash.
func BaseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("base URL %q: want an absolute URL such as https://api.example.com", raw)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("base URL of %s: must have no query, fragment or user name", u.Host)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return "", fmt.Errorf("base URL of %s: must use https; http is only for this machine (127.0.0.1)", u.Host)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
