package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
)

//go:embed templates static
var files embed.FS

// look is the parsed templates and the files that pages load.
type look struct {
	pages  map[string]*template.Template
	assets map[string]asset // by file name
}

type asset struct {
	content []byte
	version string // digest of the content: a changed file has a new address
}

// loadLook parses every template there is.
func loadLook() (*look, error) {
	l := &look{pages: map[string]*template.Template{}, assets: map[string]asset{}}
	if err := l.loadAssets(); err != nil {
		return nil, err
	}
	functions := template.FuncMap{"t": text, "n": count, "asset": l.address}
	base, err := template.New("base").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse the page frame: %w", err)
	}
	names, err := fs.Glob(files, "templates/page_*.html")
	if err != nil {
		return nil, fmt.Errorf("list the pages: %w", err)
	}
	for _, name := range names {
		page, err := template.Must(base.Clone()).ParseFS(files, name)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		l.pages[strings.TrimSuffix(strings.TrimPrefix(path.Base(name), "page_"), ".html")] = page
	}
	return l, nil
}

func (l *look) loadAssets() error {
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return fmt.Errorf("list the static files: %w", err)
	}
	for _, e := range entries {
		content, err := fs.ReadFile(files, "static/"+e.Name())
		if err != nil {
			return fmt.Errorf("read %s: %w", e.Name(), err)
		}
		sum := sha256.Sum256(content)
		l.assets[e.Name()] = asset{content: content, version: hex.EncodeToString(sum[:6])}
	}
	return nil
}

// address is where a static file is had, with its version.
func (l *look) address(name string) (string, error) {
	a, ok := l.assets[name]
	if !ok {
		return "", fmt.Errorf("there is no static file %s", name)
	}
	return "/static/" + name + "?v=" + a.version, nil
}

// ServeHTTP serves the static files; browsers keep a version for ever.
func (l *look) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	a, ok := l.assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(a.content))
}

// frame is what every page shows around its own part.
type frame struct {
	Title  string
	Active string // the navigation entry, as a path
	Theme  string // "", "light" or "dark"
	Here   string // where a form of the frame returns to
	Who    *who
}

// who is the person in the user menu.
type who struct {
	Name, Initials, Role, Tenant string
	Operator, Admin              bool
}

func (s *site) frame(v *visit, title, active string) frame {
	f := frame{Title: text(title), Active: active, Theme: theme(v.r), Here: v.r.URL.RequestURI()}
	if v.r.Method != http.MethodGet {
		f.Here = v.r.URL.Path
	}
	if v.actor.Kind != "" {
		f.Who = &who{
			Name: v.actor.Name, Initials: initials(v.actor.Name), Role: text("role." + roleName(v.actor)), Tenant: v.tenant.Name,
			Operator: v.actor.Kind == actor.Operator, Admin: v.actor.May(actor.Administer),
		}
	}
	return f
}

func roleName(a actor.Actor) string {
	if a.Kind == actor.Operator {
		return "operator"
	}
	return string(a.Role)
}

// show writes a page. It is made in memory first, so that an error in the middle
// doesn't leave half a page.
func (s *site) show(v *visit, status int, page string, data any) {
	var b bytes.Buffer
	if err := s.look.pages[page].ExecuteTemplate(&b, "layout", data); err != nil {
		s.Logger.ErrorContext(v.ctx(), "render a page", "page", page, "error", err)
		http.Error(v.w, text("error.internal"), http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) // the visitor is gone if this fails
}

// initials are at most two letters of a name, for the user menu.
func initials(name string) string {
	var out []rune
	for _, word := range strings.Fields(name) {
		if len(out) == 2 {
			break
		}
		out = append(out, []rune(strings.ToUpper(word))[0])
	}
	return string(out)
}
