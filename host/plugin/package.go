package plugin

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An adapter in an interpreted language is a directory with a manifest. It is
// packed into one archive, always the same for the same files, so that its digest
// covers everything that will run but the interpreter.

// manifestName is the file that makes a directory an adapter.
const manifestName = "adapter.json"

const (
	largestPackage  = 50_000 // files
	largestManifest = 64 << 10
	longestCommand  = 20
)

// manifest says how to run a package.
type manifest struct {
	// Command is an interpreter by its bare name, found on the system's PATH, or a
	// program of the package as ./name; then its arguments. It starts in the
	// package's directory.
	Command []string `json:"command"`
	// Simulator starts the CRM's simulator in the same way, for the conformance
	// suite; the host never runs it.
	Simulator []string `json:"simulator"`
}

// pack writes the directory as an archive that depends on names, contents and
// executable bits only.
func pack(dir string, to io.Writer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Stat(manifestName); err != nil {
		return fmt.Errorf("the directory has no %s: name a program, or add one that says {\"command\": [\"node\", \"adapter.js\"]}", manifestName)
	}
	w := tar.NewWriter(to)
	files, bytes := 0, int64(0)
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files, bytes = files+1, bytes+info.Size()
		if files > largestPackage || bytes > largestProgram {
			return fmt.Errorf("it has more than %d files or %d bytes", largestPackage, largestProgram)
		}
		return packEntry(w, root, name, info)
	})
	if err != nil {
		return err
	}
	return w.Close()
}

func packEntry(w *tar.Writer, root *os.Root, name string, info fs.FileInfo) error {
	h := &tar.Header{Name: name, Mode: 0o444, Format: tar.FormatPAX}
	switch mode := info.Mode(); {
	case mode.IsDir():
		h.Typeflag, h.Mode = tar.TypeDir, 0o555
	case mode.IsRegular():
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if mode&0o111 != 0 {
			h.Mode = 0o555
		}
	case mode&fs.ModeSymlink != 0:
		target, err := root.Readlink(name)
		if err != nil {
			return err
		}
		if !filepath.IsLocal(filepath.Join(filepath.Dir(name), target)) || filepath.IsAbs(target) {
			return fmt.Errorf("%s is a link out of the package", name)
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
	default:
		return fmt.Errorf("%s is neither file, directory nor link", name)
	}
	if err := w.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(w, f, h.Size)
	return err
}

// isPackage tells an archive of pack's from a program.
func isPackage(f io.ReaderAt) bool {
	const magicAt = 257 // POSIX ustar header
	magic := make([]byte, 5)
	_, err := f.ReadAt(magic, magicAt)
	return err == nil && string(magic) == "ustar"
}

// unpack writes a package below dir, which everybody may read and nobody change.
func unpack(from io.Reader, dir string) (manifest, error) {
	var m manifest
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, err
	}
	defer root.Close()
	r := tar.NewReader(from)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return m, m.check()
		}
		if err != nil {
			return m, err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = errors.Join(root.Mkdir(h.Name, 0o755), root.Chmod(h.Name, 0o755)) // whatever the umask
		case tar.TypeSymlink:
			err = root.Symlink(h.Linkname, h.Name)
		case tar.TypeReg:
			err = unpackFile(root, h, r)
		}
		if err == nil && h.Name == manifestName {
			m, err = readManifest(root)
		}
		if err != nil {
			return m, err
		}
	}
}

func unpackFile(root *os.Root, h *tar.Header, from io.Reader) error {
	f, err := root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Chmod(fs.FileMode(h.Mode).Perm()), f.Close())
}

func readManifest(root *os.Root) (m manifest, err error) {
	content, err := root.ReadFile(manifestName)
	if err != nil {
		return m, err
	}
	if len(content) > largestManifest {
		return m, fmt.Errorf("%s has more than %d bytes", manifestName, largestManifest)
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	return m, nil
}

func (m manifest) check() error {
	if len(m.Command) == 0 || len(m.Command) > longestCommand {
		return fmt.Errorf("%s: command: has %d words, 1 to %d are allowed", manifestName, len(m.Command), longestCommand)
	}
	return nil
}

// program finds what to execute for a package in dir.
func (m manifest) program(dir string) (string, error) {
	name := m.Command[0]
	if strings.HasPrefix(name, "./") && filepath.IsLocal(name) {
		return filepath.Join(dir, name), nil
	}
	if strings.ContainsRune(name, filepath.Separator) {
		return "", fmt.Errorf("%s: command: %q is neither an interpreter's bare name nor a program of the package as ./name", manifestName, name)
	}
	for _, in := range filepath.SplitList(systemPath) {
		if path, err := exec.LookPath(filepath.Join(in, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: command: the interpreter %q is not installed in %s", manifestName, name, systemPath)
}
