package crmhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/clientele-crm/clientele/sdk"
)

// Bounds of one request. A slower or larger answer is given up, which for a
// write means an unknown outcome.
const (
	// Timeout holds for requests whose context has no earlier deadline.
	Timeout = 110 * time.Second
	// MaxBody is the largest answer that is read, in bytes.
	MaxBody = 32 << 20
)

// Client sends requests for all connections of an adapter. It is safe for
// concurrent use.
type Client struct {
	resty   *resty.Client
	dialect Dialect
}

// New makes a client. A nil transport means an own one with pooled connections;
// tests pass one that records.
func New(d Dialect, transport http.RoundTripper) *Client {
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = 16
		own.ResponseHeaderTimeout = Timeout
		transport = own
	}
	// resty.New would add a cookie jar shared by all tenants.
	r := resty.NewWithClient(&http.Client{Transport: transport})
	r.SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}))
	r.SetResponseBodyLimit(MaxBody)
	r.SetDisableWarn(true)
	r.SetLogger(silent{})
	r.SetHeader("User-Agent", "clientele-adapter")
	return &Client{resty: r, dialect: d}
}

// Account is the CRM account that a call talks to.
type Account struct {
	// BaseURL was checked by [BaseURL].
	BaseURL string
	// Token is sent as a bearer token.
	Token string
}

// Session is one adapter call: it carries the account and adds up what the call
// costs. It is safe for concurrent use.
type Session struct {
	client  *Client
	account Account

	mu     sync.Mutex
	calls  []sdk.BucketCalls
	quotas []sdk.Quota
}

// Start begins a session.
func (c *Client) Start(a Account) *Session { return &Session{client: c, account: a} }

// Request is one HTTP request.
type Request struct {
	Method string
	// Path is joined to the base URL as it is: escape its segments. An absolute
	// URL is refused unless it is below the base URL.
	Path   string
	Query  url.Values
	Header map[string]string
	// Body is encoded as JSON, except []byte, which is sent as it is and needs a
	// Content-Type in Header. nil means no body.
	Body any
	// Bucket is the limit of the CRM that the request counts against.
	Bucket string
	// Writes says that the request may change the CRM: without an answer its
	// outcome is then unknown.
	Writes bool
}

// Reply is an answer of the CRM, good or bad.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request. An answer that is not 2xx is returned together with its
// error; without any answer the reply is zero.
func (s *Session) Do(ctx context.Context, req Request) (Reply, *sdk.Error) {
	target, err := s.target(req.Path)
	if err != nil {
		return Reply{}, &sdk.Error{Class: sdk.ClassUnknown, Retry: sdk.RetryNever, Message: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})

	r := s.client.resty.R().SetContext(ctx).SetHeaders(req.Header).SetQueryParamsFromValues(req.Query)
	if s.account.Token != "" {
		r.SetAuthToken(s.account.Token)
	}
	if req.Body != nil {
		body, err := encode(req.Body)
		if err != nil {
			return Reply{}, &sdk.Error{Class: sdk.ClassValidation, Retry: sdk.RetryNever, Message: err.Error()}
		}
		r.SetBody(body)
		if req.Header["Content-Type"] == "" {
			r.SetHeader("Content-Type", "application/json")
		}
	}
	answer, err := r.Execute(req.Method, target)
	if err != nil {
		if sent.Load() {
			s.count(req.Bucket, nil)
		}
		return Reply{}, broken(err, req.Writes && sent.Load())
	}
	reply := Reply{Status: answer.StatusCode(), Header: answer.Header(), Body: answer.Body()}
	s.count(req.Bucket, s.client.dialect.quotas(reply))
	if reply.Status >= 200 && reply.Status < 300 {
		return reply, nil
	}
	failed := s.client.dialect.Classify(reply, req.Writes)
	failed.Message = s.redact(failed.Message)
	return reply, failed
}

// JSON sends a request and decodes a 2xx answer into out. A body that cannot be
// decoded leaves a write's outcome unknown.
func (s *Session) JSON(ctx context.Context, req Request, out any) (Reply, *sdk.Error) {
	reply, failed := s.Do(ctx, req)
	if failed != nil {
		return reply, failed
	}
	if err := json.Unmarshal(reply.Body, out); err != nil {
		failed := interrupted(req.Writes, fmt.Sprintf("the answer is not the JSON expected: %v", err))
		failed.Status = reply.Status
		return reply, failed
	}
	return reply, nil
}

// Usage is what the session cost so far and the latest quota facts.
func (s *Session) Usage() sdk.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sdk.Usage{
		Calls:  append([]sdk.BucketCalls(nil), s.calls...),
		Quotas: append([]sdk.Quota(nil), s.quotas...),
	}
}

// Fail gives the error of a call that failed as a whole what it had cost.
func (s *Session) Fail(e *sdk.Error) error {
	whole := *e
	whole.Usage = s.Usage()
	return &whole
}

// target joins a path to the base URL. CRMs hand out absolute links for the next
// page; one that leaves the account would take the token with it.
func (s *Session) target(path string) (string, error) {
	base := strings.TrimSuffix(s.account.BaseURL, "/")
	switch {
	case strings.HasPrefix(path, base+"/"):
		return path, nil
	case strings.HasPrefix(path, "/"):
		return base + path, nil
	default:
		return "", errors.New("a link of the CRM leads outside the account's base URL")
	}
}

func (s *Session) count(bucket string, seen []sdk.Quota) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = addCall(s.calls, bucket)
	for _, q := range seen {
		s.quotas = putQuota(s.quotas, q)
	}
}

func addCall(calls []sdk.BucketCalls, bucket string) []sdk.BucketCalls {
	for i := range calls {
		if calls[i].Bucket == bucket {
			calls[i].N++
			return calls
		}
	}
	return append(calls, sdk.BucketCalls{Bucket: bucket, N: 1})
}

func putQuota(quotas []sdk.Quota, q sdk.Quota) []sdk.Quota {
	for i := range quotas {
		if quotas[i].Bucket == q.Bucket {
			quotas[i] = q
			return quotas
		}
	}
	return append(quotas, q)
}

// redact keeps a CRM that quotes the token back from putting it into a log.
func (s *Session) redact(text string) string {
	if s.account.Token == "" {
		return text
	}
	return strings.ReplaceAll(text, s.account.Token, "[token]")
}

func encode(body any) ([]byte, error) {
	if raw, ok := body.([]byte); ok {
		return raw, nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // a body is no web page, and limits count its bytes
	if err := enc.Encode(body); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// broken classifies a request that got no answer. The URL is left out, since its
// query may hold personal data.
func broken(err error, mayHaveHappened bool) *sdk.Error {
	cause := err
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		cause = wrapped.Err
	}
	return interrupted(mayHaveHappened, "no answer from the CRM: "+Cut(cause.Error(), maxMessage))
}

func interrupted(mayHaveHappened bool, message string) *sdk.Error {
	if mayHaveHappened {
		return &sdk.Error{Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack, Message: message}
	}
	return &sdk.Error{Class: sdk.ClassTransient, Retry: sdk.RetryLater, Message: message}
}

// silent keeps resty from logging: its lines hold URLs.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
