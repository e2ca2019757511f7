package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// errNoBinaries is what a machine without PostgreSQL is told.
var errNoBinaries = errors.New("no PostgreSQL server is installed: run `apt-get install --yes postgresql` (or your system's package), set PG_BINDIR to the directory of initdb and postgres, or set database.url to a server of yours")

// findBinaries returns the directory of initdb and postgres. wanted is the major
// version of an existing cluster ("15"), which only the same major can open, or
// empty for the newest.
func findBinaries(given, wanted string) (string, error) {
	if given = cmp.Or(given, os.Getenv("PG_BINDIR")); given != "" {
		if !hasServer(given) {
			return "", fmt.Errorf("PG_BINDIR %s holds no initdb and postgres: name the directory that does", given)
		}
		return given, nil
	}
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("look for PostgreSQL: %w", err)
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(majorOf(b), majorOf(a)) })
	if wanted != "" {
		dirs = slices.DeleteFunc(dirs, func(d string) bool { return strconv.Itoa(majorOf(d)) != wanted })
	}
	for _, d := range dirs {
		if hasServer(d) {
			return d, nil
		}
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(initdb); err == nil && hasServer(filepath.Dir(real)) {
			return filepath.Dir(real), nil
		}
	}
	if wanted != "" {
		return "", fmt.Errorf("the data directory was made by PostgreSQL %s, which is not installed: run `apt-get install --yes postgresql-%s`", wanted, wanted)
	}
	return "", errNoBinaries
}

func hasServer(dir string) bool {
	return exists(filepath.Join(dir, "initdb")) && exists(filepath.Join(dir, "postgres"))
}

// majorOf reads the 15 of /usr/lib/postgresql/15/bin; 0 when there is none.
func majorOf(binDir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(binDir)))
	if err != nil {
		return 0
	}
	return n
}
