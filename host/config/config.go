// Package config reads the host's configuration: one strict YAML file over
// built-in defaults. Everything that is wrong is reported at once, with the line,
// the rule and the way out. It knows what settings there are, not what they do.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/clientele-crm/clientele/configs"
)

// maxBytes bounds a configuration file.
const maxBytes = 1 << 20

// Config is the host's configuration; configs/clientele.yaml documents each
// setting.
type Config struct {
	Data      string    `yaml:"data"`
	HTTP      HTTP      `yaml:"http"`
	Server    Server    `yaml:"server"`
	Database  Database  `yaml:"database"`
	Secrets   Secrets   `yaml:"secrets"`
	Senders   Senders   `yaml:"senders"`
	Assistant Assistant `yaml:"assistant"`
	Log       Log       `yaml:"log"`
	Adapters  []Adapter `yaml:"adapters"`
}

// HTTP is where pages and API are served.
type HTTP struct {
	Listen string `yaml:"listen"`
}

// Server is how the world sees the host.
type Server struct {
	PublicURL string `yaml:"public_url"`
}

// Database says which PostgreSQL; empty means the host's own.
type Database struct {
	URL            Secret `yaml:"url"`
	URLFile        string `yaml:"url_file"`
	MigrateURL     Secret `yaml:"migrate_url"`
	MigrateURLFile string `yaml:"migrate_url_file"`
}

// Secrets says where the key is that seals secrets.
type Secrets struct {
	KeyFile string `yaml:"key_file"`
}

// Senders bounds where tenants may send to.
type Senders struct {
	PrivateNetworks bool `yaml:"private_networks"`
}

// Assistant bounds what tenants may set for their AI endpoints.
type Assistant struct {
	PrivateNetworks bool `yaml:"private_networks"`
}

// Log says how much is logged.
type Log struct {
	Level string `yaml:"level"`
}

// Adapter is one adapter program (R203).
type Adapter struct {
	Name    string `yaml:"name"`
	Path    string `yaml:"path"`
	SHA256  string `yaml:"sha256"`
	Version string `yaml:"version"`
	// ClientID and ClientSecret are the application registered with the CRM, with
	// which tenants sign in that bring none of their own.
	ClientID         string `yaml:"client_id"`
	ClientSecret     Secret `yaml:"client_secret"`
	ClientSecretFile string `yaml:"client_secret_file"`
}

// Secret is text that is never printed.
type Secret string

// String hides the secret.
func (Secret) String() string { return "(hidden)" }

// GoString hides it from %#v too.
func (Secret) GoString() string { return "(hidden)" }

// LogValue hides it from logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// InvalidError is a configuration with everything that is wrong with it.
type InvalidError struct {
	Path     string
	Problems []string
}

// Error lists all problems, one a line.
func (e *InvalidError) Error() string {
	return e.Path + ":\n  " + strings.Join(e.Problems, "\n  ")
}

// Load reads the file at path over the defaults, or only the defaults when path
// is empty. binDir is the directory that relative adapter paths start at. Error:
// *InvalidError.
func Load(path, binDir string) (Config, error) {
	var c Config
	if err := decode(configs.Host, &c); err != nil {
		return c, &InvalidError{Path: "built-in configuration", Problems: []string{err.Error()}}
	}
	shown := "built-in configuration"
	if path != "" {
		shown = path
		text, err := read(path)
		if err != nil {
			return c, &InvalidError{Path: path, Problems: []string{err.Error()}}
		}
		c.Adapters = nil
		if err := decode(text, &c); err != nil {
			return c, &InvalidError{Path: path, Problems: yamlProblems(err)}
		}
	}
	problems := c.complete(binDir)
	if problems = append(problems, c.validate()...); len(problems) > 0 {
		return c, &InvalidError{Path: shown, Problems: problems}
	}
	return c, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("can't be read: %w: name an existing file with --config", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("can't be read: %w", err)
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("is larger than %d KB: this is no configuration", maxBytes>>10)
	}
	return text, nil
}

func decode(text []byte, into *Config) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("holds a second document: keep one")
	}
	return nil
}

func yamlProblems(err error) []string {
	several, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	var problems []string
	for _, p := range several.Errors {
		if i := strings.Index(p, " not found in type"); i >= 0 {
			problems = append(problems, p[:i]+" is no setting: see configs/clientele.yaml for all of them")
			continue
		}
		problems = append(problems, p)
	}
	return problems
}

// fileSecret is a secret that may stand in a file of its own.
type fileSecret struct {
	name  string
	value *Secret
	file  string
}

// complete reads the _file twins and makes paths absolute.
func (c *Config) complete(binDir string) (problems []string) {
	secrets := []fileSecret{
		{"database.url", &c.Database.URL, c.Database.URLFile},
		{"database.migrate_url", &c.Database.MigrateURL, c.Database.MigrateURLFile},
	}
	for i := range c.Adapters {
		a := &c.Adapters[i]
		secrets = append(secrets, fileSecret{fmt.Sprintf("adapters[%d].client_secret", i), &a.ClientSecret, a.ClientSecretFile})
	}
	for _, s := range secrets {
		if s.file == "" {
			continue
		}
		if *s.value != "" {
			problems = append(problems, s.name+" and "+s.name+"_file are both set: keep one")
			continue
		}
		text, err := read(s.file)
		if err != nil {
			problems = append(problems, s.name+"_file: "+err.Error())
			continue
		}
		*s.value = Secret(strings.TrimSpace(string(text)))
	}
	if c.Data == "" {
		c.Data = DefaultData(os.Geteuid(), os.Getenv("XDG_STATE_HOME"), os.Getenv("HOME"))
	}
	for i := range c.Adapters {
		if a := &c.Adapters[i]; a.Path != "" && !filepath.IsAbs(a.Path) {
			a.Path = filepath.Join(binDir, a.Path)
		}
	}
	return problems
}

// DefaultData is the data directory when none is configured (design.md §3).
func DefaultData(uid int, xdgState, home string) string {
	switch {
	case uid == 0:
		return "/var/lib/clientele"
	case filepath.IsAbs(xdgState):
		return filepath.Join(xdgState, "clientele")
	default:
		return filepath.Join(home, ".local", "state", "clientele")
	}
}

var (
	adapterName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	sha256Hex   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// isPackage tells whether a directory is an adapter in an interpreted language.
func isPackage(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "adapter.json"))
	return err == nil
}

func (c *Config) validate() (problems []string) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.HTTP.Listen); err != nil {
		add("http.listen: %q is no address: write it like 127.0.0.1:8080", c.HTTP.Listen)
	}
	if c.Server.PublicURL != "" {
		if u, err := url.Parse(c.Server.PublicURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			add("server.public_url: is no web address: write it like https://clientele.example.com")
		}
	}
	if c.Database.URL == "" && c.Database.MigrateURL != "" {
		add("database.migrate_url: needs database.url: set both, or none to use the host's own PostgreSQL")
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		add("log.level: %q is no level: use debug, info, warn or error", c.Log.Level)
	}
	seen := map[string]bool{}
	for i, a := range c.Adapters {
		at := fmt.Sprintf("adapters[%d]", i)
		switch {
		case !adapterName.MatchString(a.Name):
			add("%s.name: %q is no short name: use a-z, 0-9 and -, such as hubspot", at, a.Name)
		case seen[a.Name]:
			add("%s.name: %q is there twice: keep one", at, a.Name)
		}
		seen[a.Name] = true
		if a.Path == "" {
			add("%s.path: is missing: name the adapter's program", at)
		} else if info, err := os.Stat(a.Path); err != nil {
			add("%s.path: %s does not exist: build it with `make build`, or correct the path", at, a.Path)
		} else if info.IsDir() && !isPackage(a.Path) {
			add("%s.path: %s is a directory without adapter.json: name the program in it, or a package", at, a.Path)
		}
		if a.ClientSecret != "" && a.ClientID == "" {
			add("%s.client_id: is missing, and client_secret is there: give both", at)
		}
		if a.SHA256 != "" && !sha256Hex.MatchString(a.SHA256) {
			add("%s.sha256: is no SHA-256: want 64 hex digits, as sha256sum prints them", at)
		}
	}
	return problems
}
