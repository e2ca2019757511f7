package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count requests by route, never by path: a path holds ids.
type metrics struct {
	seconds *prometheus.HistogramVec
}

func newMetrics(registry *prometheus.Registry) *metrics {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "clientele_api_request_seconds", Help: "Time to answer an API request, by route and status.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60},
	}, []string{"method", "route", "status"})
	// Several APIs of one host (its port, its socket) count together.
	if taken, ok := errors.AsType[prometheus.AlreadyRegisteredError](registry.Register(seconds)); ok {
		if existing, ok := taken.ExistingCollector.(*prometheus.HistogramVec); ok {
			seconds = existing
		}
	}
	return &metrics{seconds: seconds}
}

func (m *metrics) observe(route Route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		counted := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(counted, r)
		m.seconds.WithLabelValues(route.Method, route.Path, strconv.Itoa(counted.status)).Observe(time.Since(start).Seconds())
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
