package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// failure is a refusal of the Web API (§2.4). The zero Status means none.
type failure struct {
	Status     int
	Code       string
	Message    string
	RetryAfter int // seconds
	// Annotations go into the error object when the caller asked for them.
	Annotations map[string]string
}

func fail(status int, code, format string, args ...any) *failure {
	return &failure{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func (f *failure) answer(annotated bool) *answer {
	body := map[string]any{"code": f.Code, "message": f.Message}
	if annotated {
		for k, v := range f.Annotations {
			body[k] = v
		}
		body["@Microsoft.PowerApps.CDS.HelpLink"] = "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException"
	}
	a := respond(f.Status, map[string]any{"error": body})
	if f.RetryAfter > 0 {
		a.header.Set("Retry-After", fmt.Sprint(f.RetryAfter))
	}
	return a
}

// answer is a reply of the Web API.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// respond makes an answer; a nil body means none.
func respond(status int, body any) *answer {
	a := &answer{status: status, header: http.Header{"Odata-Version": {"4.0"}}}
	if body == nil {
		return a
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // bodies are maps of JSON values
	}
	a.body = data
	a.header.Set("Content-Type", "application/json; odata.metadata=minimal")
	return a
}

func (a *answer) send(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

func noSuchRow(t *table, id string) *failure {
	return fail(http.StatusNotFound, "0x80040217", "Entity '%s' With Id = %s Does Not Exist", t.Name, id)
}

func noSuchProperty(t *table, name string) *failure {
	return fail(http.StatusBadRequest, "0x0", "Could not find a property named '%s' on type 'Microsoft.Dynamics.CRM.%s'.", name, t.Name)
}

// payload is the refusal of a body that OData does not understand.
func payload(t *table, format string, args ...any) *failure {
	return fail(http.StatusBadRequest, "0x80048d19",
		"Error identified in Payload provided by the user for Entity :'%s'  ---->  InnerException : Microsoft.OData.ODataException: %s", t.Set, fmt.Sprintf(format, args...))
}

func syntax() *failure {
	return fail(http.StatusBadRequest, "0x8006088a", "Bad Request - Error in query syntax.")
}
