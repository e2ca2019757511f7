package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// account describes the portal; it is the cheap health check of a token (§1.4).
func (s *Simulator) account(c *call) answer {
	local := c.now
	if zone, err := time.LoadLocation(s.settings.TimeZone); err == nil {
		local = c.now.In(zone)
	}
	_, offset := local.Zone()
	return answer{http.StatusOK, map[string]any{
		"portalId": c.portal, "accountType": s.settings.AccountType, "timeZone": s.settings.TimeZone,
		"companyCurrency": "EUR", "additionalCurrencies": []string{}, "utcOffset": local.Format("-07:00"),
		"utcOffsetMilliseconds": offset * 1000, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
	}}
}

// person is the one user of a simulated account.
func person() map[string]any {
	return map[string]any{
		"id": "41001", "email": "agent@example.test", "type": "PERSON", "firstName": "Ada", "lastName": "Gent", "userId": 90018,
		"archived": false, "createdAt": "2026-01-05T09:00:00.000Z", "updatedAt": "2026-01-05T09:00:00.000Z",
	}
}

// owners lists the account's users.
func (s *Simulator) owners(c *call) answer {
	if refused := s.need(c, "crm.objects.owners.read"); refused != nil {
		return *refused
	}
	results := []map[string]any{}
	if asked := c.URL.Query().Get("email"); asked == "" || strings.EqualFold(asked, "agent@example.test") {
		results = append(results, person())
	}
	return answer{http.StatusOK, map[string]any{"results": results}}
}

func (s *Simulator) owner(c *call) answer {
	if refused := s.need(c, "crm.objects.owners.read"); refused != nil {
		return *refused
	}
	if c.PathValue("id") != "41001" {
		return s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
	}
	return answer{http.StatusOK, person()}
}

// challenge is the S256 form of a PKCE verifier (RFC 7636 §4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
