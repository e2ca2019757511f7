// Package scaffold writes the beginning of an adapter outside of this repository:
// a working one, in Go or for Node, with tests, a simulator and a Makefile. The
// templates are the reference adapter in example/, which is built and tested here
// like everything else, and the same in JavaScript in node/. Nothing is fetched.
package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/clientele-crm/clientele/sdk/adapterpb"
)

//go:embed all:example all:node
var templates embed.FS

// The languages there are templates for.
const (
	Go   = "go"
	Node = "node"
)

// modulePath is where the SDK is imported from.
const modulePath = "github.com/clientele-crm/clientele"

// Options say what to write.
type Options struct {
	// Name of the adapter: at most 40 lower-case letters, digits and hyphens,
	// starting with a letter.
	Name string
	// Lang is Go or Node.
	Lang string
	// Source is the directory of Clientele's source that the module is to use; empty:
	// the released Version.
	Source, Version string
	// Clientele is the program that `make conformance` calls.
	Clientele string
}

// Write makes the directory, which must not exist, and answers the files in it. On
// failure nothing is left. Errors name the option at fault.
func Write(dir string, o Options) (files []string, err error) {
	if !regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`).MatchString(o.Name) {
		return nil, fmt.Errorf("name %q: want at most 40 lower-case letters, digits and hyphens, starting with a letter", o.Name)
	}
	from := map[string]string{Go: "example", Node: "node"}[o.Lang]
	if from == "" {
		return nil, fmt.Errorf("language %q: there are templates for go and node; others speak sdk/adapterpb/adapter.proto as these do", o.Lang)
	}
	if _, err := os.Lstat(dir); err == nil {
		return nil, fmt.Errorf("%s is there already: choose another name or directory", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	texts, err := o.texts(from)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir) // we made it
		}
	}()
	for name, text := range texts {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	return files, nil
}

// texts are the files by name.
func (o Options) texts(from string) (map[string]string, error) {
	out := map[string]string{".gitignore": "bin/\ndist/\nnode_modules/\n"}
	err := fs.WalkDir(templates, from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && entry.Name() == "node_modules" {
				return fs.SkipDir
			}
			return err
		}
		text, err := templates.ReadFile(name)
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(name, from+"/")
		out[rel] = o.renamed(string(text))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if o.Lang == Node {
		out["adapter.proto"] = adapterpb.Source
		return out, nil
	}
	out["go.mod"] = o.goMod()
	if o.Source != "" {
		sums, err := os.ReadFile(filepath.Join(o.Source, "go.sum"))
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		out["go.sum"] = string(sums)
	}
	return out, nil
}

// goMod requires the SDK; `go mod tidy` adds what that requires.
func (o Options) goMod() string {
	version := o.Version
	if o.Source != "" || version == "" {
		version = "v0.0.0"
	}
	text := fmt.Sprintf("module clientele-adapter-%s\n\ngo 1.26\n\nrequire %s %s\n", o.Name, modulePath, version)
	if o.Source != "" {
		text += fmt.Sprintf("\nreplace %s => %s\n", modulePath, o.Source)
	}
	return text
}

// renamed puts the adapter's name in the place of the example's, but in domains.
func (o Options) renamed(text string) string {
	label := strings.ToUpper(o.Name[:1]) + strings.ReplaceAll(o.Name[1:], "-", " ")
	return strings.NewReplacer(
		modulePath+"/sdk/scaffold/example", "clientele-adapter-"+o.Name, "@CLIENTELE@", o.Clientele,
		"example.com", "example.com", "example", o.Name, "Example", label,
	).Replace(text)
}
