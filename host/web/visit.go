package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/api"
)

// visit is one request for a page.
type visit struct {
	w http.ResponseWriter
	r *http.Request
	// actor is nobody on an open page without a session.
	actor  actor.Actor
	tenant tenant.Tenant
	zone   *time.Location
	now    time.Time
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// page makes the handler of a row of the table: who is it, may they see it, and what to
// show when something is wrong.
func (s *site) page(p Page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeoutCause(r.Context(), pageDeadline, context.DeadlineExceeded)
		defer cancel()
		v := &visit{w: w, r: r.WithContext(ctx), zone: time.UTC, now: s.Now()}
		defer func() {
			if reason := recover(); reason != nil {
				if reason == http.ErrAbortHandler {
					panic(reason)
				}
				s.Logger.LogAttrs(ctx, slog.LevelError, "panic in a page", slog.String("page", r.Pattern), slog.String("stack", string(debug.Stack())))
				s.fail(v, errors.New("panic"))
			}
		}()
		if err := s.enter(v, p); err != nil {
			s.fail(v, err)
			return
		}
		if err := p.serve(s, v); err != nil {
			s.fail(v, err)
		}
	})
}

// enter finds out who it is. On an open page a bad session is no obstacle.
func (s *site) enter(v *visit, p Page) error {
	a, err := s.Access.Authenticate(v.r)
	if err != nil {
		if p.Open {
			return nil
		}
		return err
	}
	v.actor = a
	if a.Kind != actor.Operator {
		if v.tenant, err = s.Tenants.Get(v.ctx(), a.Tenant); err != nil {
			return err
		}
	}
	v.zone = viewerZone(v.r, v.tenant.Timezone)
	if p.Needs == "" {
		return nil
	}
	return a.Require(p.Needs)
}

// fail shows an error page, or the way to sign in.
func (s *site) fail(v *visit, err error) {
	if _, ok := errors.AsType[*access.Unauthenticated](err); ok {
		to := "/signin"
		if v.r.Method == http.MethodGet && v.r.URL.Path != "/" {
			to += "?next=" + url.QueryEscape(v.r.URL.Path) // without the query: it may hold a search
		}
		v.redirect(to)
		return
	}
	p := api.ProblemOf(err)
	if p == nil {
		if !errors.Is(err, context.Canceled) {
			s.Logger.ErrorContext(v.ctx(), "page failed", "page", v.r.Pattern, "error", err)
		}
		p = &api.Problem{Status: http.StatusInternalServerError}
	}
	s.failed(v, p.Status, p.Detail)
}

// failed shows the error page for a status; the sentence may be empty.
func (s *site) failed(v *visit, status int, sentence string) {
	s.show(v, status, "error", errorPage{frame: s.frame(v, "error.title", ""), Status: status, Heading: errorHeading(status), Sentence: sentence})
}

type errorPage struct {
	frame
	Status            int
	Heading, Sentence string
}

func errorHeading(status int) string {
	switch status {
	case http.StatusNotFound:
		return text("error.not_found")
	case http.StatusForbidden:
		return text("error.forbidden")
	case http.StatusServiceUnavailable:
		return text("error.slow")
	case http.StatusInternalServerError:
		return text("error.internal")
	default:
		return text("error.request")
	}
}

func (s *site) notFound(v *visit) error {
	s.failed(v, http.StatusNotFound, text("error.not_found.sentence"))
	return nil
}

func (s *site) otherSite(v *visit) error {
	s.failed(v, http.StatusForbidden, text("error.other_site"))
	return nil
}

func (v *visit) redirect(to string) { http.Redirect(v.w, v.r, to, http.StatusSeeOther) }

// address is where the visitor comes from, for the rate limit.
func (v *visit) address() string {
	host, _, err := net.SplitHostPort(v.r.RemoteAddr)
	if err != nil {
		return v.r.RemoteAddr
	}
	return host
}

// localPath keeps a redirect on this host.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}

// zoneCookie holds the browser's time zone, set by static/timezone.js. Without
// script the tenant's zone is used.
const zoneCookie = "clientele_zone"

func viewerZone(r *http.Request, fallback string) *time.Location {
	if c, err := r.Cookie(zoneCookie); err == nil {
		if name, err := url.QueryUnescape(c.Value); err == nil && name != "" && name != "Local" {
			if zone, err := time.LoadLocation(name); err == nil {
				return zone
			}
		}
	}
	zone, err := time.LoadLocation(fallback)
	if err != nil {
		return time.UTC
	}
	return zone
}
