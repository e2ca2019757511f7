package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// operation is one request, sent alone or as a part of a $batch. path is
// relative to the Web API's root, or "$1" for the row of another operation of
// the same change set.
type operation struct {
	method, path string
	header       map[string]string
	body         []byte // JSON, or nil
}

// unit is what succeeds or fails as one in a batch: a single operation, or
// several as a change set.
type unit []operation

// part is the answer to one operation; status 0 means that there was none.
type part = crmhttp.Reply

const batchBoundary = "batch_clientele"

// batch sends units in one $batch request with continue-on-error. The answers
// are in the order of the units and as many; a unit without any answer has none.
func (s *session) batch(ctx context.Context, units []unit, writes bool) ([][]part, *sdk.Error) {
	n := 0
	for _, u := range units {
		n += len(u)
	}
	s.spend(n)
	reply, failed := s.Do(ctx, s.batchRequest(units, writes))
	if failed != nil && !isMultipart(reply.Header) {
		failed = refine(failed, reply)
		// A batch refused as a whole may be so because of one operation.
		if failed.Status == http.StatusBadRequest && len(units) > 1 {
			failed.Class, failed.Retry = sdk.ClassBatchRefused, sdk.RetryLater
		}
		return nil, failed
	}
	answers, err := decodeBatch(reply.Header.Get("Content-Type"), reply.Body)
	if err != nil && len(answers) == 0 {
		lost := missing(writes)
		lost.Message = "the answer of the batch cannot be read: " + err.Error()
		return nil, lost
	}
	out := make([][]part, len(units))
	copy(out, answers)
	return out, nil
}

func (s *session) batchRequest(units []unit, writes bool) crmhttp.Request {
	return crmhttp.Request{
		Method: http.MethodPost,
		Path:   s.root + "$batch",
		Header: s.headers(map[string]string{
			"Content-Type": `multipart/mixed; boundary="` + batchBoundary + `"`,
			// Without it everything after the first failure is left undone (quirk 7).
			"Prefer": "odata.continue-on-error",
		}),
		Body:   encodeBatch(s.partRoot, units),
		Bucket: bucketRequests,
		Writes: writes,
	}
}

// missing is the error of an item that the answer says nothing about.
func missing(writes bool) *sdk.Error {
	if writes {
		return &sdk.Error{Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack, Message: "the CRM's batch answer says nothing about this item"}
	}
	return &sdk.Error{Class: sdk.ClassTransient, Retry: sdk.RetryLater, Message: "the CRM's batch answer says nothing about this item"}
}

// encodeBatch writes the body of a $batch. Every line ends in CRLF, the one
// after the closing boundary too (quirk 3); Content-IDs are unique over the
// whole batch (quirk 5). The boundaries cannot occur in a body: JSON has no line
// that starts with a dash.
func encodeBatch(root string, units []unit) []byte {
	var b bytes.Buffer
	id := 0
	for i, u := range units {
		line(&b, "--", batchBoundary)
		if len(u) == 1 {
			id++
			encodeOperation(&b, root, u[0], id, id)
			continue
		}
		changes := "changeset_" + strconv.Itoa(i+1)
		line(&b, `Content-Type: multipart/mixed; boundary="`, changes, `"`)
		line(&b)
		first := id + 1
		for _, op := range u {
			id++
			line(&b, "--", changes)
			encodeOperation(&b, root, op, id, first)
		}
		line(&b, "--", changes, "--")
	}
	line(&b, "--", batchBoundary, "--")
	return b.Bytes()
}

// encodeOperation writes one part. A path "$1" means the first operation of the
// same change set, whose Content-ID is first.
func encodeOperation(b *bytes.Buffer, root string, op operation, id, first int) {
	line(b, "Content-Type: application/http")
	line(b, "Content-Transfer-Encoding: binary")
	line(b, "Content-ID: ", strconv.Itoa(id))
	line(b)
	target := root + op.path
	if op.path == "$1" {
		target = "$" + strconv.Itoa(first)
	}
	line(b, op.method, " ", target, " HTTP/1.1")
	if op.body != nil {
		line(b, "Content-Type: application/json; type=entry")
	}
	line(b, "Accept: application/json")
	names := make([]string, 0, len(op.header))
	for name := range op.header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		line(b, name, ": ", op.header[name])
	}
	// The empty line is needed after a GET as well (quirk 4).
	line(b)
	if op.body != nil {
		b.Write(op.body)
	}
	line(b)
}

func line(b *bytes.Buffer, words ...string) {
	for _, w := range words {
		b.WriteString(w)
	}
	b.WriteString("\r\n")
}

// decodeBatch reads the answer of a $batch: for each unit its parts, a change
// set that was rolled back having a single one. With an error the units before
// the damage are returned too.
func decodeBatch(contentType string, body []byte) ([][]part, error) {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil, err
	}
	var units [][]part
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return units, nil
		}
		if err != nil {
			return units, fmt.Errorf("part %d: %w", len(units)+1, err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			return units, fmt.Errorf("part %d: %w", len(units)+1, err)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "multipart/") {
			nested, err := decodeBatch(p.Header.Get("Content-Type"), content)
			if err != nil {
				return units, fmt.Errorf("change set %d: %w", len(units)+1, err)
			}
			units = append(units, slices.Concat(nested...))
			continue
		}
		one, err := decodePart(p.Header, content)
		if err != nil {
			return units, fmt.Errorf("part %d: %w", len(units)+1, err)
		}
		units = append(units, []part{one})
	}
}

// decodePart reads the HTTP answer inside a part. Its end is the end of the part:
// real servers send no Content-Length there.
func decodePart(outer textproto.MIMEHeader, content []byte) (part, error) {
	content = append(content, "\r\n\r\n"...) // a 204 may end without its empty line
	in := bufio.NewReader(bytes.NewReader(content))
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return part{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return part{}, err
	}
	if id := outer.Get("Content-ID"); id != "" {
		answer.Header.Set("Content-ID", id)
	}
	return part{Status: answer.StatusCode, Header: answer.Header, Body: bytes.TrimSpace(body)}, nil
}

func boundaryOf(contentType string) (string, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", fmt.Errorf("content type %q: %w", contentType, err)
	}
	if !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return "", fmt.Errorf("content type %q: want multipart with a boundary", contentType)
	}
	return params["boundary"], nil
}

func isMultipart(h http.Header) bool {
	return h != nil && strings.HasPrefix(h.Get("Content-Type"), "multipart/")
}
