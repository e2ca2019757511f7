package simulator

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// failure is an error as Salesforce answers it: on most endpoints an array of
// one (salesforce.md §2.5).
type failure struct {
	status  int
	Code    string
	Message string
	Fields  []string
	// extra members beside code and message, such as duplicateResut.
	extra map[string]any
}

func fail(status int, code, message string, fields ...string) *failure {
	return &failure{status: status, Code: code, Message: message, Fields: fields}
}

// bad is the usual refusal of a request or row: status 400.
func bad(code, message string, fields ...string) *failure {
	return fail(http.StatusBadRequest, code, message, fields...)
}

func notFound() *failure {
	return fail(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
}

// asRequest is the form of a failed request: errorCode, fields where there are
// some.
func (f *failure) asRequest() map[string]any {
	out := map[string]any{"message": f.Message, "errorCode": f.Code}
	if f.Fields != nil {
		out["fields"] = f.Fields
	}
	for k, v := range f.extra {
		out[k] = v
	}
	return out
}

// asRow is the form of a failed row of a batch: statusCode, fields always.
func (f *failure) asRow() map[string]any {
	fields := f.Fields
	if fields == nil {
		fields = []string{}
	}
	return map[string]any{"statusCode": f.Code, "message": f.Message, "fields": fields}
}

// pair is one member of a JSON object whose order matters.
type pair struct {
	name  string
	value any
}

// ordered is a JSON object that keeps the order of its members.
type ordered []pair

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, p := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		value, err := marshal(p.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(&out, "%q:%s", p.name, value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// marshal writes JSON without the escapes for HTML, as Salesforce does.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// request is a request on its way through the org.
type request struct {
	*http.Request
	body []byte
	// version is "v66.0".
	version string
	user    string
	token   string
}

// path is a path below the version the caller uses.
func (r *request) path(rest string) string { return "/services/data/" + r.version + rest }

// object reads the JSON body into out.
func (r *request) object(out any) *failure {
	if err := json.Unmarshal(r.body, out); err != nil {
		return bad("JSON_PARSER_ERROR", "Unexpected input: "+err.Error()+" at [line:1, column:1]")
	}
	return nil
}

// answer sends a JSON body with a status; nil means no body and no type.
func answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	data, err := marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	switch {
	case base.Does(r, doHTML):
		w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		data = []byte("<html><body>We are down for maintenance.</body></html>")
	case base.Does(r, doGzipLabel):
		w.Header().Set("Content-Encoding", "gzip") // the label without the packing
	case base.Does(r, doGzipCut):
		w.Header().Set("Content-Encoding", "gzip")
		data = pack(data)
		data = data[:len(data)/2]
	case len(data) > 1024 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"):
		w.Header().Set("Content-Encoding", "gzip")
		data = pack(data)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func pack(data []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(data)
	_ = z.Close()
	return out.Bytes()
}

// refuse sends a failure as an array of one.
func refuse(w http.ResponseWriter, r *http.Request, f *failure) {
	answer(w, r, f.status, []any{f.asRequest()})
}

// readBody is the body of a request, unpacked.
func readBody(r *http.Request) ([]byte, error) {
	if !strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		return io.ReadAll(r.Body)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, base.MaxBody))
}
