package plugin

import (
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// User ids for adapters come from the range that systemd's UIDS-GIDS leaves
// unassigned, one per adapter name, so that adapters can't reach each other.
const (
	firstUID = 1879048192
	uidCount = 1 << 24
)

// systemPath is where adapters and their interpreters find programs, whatever the
// host's own PATH is.
const systemPath = "/usr/local/bin:/usr/bin:/bin"

// environment is all that an adapter gets of the host's: nothing secret, and no
// variable that somebody merely happened to export.
func environment(memoryLimit int64) []string {
	env := []string{"PATH=" + systemPath, "LANG=C.UTF-8", "TZ=UTC", "TMPDIR=" + os.TempDir(),
		fmt.Sprintf("GOMEMLIMIT=%d", memoryLimit)}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// accountOf is the user that the adapter runs as where the host is root: one of
// its own, without a name, a home or a file. Elsewhere it is nil, the host's own.
func accountOf(name string) *syscall.Credential {
	if os.Geteuid() != 0 || !mapsUsers() {
		return nil
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash does not fail
	id := firstUID + h.Sum32()%uidCount
	return &syscall.Credential{Uid: id, Gid: id}
}

// mapsUsers tells whether this user namespace knows our user ids; a container's
// root may be root of a small range only (user_namespaces(7)).
func mapsUsers() bool {
	content, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(content)) {
		var inside, outside, length uint64
		if _, err := fmt.Sscan(line, &inside, &outside, &length); err != nil {
			return false
		}
		if inside <= firstUID && inside+length >= firstUID+uidCount {
			return true
		}
	}
	return false
}

// checkPeer refuses a connection to a process that is not of the child's group.
func (c *child) checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("look at the adapter's socket: %w", err)
	}
	var peer *unix.Ucred
	var peerErr error
	if err := raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return fmt.Errorf("look at the adapter's socket: %w", err)
	}
	if peerErr != nil {
		return fmt.Errorf("ask who listens on the adapter's socket: %w", peerErr)
	}
	group, err := unix.Getpgid(int(peer.Pid))
	if err != nil || int64(group) != c.pid.Load() {
		return fmt.Errorf("process %d listens on the socket of adapter process %d", peer.Pid, c.pid.Load())
	}
	return nil
}
