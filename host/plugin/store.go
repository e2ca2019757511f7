package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// largestProgram bounds an adapter; above it something else was named.
	largestProgram = 512 << 20
	packagePrefix  = "package-"
)

// artifact is one version of one adapter: a program in the store.
type artifact struct {
	name    string // empty: whatever it calls itself
	version string // as declared; empty: whatever it says it is
	sha256  string
	path    string // in the store
}

// store keeps adapter programs by the digest of their content. A program is only
// ever launched from here, so that replacing the file at a configured path takes
// nothing from a running adapter, and a program once checked can't be exchanged.
type store struct{ dir string }

// stage takes the declared file into the store and compares it with what the
// declaration pins.
func (s store) stage(d Declaration) (artifact, error) {
	sum, err := s.take(d.Path)
	if err != nil {
		return artifact{}, err
	}
	if d.SHA256 != "" && d.SHA256 != sum {
		return artifact{}, &ChecksumError{Path: d.Path, Expected: d.SHA256, Actual: sum}
	}
	return artifact{name: d.Name, version: d.Version, sha256: sum, path: s.path(sum)}, nil
}

// take copies the program, or the package of a directory, into the store and
// returns its digest.
func (s store) take(path string) (sum string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("take the adapter %s into the store: %w", path, err)
		}
	}()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("the file does not exist: build it, or correct its path")
	case err != nil:
		return "", err
	case info.IsDir():
		return s.put("", func(to io.Writer) error { return pack(path, to) })
	case !info.Mode().IsRegular():
		return "", errors.New("it is neither a file nor a directory: name the adapter's program")
	case info.Size() > largestProgram:
		return "", fmt.Errorf("it has %d bytes, an adapter has at most %d", info.Size(), largestProgram)
	}
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	return s.put("", func(to io.Writer) error {
		_, err := io.Copy(to, io.LimitReader(from, largestProgram))
		return err
	})
}

// fetch has the program written into the store by from, and refuses any other.
func (s store) fetch(ctx context.Context, sum string, from func(context.Context, string, io.Writer) error) error {
	_, err := s.put(sum, func(to io.Writer) error { return from(ctx, sum, to) })
	if err != nil {
		return fmt.Errorf("fetch the adapter program %s: %w", sum, err)
	}
	return nil
}

// put stores what write writes under its digest, which must be the expected one
// unless that is empty. An older copy is replaced: it may have rotted.
func (s store) put(expected string, write func(io.Writer) error) (sum string, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", err
	}
	to, err := os.CreateTemp(s.dir, "taking-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(to.Name()) // no longer there after the rename
	defer to.Close()
	h := sha256.New()
	if err := write(io.MultiWriter(to, h)); err != nil {
		return "", err
	}
	sum = hex.EncodeToString(h.Sum(nil))
	if expected != "" && sum != expected {
		return "", &ChecksumError{Path: s.path(expected), Expected: expected, Actual: sum}
	}
	if err := errors.Join(to.Chmod(programMode(to)), to.Sync(), to.Close()); err != nil {
		return "", err
	}
	return sum, os.Rename(to.Name(), s.path(sum))
}

func (s store) has(sum string) bool {
	_, err := os.Stat(s.path(sum))
	return err == nil
}

// programMode lets others execute and not read: a process that can't read its
// program can't be traced by its own user either (ptrace(2), PR_SET_DUMPABLE). A
// script's interpreter has to read it.
func programMode(f *os.File) fs.FileMode {
	start := make([]byte, 2)
	if _, err := f.ReadAt(start, 0); err == nil && string(start) == "#!" {
		return 0o555
	}
	return 0o511
}

func (s store) path(sum string) string { return filepath.Join(s.dir, sum) }

// program is an artifact that has been verified and may run.
type program struct {
	// file is what was hashed. A program is run by this descriptor: between the
	// check and the start nothing is looked up again.
	file *os.File
	// dir and run are set for a package: where it was unpacked while it was hashed,
	// and how it starts there.
	dir string
	run manifest
}

// openVerified checks an artifact's digest. A package is unpacked below runDir.
func openVerified(a artifact, runDir string) (_ *program, err error) {
	f, err := os.Open(a.path)
	if err != nil {
		return nil, fmt.Errorf("open the adapter's program: %w", err)
	}
	p := &program{file: f}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	h := sha256.New()
	content := io.TeeReader(f, h)
	var unpackErr error
	if isPackage(f) {
		if p.dir, err = os.MkdirTemp(runDir, packagePrefix); err != nil {
			return nil, fmt.Errorf("make a directory for the adapter's package: %w", err)
		}
		p.run, unpackErr = unpack(content, p.dir)
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return nil, fmt.Errorf("read the adapter's program: %w", err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != a.sha256 {
		return nil, &ChecksumError{Path: a.path, Expected: a.sha256, Actual: sum}
	}
	if unpackErr != nil {
		return nil, fmt.Errorf("unpack the adapter's package: %w", unpackErr)
	}
	if p.dir != "" {
		// The adapter's user comes in from outside.
		if err := os.Chmod(p.dir, 0o755); err != nil {
			return nil, fmt.Errorf("open the adapter's package to its user: %w", err)
		}
	}
	return p, nil
}

func (p *program) close() {
	p.file.Close()
	if p.dir != "" {
		_ = os.RemoveAll(p.dir) // swept at the next start otherwise
	}
}

// ChecksumError is the refusal of a program that is not the one expected.
type ChecksumError struct{ Path, Expected, Actual string }

// Error names all three and the way out.
func (e *ChecksumError) Error() string {
	return fmt.Sprintf("the file %s has sha256 %s, expected is %s: put the right file there, or write its checksum into the declaration", e.Path, e.Actual, e.Expected)
}
