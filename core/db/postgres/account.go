package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// account is the operating system's user that the server runs as, and the one
// that may connect.
type account struct {
	uid, gid int
	// client is the name of the user that this process is; peer authentication
	// lets it in.
	client string
	// other is set when the server's user is not this process's.
	other bool
}

// serverAccount is the current user, or for root "postgres", else "nobody".
func serverAccount() (account, error) {
	self, err := user.Current()
	if err != nil {
		return account{}, fmt.Errorf("look up the current user (PostgreSQL needs an entry in /etc/passwd): %w", err)
	}
	if os.Geteuid() != 0 {
		return account{uid: os.Getuid(), gid: os.Getgid(), client: self.Username}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil {
			return account{uid: uid, gid: gid, client: self.Username, other: true}, nil
		}
	}
	return account{}, errors.New("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: add one, or run as an ordinary user")
}

// as makes cmd run as the account, in a process group of its own so that a
// Ctrl-C at the terminal reaches us first. deathSignal is what the kernel sends
// when the thread that started cmd is gone.
func (a account) as(cmd *exec.Cmd, deathSignal syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: deathSignal}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

// own makes dir, closed to all but the account, and checks that the account can
// reach it.
func (a account) own(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		return fmt.Errorf("make the directory above the database: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the database's directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close the database's directory to others: %w", err)
	}
	if !a.other {
		return nil
	}
	if err := os.Chown(dir, a.uid, a.gid); err != nil {
		return fmt.Errorf("give the database's directory to the server's user: %w", err)
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		var st unix.Stat_t
		if err := unix.Stat(d, &st); err != nil {
			return fmt.Errorf("look at %s: %w", d, err)
		}
		if !a.mayPass(st) {
			return fmt.Errorf("the directory %s lets no other user pass, so the database server (user id %d) cannot reach %s: run `chmod o+x %s` or choose another data directory", d, a.uid, dir, d)
		}
		if d == filepath.Dir(d) {
			return nil
		}
	}
}

func (a account) mayPass(st unix.Stat_t) bool {
	switch {
	case int(st.Uid) == a.uid:
		return st.Mode&0o100 != 0
	case int(st.Gid) == a.gid:
		return st.Mode&0o010 != 0
	default:
		return st.Mode&0o001 != 0
	}
}
