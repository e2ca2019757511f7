// Package web is the pages: server-rendered HTML that works without script and
// is improved by small modules of our own. Handlers parse, call a service of the
// core, and show the answer; they decide nothing about clients. The JSON API
// calls the same services (host/api).
//
// A page is a row of the table in routes.go, a handler that fills a struct (one
// file a subject), and a template in templates/ that shows it. All templates are
// parsed at start. What people read stands in one catalogue (strings.go), in
// English. Styles and scripts stand in static/ and are served from the binary:
// no page loads anything from elsewhere.
//
// Pages never put a client's data into a title, and no other site learns a
// page's address (Referrer-Policy), since searches are part of it (R183).
package web
