package simulator

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// job is a Bulk API 2.0 ingest job (salesforce.md §5.5).
type job struct {
	ID        string     `json:"id"`
	Object    string     `json:"object"`
	Operation string     `json:"operation"`
	Key       string     `json:"key"`
	LineEnd   string     `json:"line_end"`
	Delimiter string     `json:"delimiter"`
	State     string     `json:"state"`
	Message   string     `json:"message,omitempty"`
	Created   string     `json:"created"`
	Version   string     `json:"version"`
	Data      string     `json:"data,omitempty"`
	Uploaded  bool       `json:"uploaded"`
	Polls     int        `json:"polls"`
	Header    []string   `json:"header,omitempty"`
	Done      [][]string `json:"done,omitempty"`
	Failed    [][]string `json:"failed,omitempty"`
	Left      [][]string `json:"left,omitempty"`
}

// The states of a job.
const (
	jobOpen     = "Open"
	jobUploaded = "UploadComplete"
	jobRunning  = "InProgress"
	jobComplete = "JobComplete"
	jobFailed   = "Failed"
	jobAborted  = "Aborted"
)

// pollsOfJob is how often a job is seen running before it is done.
const pollsOfJob = 1

func (j job) answer() ordered {
	version := 0.0
	_, _ = fmt.Sscanf(j.Version, "v%f", &version) // the version was checked by the guard
	out := ordered{{"id", j.ID}, {"operation", j.Operation}, {"object", j.Object}, {"createdById", longID(adminUser)},
		{"createdDate", j.Created}, {"systemModstamp", j.Created}, {"state", j.State}}
	if j.Key != "" {
		out = append(out, pair{"externalIdFieldName", j.Key})
	}
	out = append(out, pair{"concurrencyMode", "Parallel"}, pair{"contentType", "CSV"}, pair{"apiVersion", number(version)})
	if j.State == jobOpen {
		return append(out, pair{"contentUrl", "services/data/" + j.Version + "/jobs/ingest/" + j.ID + "/batches"},
			pair{"lineEnding", j.LineEnd}, pair{"columnDelimiter", j.Delimiter})
	}
	out = append(out, pair{"jobType", "V2Ingest"}, pair{"lineEnding", j.LineEnd}, pair{"columnDelimiter", j.Delimiter},
		pair{"numberRecordsProcessed", len(j.Done) + len(j.Failed)}, pair{"numberRecordsFailed", len(j.Failed)}, pair{"retries", 0},
		pair{"totalProcessingTime", 0}, pair{"apiActiveProcessingTime", 0}, pair{"apexProcessingTime", 0})
	if j.Message != "" {
		out = append(out, pair{"errorMessage", j.Message})
	}
	return out
}

// number writes 66 as 66.0, the way jobs tell their version.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%.1f", float64(n)), nil }

func delimiters() map[string]rune {
	return map[string]rune{"COMMA": ',', "TAB": '\t', "PIPE": '|', "SEMICOLON": ';', "CARET": '^', "BACKQUOTE": '`'}
}

func (s *Simulator) createJob(w http.ResponseWriter, r *request) {
	in := struct {
		Object              string `json:"object"`
		Operation           string `json:"operation"`
		ExternalIDFieldName string `json:"externalIdFieldName"`
		ContentType         string `json:"contentType"`
		LineEnding          string `json:"lineEnding"`
		ColumnDelimiter     string `json:"columnDelimiter"`
	}{ContentType: "CSV", LineEnding: "LF", ColumnDelimiter: "COMMA"}
	f := r.object(&in)
	o, ok := s.object(in.Object)
	switch {
	case f != nil:
	case !ok:
		f = bad("INVALIDJOB", "Unable to find object: "+in.Object)
	case !slices.Contains([]string{"insert", "update", "upsert", "delete"}, in.Operation):
		f = bad("INVALIDJOB", "Unsupported operation: "+in.Operation)
	case in.ContentType != "CSV" || in.LineEnding != "LF" && in.LineEnding != "CRLF" || delimiters()[in.ColumnDelimiter] == 0:
		f = bad("INVALIDJOB", "Unsupported contentType, lineEnding or columnDelimiter")
	case in.Operation == "upsert":
		if _, bad := s.keyField(o, in.ExternalIDFieldName); bad != nil {
			f = fail(http.StatusBadRequest, "INVALIDJOB", "Field name not found : "+in.ExternalIDFieldName)
		}
	}
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	j := job{
		ID: longID(makeID("750", s.next("750"))), Object: o.name, Operation: in.Operation, Key: in.ExternalIDFieldName,
		LineEnd: in.LineEnding, Delimiter: in.ColumnDelimiter, State: jobOpen, Created: s.now(), Version: r.version,
	}
	s.jobs.Put(j.ID, j)
	answer(w, r.Request, http.StatusOK, j.answer())
}

// job is the job of the path.
func (s *Simulator) job(w http.ResponseWriter, r *request) (job, bool) {
	j, ok := s.jobs.Get(longID(r.PathValue("job")))
	if !ok {
		refuse(w, r.Request, notFound())
	}
	return j, ok
}

func (s *Simulator) uploadJob(w http.ResponseWriter, r *request) {
	j, ok := s.job(w, r)
	if !ok {
		return
	}
	if j.Uploaded || j.State != jobOpen {
		refuse(w, r.Request, bad("INVALIDJOBSTATE", "Found multiple contents for job: <"+j.ID+">, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job."))
		return
	}
	j.Data, j.Uploaded = string(r.body), true
	s.jobs.Put(j.ID, j)
	answer(w, r.Request, http.StatusCreated, nil)
}

func (s *Simulator) changeJob(w http.ResponseWriter, r *request) {
	j, ok := s.job(w, r)
	if !ok {
		return
	}
	var in struct {
		State string `json:"state"`
	}
	f := r.object(&in)
	switch {
	case f != nil:
	case in.State == jobAborted && j.State != jobComplete && j.State != jobFailed:
		j.State = jobAborted
	case in.State == jobUploaded && j.State == jobOpen && j.Uploaded:
		j.State = jobUploaded
	default:
		f = bad("INVALIDJOBSTATE", "Job state "+j.State+" cannot become "+in.State+", or nothing was uploaded")
	}
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	s.jobs.Put(j.ID, j)
	answer(w, r.Request, http.StatusOK, j.answer())
}

// readJob answers a job's state; asking moves it on.
func (s *Simulator) readJob(w http.ResponseWriter, r *request) {
	j, ok := s.job(w, r)
	if !ok {
		return
	}
	switch {
	case j.State == jobUploaded:
		j.State = jobRunning
	case j.State == jobRunning && j.Polls < pollsOfJob:
		j.Polls++
	case j.State == jobRunning:
		s.runJob(r, &j)
	}
	s.jobs.Put(j.ID, j)
	answer(w, r.Request, http.StatusOK, j.answer())
}

func (s *Simulator) listJobs(w http.ResponseWriter, r *request) {
	records := []any{}
	for _, j := range s.jobs.All() {
		records = append(records, j.answer())
	}
	answer(w, r.Request, http.StatusOK, ordered{{"done", true}, {"nextRecordsUrl", nil}, {"records", records}})
}

func (s *Simulator) deleteJob(w http.ResponseWriter, r *request) {
	j, ok := s.job(w, r)
	if !ok {
		return
	}
	s.jobs.Delete(j.ID)
	answer(w, r.Request, http.StatusNoContent, nil)
}

// runJob works through the uploaded rows. Their results are kept in another
// order than theirs.
func (s *Simulator) runJob(r *request, j *job) {
	if strings.Contains(j.Data, "\r\n") != (j.LineEnd == "CRLF") {
		j.State, j.Message = jobFailed, "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is "+j.LineEnd
		return
	}
	in := csv.NewReader(strings.NewReader(j.Data))
	in.Comma = delimiters()[j.Delimiter]
	lines, err := in.ReadAll()
	if err != nil || len(lines) == 0 {
		j.State, j.Message = jobFailed, "InvalidBatch : the data cannot be read as CSV"
		return
	}
	j.Header = lines[0]
	o := s.objects[j.Object]
	for _, name := range j.Header {
		if _, known := o.find(name); !known && !strings.Contains(name, ".") {
			j.State, j.Message, j.Left = jobFailed, "InvalidBatch : Field name not found : "+name, lines[1:]
			return
		}
	}
	for _, line := range lines[1:] {
		id, created, f := s.runLine(r, j, o, line)
		if f != nil {
			fields := strings.Join(f.Fields, ", ")
			j.Failed = append(j.Failed, append([]string{"", f.Code + ":" + f.Message + ":" + fields + " --"}, line...))
			continue
		}
		j.Done = append(j.Done, append([]string{longID(id), fmt.Sprint(created)}, line...))
	}
	rand.Shuffle(len(j.Done), func(a, b int) { j.Done[a], j.Done[b] = j.Done[b], j.Done[a] })
	rand.Shuffle(len(j.Failed), func(a, b int) { j.Failed[a], j.Failed[b] = j.Failed[b], j.Failed[a] })
	j.State = jobComplete
}

// runLine writes one CSV row: an empty cell leaves alone, #N/A clears.
func (s *Simulator) runLine(r *request, j *job, o object, line []string) (id string, created bool, f *failure) {
	in := write{object: o, user: r.user, request: r.Request} // Bulk knows no duplicate rule header
	key := ""
	for i, cell := range line {
		name := j.Header[i]
		switch {
		case strings.EqualFold(name, "Id"):
			in.id = cell
		case j.Operation == "upsert" && strings.EqualFold(name, j.Key):
			key = cell
		case cell != "":
			in.given = append(in.given, member{name, cellValue(o, name, cell)})
		}
	}
	if j.Operation == "upsert" && !strings.EqualFold(j.Key, "Id") {
		field, _ := o.find(j.Key)
		matches := s.byKey(o, field, key)
		if len(matches) > 1 {
			return "", false, bad("DUPLICATE_EXTERNAL_ID", j.Key+": more than one record found for external id field")
		}
		if len(matches) == 1 {
			in.id = matches[0].text("Id")
		} else {
			in.given = append(in.given, keyMember(field, key))
		}
	}
	if in.id != "" {
		if f := s.present(o, in.id); f != nil {
			return "", false, f
		}
	} else if j.Operation == "update" || j.Operation == "delete" {
		return "", false, bad("MISSING_ARGUMENT", "Id not specified")
	}
	if j.Operation == "delete" {
		s.remove(o, in.id)
		return in.id[:15], false, nil
	}
	id, f = s.save(in)
	return id, in.id == "", f
}

// cellValue is a cell as JSON, by the type of its column.
func cellValue(o object, name, cell string) []byte {
	if cell == "#N/A" {
		return []byte("null")
	}
	f, _ := o.find(name)
	if f.kind == "boolean" || numeric(f) {
		return []byte(strings.ToLower(cell))
	}
	raw, _ := marshal(cell) // text can always be written
	return raw
}

func (s *Simulator) successfulResults(w http.ResponseWriter, r *request) {
	if j, ok := s.job(w, r); ok {
		sendCSV(w, append([]string{"sf__Id", "sf__Created"}, j.Header...), j.Done)
	}
}

func (s *Simulator) failedResults(w http.ResponseWriter, r *request) {
	if j, ok := s.job(w, r); ok {
		sendCSV(w, append([]string{"sf__Id", "sf__Error"}, j.Header...), j.Failed)
	}
}

func (s *Simulator) unprocessedRecords(w http.ResponseWriter, r *request) {
	if j, ok := s.job(w, r); ok {
		sendCSV(w, j.Header, j.Left)
	}
}

func sendCSV(w http.ResponseWriter, header []string, lines [][]string) {
	w.Header().Set("Content-Type", "text/csv;charset=UTF-8")
	w.Header().Set("Sforce-Locator", "null")
	w.Header().Set("Sforce-NumberOfRecords", fmt.Sprint(len(lines)))
	for _, line := range append([][]string{header}, lines...) {
		cells := make([]string, len(line))
		for i, cell := range line {
			cells[i] = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		fmt.Fprintln(w, strings.Join(cells, ","))
	}
}
