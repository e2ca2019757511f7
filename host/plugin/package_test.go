package plugin

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func archive(tb testing.TB, headers ...tar.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := []byte(`{"command": ["sh"]}`)
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(content); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// FuzzUnpack: whatever comes, nothing is written outside of the directory.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeReg, Name: manifestName}))
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeReg, Name: "../outside"}))
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeReg, Name: "/outside"}))
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: ".."}, tar.Header{Typeflag: tar.TypeReg, Name: "link/outside"}))
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeDir, Name: "d"}, tar.Header{Typeflag: tar.TypeDir, Name: "d"}))
	f.Add([]byte("no archive"))
	f.Fuzz(func(t *testing.T, content []byte) {
		around := t.TempDir()
		dir := filepath.Join(around, "package")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		m, err := unpack(bytes.NewReader(content), dir)
		if err == nil && len(m.Command) == 0 {
			t.Error("unpacked without an error and without a command")
		}
		entries, err := os.ReadDir(around)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 {
			t.Errorf("written outside: %v", entries)
		}
	})
}

func TestPackRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, manifestName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "abs")); err != nil {
		t.Fatal(err)
	}
	if err := pack(dir, &bytes.Buffer{}); err == nil {
		t.Error("packed a link to /etc/passwd")
	}
}

func TestUnpackedFilesCannotBeChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: manifestName, Mode: 0o444})
	if _, err := unpack(bytes.NewReader(content), dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != fs.FileMode(0o444) {
		t.Errorf("mode %v, want read-only", got)
	}
}

func TestRedactHidesWhatMayBeSecret(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"panic: runtime error: index out of range [5] with length 3": "panic: runtime error: index out of range [5] with length 3",
		"cannot reach ann@example.com":                               "cannot reach [hidden]",
		"Authorization: Bearer abc":                                  "Authorization: Bearer [hidden]",
		"bad key sk_live_4eC39HqLyjWDarjtT1zdp7dc":                   "bad key [hidden]",
		"open /etc/ssl/certs/ca-certificates2.crt: no such file":     "open /etc/ssl/certs/ca-certificates2.crt: no such file",
		"": "",
	} {
		if got := redact(line); got != want {
			t.Errorf("redact(%q) = %q, want %q", line, got, want)
		}
	}
}
