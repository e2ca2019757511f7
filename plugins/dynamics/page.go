package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// page is a list as Dataverse sends it. Links are used exactly as they came:
// decoding and encoding one breaks its cookie or token (quirks 12, 13).
type page struct {
	Value []row  `json:"value"`
	Next  string `json:"@odata.nextLink"`
	Delta string `json:"@odata.deltaLink"`
}

func decodePage(body []byte) (page, error) {
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		return p, fmt.Errorf("read a page of the CRM: %w", err)
	}
	return p, nil
}

// rowsOf is a page's rows, none when the body is not a page.
func rowsOf(body []byte) []row {
	p, err := decodePage(body)
	if err != nil {
		return nil
	}
	return p.Value
}

// list reads a query with all its pages.
func (s *session) list(ctx context.Context, path string) ([]row, *sdk.Error) {
	var p page
	if failed := s.get(ctx, path, nil, &p); failed != nil {
		return nil, failed
	}
	if p.Next == "" {
		return p.Value, nil
	}
	rest, failed := s.follow(ctx, p.Next)
	return append(p.Value, rest...), failed
}

// follow reads the pages behind a link.
func (s *session) follow(ctx context.Context, link string) ([]row, *sdk.Error) {
	var out []row
	for link != "" {
		p, failed := s.page(ctx, link, nil)
		if failed != nil {
			return nil, failed
		}
		out = append(out, p.Value...)
		link = p.Next
	}
	return out, nil
}

// page reads the page behind one link. Links may name the environment's other
// host, or the one behind a gateway (§1.5): only what stands behind the API's root
// is used, so that the token goes nowhere else.
func (s *session) page(ctx context.Context, link string, header map[string]string) (page, *sdk.Error) {
	p, _, failed := s.pageReply(ctx, link, header)
	return p, failed
}

func (s *session) pageReply(ctx context.Context, link string, header map[string]string) (page, crmhttp.Reply, *sdk.Error) {
	_, rest, ok := strings.Cut(link, s.root)
	if !ok {
		return page{}, crmhttp.Reply{}, refuse(sdk.ClassUnknown, "", "a link of the CRM does not lead to its Web API")
	}
	s.spend(1)
	var p page
	reply, failed := s.JSON(ctx, crmhttp.Request{
		Method: http.MethodGet, Path: s.root + rest, Header: s.headers(header), Bucket: bucketRequests,
	}, &p)
	return p, reply, refine(failed, reply)
}
