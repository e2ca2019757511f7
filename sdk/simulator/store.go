package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// Store keeps tables in memory and in a journal file, one line a commit, so that
// a simulator that is killed at any moment comes back with every commit whole or
// not at all. (It does not sync to the disk: a power cut may lose the last
// seconds.) It is not safe for concurrent use; the simulator's lock guards it.
type Store struct {
	file    *os.File // nil without a directory
	tables  map[string]keeper
	loaded  map[string][]change // read from the journal, waiting for their table
	pending []change
	undo    []func()
}

// change is one row's new value; null means that it is gone.
type change struct {
	Table string          `json:"t"`
	Key   string          `json:"k"`
	Value json.RawMessage `json:"v"`
}

// keeper is a Table of any type.
type keeper interface{ rows(yield func(change) bool) }

// Open reads the journal in dir, which is made if needed; "" keeps the state in
// memory alone. A last line that was cut off by a kill is dropped.
func Open(dir string) (*Store, error) {
	s := &Store{tables: map[string]keeper{}, loaded: map[string][]change{}}
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("simulator state: %w", err)
	}
	path := filepath.Join(dir, "state.jsonl")
	if err := s.load(path); err != nil {
		return nil, fmt.Errorf("simulator state %s: %w", path, err)
	}
	if err := s.compact(path); err != nil {
		return nil, fmt.Errorf("simulator state %s: %w", path, err)
	}
	return s, nil
}

// load reads the journal into s.loaded, keeping the order of first writing.
func (s *Store) load(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	type place struct{ table, key string }
	at := map[place]int{}
	in := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			break // nothing left, or a line whose end was never written
		}
		if err != nil {
			return err
		}
		var commit []change
		if err := json.Unmarshal(line, &commit); err != nil {
			return fmt.Errorf("line %d is damaged: %w; remove the file to start empty", n, err)
		}
		for _, c := range commit {
			p := place{c.Table, c.Key}
			if i, known := at[p]; known {
				s.loaded[c.Table][i].Value = c.Value
				continue
			}
			at[p] = len(s.loaded[c.Table])
			s.loaded[c.Table] = append(s.loaded[c.Table], c)
		}
	}
	return nil
}

// compact writes the rows that are left to a new journal and opens it.
func (s *Store) compact(path string) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	for _, rows := range s.loaded {
		for _, row := range rows {
			if gone(row.Value) {
				continue
			}
			line, err := json.Marshal([]change{row})
			if err != nil {
				return errors.Join(err, f.Close())
			}
			_, _ = out.Write(append(line, '\n'))
		}
	}
	if err := errors.Join(out.Flush(), os.Rename(path+".new", path)); err != nil {
		return errors.Join(err, f.Close())
	}
	s.file = f
	return nil
}

func gone(v json.RawMessage) bool { return len(v) == 0 || bytes.Equal(v, []byte("null")) }

// Commit makes everything put since the last commit permanent.
func (s *Store) Commit() error {
	pending := s.pending
	s.pending, s.undo = nil, nil
	if s.file == nil || len(pending) == 0 {
		return nil
	}
	line, err := json.Marshal(pending)
	if err != nil {
		return fmt.Errorf("simulator state: %w", err)
	}
	// One write call: another process never sees half a line, a kill may.
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("simulator state: %w", err)
	}
	return nil
}

// Rollback takes back everything put since the last commit.
func (s *Store) Rollback() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.pending, s.undo = nil, nil
}

// Clear empties all tables and the journal.
func (s *Store) Clear() error {
	for name, t := range s.tables {
		for row := range t.rows {
			s.pending = append(s.pending, change{Table: name, Key: row.Key})
		}
		t.(interface{ clear() }).clear()
	}
	return s.Commit()
}

// Close ends the journal.
func (s *Store) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// Table is the rows of one kind, by key, in the order of first writing. Values
// are replaced as a whole: change a copy and Put it.
type Table[T any] struct {
	name  string
	store *Store
	byKey map[string]T
	keys  []string
	seen  map[string]bool // keys that have a place in the order
}

// OpenTable joins a table to the store and reads its rows. T must survive JSON.
func OpenTable[T any](s *Store, name string) (*Table[T], error) {
	t := &Table[T]{name: name, store: s, byKey: map[string]T{}, seen: map[string]bool{}}
	for _, c := range s.loaded[name] {
		if gone(c.Value) {
			continue
		}
		var v T
		if err := json.Unmarshal(c.Value, &v); err != nil {
			return nil, fmt.Errorf("simulator table %s, row %s: %w", name, c.Key, err)
		}
		t.set(c.Key, v)
	}
	delete(s.loaded, name)
	s.tables[name] = t
	return t, nil
}

// Get returns a row.
func (t *Table[T]) Get(key string) (T, bool) {
	v, ok := t.byKey[key]
	return v, ok
}

// Len is the number of rows.
func (t *Table[T]) Len() int { return len(t.byKey) }

// Put writes a row; it panics when T cannot be written as JSON.
func (t *Table[T]) Put(key string, v T) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("simulator table %s, row %s: %v", t.name, key, err))
	}
	t.remember(key)
	t.set(key, v)
	t.store.pending = append(t.store.pending, change{Table: t.name, Key: key, Value: data})
}

// Delete removes a row, if it is there.
func (t *Table[T]) Delete(key string) {
	if _, ok := t.byKey[key]; !ok {
		return
	}
	t.remember(key)
	delete(t.byKey, key)
	t.store.pending = append(t.store.pending, change{Table: t.name, Key: key})
}

// All yields the rows in the order in which their keys were first written.
func (t *Table[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, key := range t.keys {
			if v, ok := t.byKey[key]; ok && !yield(key, v) {
				return
			}
		}
	}
}

func (t *Table[T]) set(key string, v T) {
	if !t.seen[key] {
		t.seen[key] = true
		t.keys = append(t.keys, key)
	}
	t.byKey[key] = v
}

// remember notes how to take the next change of a row back.
func (t *Table[T]) remember(key string) {
	old, had := t.byKey[key]
	t.store.undo = append(t.store.undo, func() {
		if had {
			t.byKey[key] = old
		} else {
			delete(t.byKey, key)
		}
	})
}

func (t *Table[T]) rows(yield func(change) bool) {
	for key := range t.byKey {
		if !yield(change{Table: t.name, Key: key}) {
			return
		}
	}
}

func (t *Table[T]) clear() {
	t.byKey, t.keys, t.seen = map[string]T{}, nil, map[string]bool{}
}
