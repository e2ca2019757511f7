package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEncodeBatch(t *testing.T) {
	t.Parallel()
	got := encodeBatch("/api/data/v9.2/", []unit{
		{{method: "GET", path: "contacts(1)"}},
		{
			{method: "POST", path: "phonecalls", body: []byte(`{"a":1}`)},
			{method: "PATCH", path: "$1", body: []byte(`{"statecode":1}`), header: map[string]string{"If-Match": "*"}},
		},
		{{method: "PATCH", path: "contacts(2)", body: []byte(`{}`), header: map[string]string{"Prefer": "return=representation"}}},
	})
	if bytes.Count(got, []byte("\n")) != bytes.Count(got, []byte("\r\n")) || !bytes.HasSuffix(got, []byte("--batch_clientele--\r\n")) {
		t.Error("a line does not end in CRLF (quirk 3)")
	}
	golden(t, "batch.txt", strings.ReplaceAll(string(got), "\r\n", "\n"))
}

const answered = `--r
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 201 Created
Content-Type: application/json; odata.metadata=minimal
ETag: W/"7"

{"contactid":"x"}
--r
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: application/http
Content-ID: 2

HTTP/1.1 204 No Content
OData-EntityId: https://org.example/phonecalls(1)


--c
Content-Type: application/http
Content-ID: 3

HTTP/1.1 204 No Content
--c--
--r
Content-Type: application/http

HTTP/1.1 429 Too Many Requests
Retry-After: 9

{"error":{"code":"0x80072322","message":"m"}}
--r--
`

func TestDecodeBatch(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"CRLF": strings.ReplaceAll(answered, "\n", "\r\n"), "LF": answered} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeBatch(`multipart/mixed; boundary=r`, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			var statuses [][]int
			for _, u := range got {
				var s []int
				for _, p := range u {
					s = append(s, p.Status)
				}
				statuses = append(statuses, s)
			}
			if diff := cmp.Diff([][]int{{201}, {204, 204}, {429}}, statuses); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if string(got[0][0].Body) != `{"contactid":"x"}` || got[1][0].Header.Get("OData-EntityId") == "" || got[2][0].Header.Get("Retry-After") != "9" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestDecodeBatchKeepsWhatCameBeforeTheDamage(t *testing.T) {
	t.Parallel()
	got, err := decodeBatch(`multipart/mixed; boundary=r`, []byte(answered[:len(answered)/3]))
	if err == nil || len(got) > 1 {
		t.Errorf("%d units, %v", len(got), err)
	}
	if _, err := decodeBatch("application/json", nil); err == nil {
		t.Error("a JSON answer was read as multipart")
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add("multipart/mixed; boundary=r", answered)
	f.Add("multipart/mixed; boundary=r", strings.ReplaceAll(answered, "\n", "\r\n"))
	f.Add("multipart/mixed", "--r--")
	f.Add("multipart/mixed; boundary=r", "--r\nContent-Type: application/http\n\nHTTP/1.1 99999 x\n\n--r--\n")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		units, err := decodeBatch(contentType, []byte(body))
		for _, u := range units {
			for _, p := range u {
				if p.Header == nil {
					t.Errorf("a part without headers: %+v (%v)", p, err)
				}
				_ = classify(p, true)
			}
		}
	})
}

// What the simulator reads is what the adapter wrote, whatever the names.
func TestHeadersOfAPartAreSorted(t *testing.T) {
	t.Parallel()
	op := operation{method: http.MethodPatch, path: "contacts(1)", header: map[string]string{"Prefer": "b", "If-Match": "a"}, body: []byte("{}")}
	for range 20 {
		got := string(encodeBatch("/", []unit{{op}}))
		if strings.Index(got, "If-Match") > strings.Index(got, "Prefer") {
			t.Fatal("the order of headers changes from call to call")
		}
	}
}
