package policy

import (
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a host without zone files knows all zones too
)

// Zones reads time zones and keeps those it has read. Its zero value is ready;
// it may be used concurrently.
type Zones struct {
	known sync.Map // name -> *time.Location, at most all zones there are
}

// Load finds a zone by its IANA name. Offsets ("+02:00"), "" and "Local", which
// package time would take, are refused (R56).
func (z *Zones) Load(name string) (*time.Location, error) {
	if found, ok := z.known.Load(name); ok {
		return found.(*time.Location), nil
	}
	if !zoneName(name) {
		return nil, zoneError(name)
	}
	loaded, err := time.LoadLocation(name)
	if err != nil {
		return nil, zoneError(name)
	}
	z.known.Store(name, loaded)
	return loaded, nil
}

// zoneName keeps out what is no IANA name: what the machine is set to, other
// editions of the database, paths.
func zoneName(s string) bool {
	if s == "" || len(s) > 64 || s == "Local" || s == "localtime" || s == "posixrules" || s == "Factory" ||
		strings.HasPrefix(s, "posix/") || strings.HasPrefix(s, "right/") {
		return false
	}
	return 'A' <= s[0] && s[0] <= 'Z'
}

func zoneError(name string) error {
	return fmt.Errorf("time zone %.70q is not known: use an IANA name such as America/New_York", name)
}
