package simulator

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// importRun is one import; it is worked off step by step, one step each time
// somebody looks, so that callers meet every state (§10).
type importRun struct {
	ID      string
	State   string
	Portal  int64
	Created string
	Counts  map[string]int
	Rows    []input
	Object  string
	Failed  []importError
}

type importError struct {
	ID           string `json:"id"`
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
	SourceData   struct {
		LineNumber int `json:"lineNumber"`
	} `json:"sourceData"`
}

// importRequest is the JSON part of an import.
type importRequest struct {
	Name             string
	ImportOperations map[string]string
	Files            []struct {
		FileName       string
		FileImportPage struct {
			HasHeader      bool
			ColumnMappings []struct {
				ColumnName, PropertyName, ColumnType string
			}
		}
	}
}

// runningImports is how many run at a time; more wait.
const runningImports = 3

func (s *Simulator) startImport(c *call) answer {
	if err := c.ParseMultipartForm(importMemory); err != nil {
		return s.fail(http.StatusBadRequest, "VALIDATION_ERROR", "a multipart form with importRequest and files is needed")
	}
	var in importRequest
	file, _, err := c.FormFile("files")
	if err != nil || json.Unmarshal([]byte(c.FormValue("importRequest")), &in) != nil || len(in.Files) != 1 {
		return s.fail(http.StatusBadRequest, "VALIDATION_ERROR", "importRequest must be JSON and name the one file")
	}
	defer file.Close()
	o := object{}
	for typeID := range in.ImportOperations {
		o, _ = objectOf(typeID)
	}
	rows, why := readRows(file, in)
	if o.plural == "" || why != "" {
		return s.fail(http.StatusBadRequest, "VALIDATION_ERROR", "importOperations or a column is not valid: "+why)
	}
	n, _ := s.numbers.Get("import")
	s.numbers.Put("import", n+1)
	run := importRun{
		ID: strconv.Itoa(6001 + n), State: "STARTED", Portal: c.portal, Created: stamp(c.now), Counts: map[string]int{},
		Rows: rows, Object: o.plural,
	}
	busy := 0
	for _, other := range s.imports.All() {
		if other.Portal == c.portal && (other.State == "STARTED" || other.State == "PROCESSING") {
			busy++
		}
	}
	if busy >= runningImports {
		run.State = "DEFERRED"
	}
	s.imports.Put(run.ID, run)
	return answer{http.StatusOK, run.view()}
}

// importMemory is how much of an upload is held in memory.
const importMemory = 10 << 20

// readRows turns the file into inputs; every column must be mapped.
func readRows(file io.Reader, in importRequest) (rows []input, why string) {
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, "the file is no CSV"
	}
	mappings := in.Files[0].FileImportPage.ColumnMappings
	if len(mappings) != len(lines[0]) {
		return nil, "every column must be mapped"
	}
	if in.Files[0].FileImportPage.HasHeader {
		lines = lines[1:]
	}
	for _, line := range lines {
		row := input{Properties: map[string]any{}}
		for i, m := range mappings {
			switch m.ColumnType {
			case "HUBSPOT_OBJECT_ID":
				row.ID = line[i]
				continue
			case "HUBSPOT_ALTERNATE_ID":
				row.ID, row.IDProperty = line[i], m.PropertyName
			}
			row.Properties[m.PropertyName] = line[i]
		}
		rows = append(rows, row)
	}
	return rows, ""
}

func (r importRun) view() map[string]any {
	o, _ := objectOf(r.Object)
	return map[string]any{
		"id": r.ID, "state": r.State, "createdAt": r.Created, "updatedAt": r.Created, "optOutImport": false,
		"mappedObjectTypeIds": []string{o.id},
		"metadata":            map[string]any{"counters": r.Counts, "fileIds": []string{"1"}, "objectLists": []string{}},
	}
}

func (s *Simulator) listImports(c *call) answer {
	results := []map[string]any{}
	for _, run := range s.imports.All() {
		if run.Portal == c.portal {
			results = append(results, run.view())
		}
	}
	return answer{http.StatusOK, map[string]any{"results": results}}
}

// importOf finds the import of the path in the caller's portal.
func (s *Simulator) importOf(c *call) (importRun, *answer) {
	run, ok := s.imports.Get(c.PathValue("id"))
	if !ok || run.Portal != c.portal {
		a := s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
		return run, &a
	}
	return run, nil
}

// readImport moves the import one state on.
func (s *Simulator) readImport(c *call) answer {
	run, refused := s.importOf(c)
	if refused != nil {
		return *refused
	}
	switch run.State {
	case "DEFERRED":
		run.State = "STARTED"
	case "STARTED":
		run.State = "PROCESSING"
	case "PROCESSING":
		run = s.work(c, run)
	}
	s.imports.Put(run.ID, run)
	return answer{http.StatusOK, run.view()}
}

// work writes all rows; a bad one is an entry in the error list.
func (s *Simulator) work(c *call, run importRun) importRun {
	o, _ := objectOf(run.Object)
	run.Counts = map[string]int{"TOTAL_ROWS": len(run.Rows)}
	for i, row := range run.Rows {
		v, no := s.upsert(c, o, row)
		switch {
		case no != nil:
			run.Counts["ERRORS"]++
			one := importError{ID: strconv.Itoa(i + 1), ErrorType: importWord(no), ErrorMessage: no.Message}
			one.SourceData.LineNumber = i + 2
			run.Failed = append(run.Failed, one)
		case *v.New:
			run.Counts["CREATED_OBJECTS"]++
		default:
			run.Counts["UPDATED_OBJECTS"]++
		}
	}
	run.State, run.Rows = "DONE", nil
	return run
}

// importWord is the import API's name of a refusal.
func importWord(no *refusal) string {
	for _, w := range [][2]string{
		{"GDPR", "GDPR_BLACKLISTED_EMAIL"}, {invalidEmail, "INVALID_EMAIL"}, {uniqueTaken, "DUPLICATE_UNIQUE_PROPERTY_VALUE"},
	} {
		if strings.Contains(no.Message, w[0]) {
			return w[1]
		}
	}
	return "INVALID_PROPERTY_VALUE"
}

func (s *Simulator) importErrors(c *call) answer {
	run, refused := s.importOf(c)
	if refused != nil {
		return *refused
	}
	limit, err := strconv.Atoi(c.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > 100 {
		limit = 10
	}
	start, _ := strconv.Atoi(c.URL.Query().Get("after"))
	rest := run.Failed[min(max(start, 0), len(run.Failed)):]
	body := map[string]any{"results": append([]importError{}, rest[:min(limit, len(rest))]...)}
	if len(rest) > limit {
		body["paging"] = paging{Next: &next{After: strconv.Itoa(start + limit)}}
	}
	return answer{http.StatusOK, body}
}

func (s *Simulator) cancelImport(c *call) answer {
	run, refused := s.importOf(c)
	if refused != nil {
		return *refused
	}
	if run.State != "DONE" {
		run.State = "CANCELED"
	}
	s.imports.Put(run.ID, run)
	return answer{http.StatusOK, map[string]any{"status": "COMPLETE", "startedAt": stamp(c.now), "completedAt": stamp(c.now)}}
}
