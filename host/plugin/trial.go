package plugin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/clientele-crm/clientele/sdk/conformance"
)

// Trial is a program that runs outside of any registry, started and confined as a
// registry would, to see what it is worth. It is safe for concurrent use.
type Trial struct {
	// Path is the program or package; SHA256 is its digest.
	Path, SHA256 string

	artifact artifact
	options  Options
}

// NewTrial takes the program, or the package of a directory, into the store of the
// options, which should be thrown away afterwards.
func NewTrial(path string, o Options) (*Trial, error) {
	o = NewRegistry(o).options
	sum, err := store{dir: o.StoreDir}.take(path)
	if err != nil {
		return nil, err
	}
	if err := prepare(o); err != nil {
		return nil, err
	}
	return &Trial{Path: path, SHA256: sum, artifact: artifact{sha256: sum, path: store{dir: o.StoreDir}.path(sum)}, options: o}, nil
}

// Start starts one process of it; it is a conformance.Dial.
func (t *Trial) Start(ctx context.Context) (*conformance.Process, error) {
	log := &transcript{}
	o := t.options
	o.overhear = log
	p, err := launch(ctx, t.artifact, o)
	if err != nil {
		return nil, fmt.Errorf("the adapter %s: %w", t.Path, err)
	}
	return &conformance.Process{Adapter: p.adapter, Stop: p.kill, Logs: log.String}, nil
}

// Simulator is how the CRM's simulator named so is started: what a package's
// manifest says, else the program NAME-simulator beside the adapter's, else
// crm-simulator there. dir is the directory to start it in.
func (t *Trial) Simulator(name string) (command []string, dir string, err error) {
	info, err := os.Stat(t.Path)
	if err != nil {
		return nil, "", err
	}
	dir = t.Path
	if info.IsDir() {
		m, err := manifestOf(t.Path)
		if err == nil && len(m.Simulator) > 0 {
			return m.Simulator, dir, nil
		}
	} else {
		dir = filepath.Dir(t.Path)
	}
	for _, program := range []string{name + "-simulator", "crm-simulator"} {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return []string{path}, dir, nil
		}
	}
	return nil, "", fmt.Errorf("the simulator %q: neither %[1]s-simulator nor crm-simulator is in %[2]s: build it there, name it with --simulator, or give an account with --settings", name, dir)
}

func manifestOf(dir string) (m manifest, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, err
	}
	defer root.Close()
	return readManifest(root)
}

// transcript keeps what a process says, up to a bound.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

const longestTranscript = 4 << 20

// Write implements io.Writer.
func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(b[:min(len(b), longestTranscript-t.text.Len())])
	return len(b), nil
}

// String is what was said.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
