package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Limits of salesforce.md §5.4.
const (
	subrequestsMax = 25
	heavyMax       = 5
)

type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	HTTPHeaders map[string]string `json:"httpHeaders"`
	Body        json.RawMessage   `json:"body"`
	// RichInput is the body's name in composite/batch.
	RichInput json.RawMessage `json:"richInput"`
}

// composite runs up to 25 requests, later ones may refer to the answers of
// earlier ones. The outer status is 200 whatever they say.
func (s *Simulator) composite(w http.ResponseWriter, r *request) {
	var in struct {
		AllOrNone bool         `json:"allOrNone"`
		Requests  []subrequest `json:"compositeRequest"`
	}
	f := r.object(&in)
	if f == nil {
		f = checkComposite(in.Requests)
	}
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	replies := make([]ordered, len(in.Requests))
	known := map[string]json.RawMessage{}
	failedAt := -1
	for i, sub := range in.Requests {
		status, header, body := s.subrequest(r, sub, known)
		replies[i] = compositeReply(body, header, status, sub.ReferenceID)
		switch {
		case status >= 300 && failedAt < 0:
			failedAt = i
		case status < 300:
			known[sub.ReferenceID] = body
		}
		if !in.AllOrNone {
			if err := s.Store.Commit(); err != nil {
				refuse(w, r.Request, fail(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", err.Error()))
				return
			}
		} else if failedAt >= 0 {
			break
		}
	}
	if in.AllOrNone && failedAt >= 0 {
		s.Store.Rollback()
		for i, sub := range in.Requests {
			if i != failedAt {
				replies[i] = compositeReply(halted("The transaction was rolled back since another operation in the same transaction failed."),
					ordered{}, http.StatusBadRequest, sub.ReferenceID)
			}
		}
	}
	answer(w, r.Request, http.StatusOK, ordered{{"compositeResponse", replies}})
}

func compositeReply(body json.RawMessage, header ordered, status int, reference string) ordered {
	var value any
	if len(body) > 0 {
		value = body
	}
	return ordered{{"body", value}, {"httpHeaders", header}, {"httpStatusCode", status}, {"referenceId", reference}}
}

func halted(message string) json.RawMessage {
	data, _ := marshal([]any{ordered{{"errorCode", "PROCESSING_HALTED"}, {"message", message}}}) // texts can always be written
	return data
}

func checkComposite(requests []subrequest) *failure {
	if len(requests) == 0 || len(requests) > subrequestsMax {
		return bad("BAD_REQUEST", fmt.Sprintf("a composite request takes 1 to %d subrequests", subrequestsMax))
	}
	heavy, seen := 0, map[string]bool{}
	for _, sub := range requests {
		if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`).MatchString(sub.ReferenceID) || seen[sub.ReferenceID] {
			return bad("INVALID_INPUT", "referenceId: letters, digits and underscore, starting with a letter, each once")
		}
		seen[sub.ReferenceID] = true
		if !strings.HasPrefix(sub.URL, "/services/data/") {
			return bad("INVALID_INPUT", "The url of a subrequest must start with /services/data/")
		}
		path, _, _ := strings.Cut(sub.URL, "?")
		if strings.Contains(path, "/composite/") || strings.HasSuffix(path, "/query") || strings.HasSuffix(path, "/queryAll") || strings.Contains(path, "/query/") {
			heavy++
		}
	}
	if heavy > heavyMax {
		return bad("LIMIT_EXCEEDED", fmt.Sprintf("a composite request takes at most %d queries and collections", heavyMax))
	}
	return nil
}

// subrequest runs one part with its references filled in.
func (s *Simulator) subrequest(r *request, sub subrequest, known map[string]json.RawMessage) (int, ordered, json.RawMessage) {
	url, okURL := fillReferences(sub.URL, known)
	body, okBody := fillReferences(string(sub.Body), known)
	if !okURL || !okBody {
		return http.StatusBadRequest, ordered{}, halted("Invalid reference specified: a value referred to was not found")
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range sub.HTTPHeaders {
		header.Set(name, value)
	}
	got := s.inner(r, sub.Method, url, header, []byte(body))
	headers := ordered{}
	if location := got.header.Get("Location"); location != "" {
		headers = append(headers, pair{"Location", location})
	}
	return got.status, headers, got.body
}

// fillReferences replaces @{ref.id} and @{ref.records[0].Id} by values of
// earlier answers.
func fillReferences(text string, known map[string]json.RawMessage) (string, bool) {
	complete := true
	out := regexp.MustCompile(`@\{([A-Za-z][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}`).ReplaceAllStringFunc(text, func(found string) string {
		inner := strings.Trim(found, "@{}")
		name := inner[:strings.IndexAny(inner+".", ".[")]
		var value any
		if json.Unmarshal(known[name], &value) != nil {
			complete = false
			return found
		}
		for _, step := range regexp.MustCompile(`[A-Za-z0-9_]+`).FindAllString(inner[len(name):], -1) {
			switch node := value.(type) {
			case map[string]any:
				value = node[step]
			case []any:
				n, err := strconv.Atoi(step)
				if err != nil || n >= len(node) {
					value = nil
				} else {
					value = node[n]
				}
			default:
				value = nil
			}
		}
		reply, ok := value.(string)
		complete = complete && ok
		return reply
	})
	return out, complete
}

// batch runs independent requests; each counts as a call.
func (s *Simulator) batch(w http.ResponseWriter, r *request) {
	var in struct {
		HaltOnError bool         `json:"haltOnError"`
		Requests    []subrequest `json:"batchRequests"`
	}
	f := r.object(&in)
	if f == nil && (len(in.Requests) == 0 || len(in.Requests) > subrequestsMax) {
		f = bad("BAD_REQUEST", fmt.Sprintf("a batch takes 1 to %d subrequests", subrequestsMax))
	}
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	s.count(len(in.Requests) - 1) // the batch itself was counted as one
	errors := false
	results := make([]any, len(in.Requests))
	for i, sub := range in.Requests {
		status, body := http.StatusPreconditionFailed, halted("The batch request was halted after an error.")
		if !errors || !in.HaltOnError {
			got := s.inner(r, sub.Method, "/services/data/"+strings.TrimPrefix(sub.URL, "/"), http.Header{"Content-Type": {"application/json"}}, sub.RichInput)
			status, body = got.status, got.body
			if err := s.Store.Commit(); err != nil {
				status, body = http.StatusInternalServerError, halted(err.Error())
			}
		}
		errors = errors || status >= 300
		var value any
		if len(body) > 0 {
			value = body
		}
		results[i] = ordered{{"statusCode", status}, {"result", value}}
	}
	answer(w, r.Request, http.StatusOK, ordered{{"hasErrors", errors}, {"results", results}})
}
