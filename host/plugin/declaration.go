package plugin

import (
	"errors"
	"fmt"
	"regexp"
)

// Declaration is one adapter as the configuration names it (R203).
type Declaration struct {
	// Name is what the adapter calls itself: lower-case letters, digits, hyphens.
	Name string
	// Path of its program, or of a directory with a manifest for one in an
	// interpreted language (package.go). It is copied: replacing it changes nothing
	// until a reload.
	Path string
	// SHA256 of the file, or of the package that a directory makes; empty runs
	// whatever is there.
	SHA256 string
	// Version the adapter must say it is, or empty for any.
	Version string
}

// validate reports every mistake at once.
func validate(declarations []Declaration) error {
	word := regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	digest := regexp.MustCompile(`^[0-9a-f]{64}$`)
	seen := map[string]bool{}
	var errs []error
	for i, d := range declarations {
		field := fmt.Sprintf("adapters[%d]", i)
		switch {
		case !word.MatchString(d.Name):
			errs = append(errs, fmt.Errorf("%s.name: %q is not a name of at most 40 lower-case letters, digits and hyphens, starting with a letter", field, d.Name))
		case seen[d.Name]:
			errs = append(errs, fmt.Errorf("%s.name: %q is declared twice", field, d.Name))
		}
		seen[d.Name] = true
		if d.Path == "" {
			errs = append(errs, fmt.Errorf("%s.path: is empty; name the adapter's program", field))
		}
		if d.SHA256 != "" && !digest.MatchString(d.SHA256) {
			errs = append(errs, fmt.Errorf("%s.sha256: is not 64 lower-case hexadecimal digits; `sha256sum %s` prints them", field, d.Path))
		}
	}
	return errors.Join(errs...)
}
