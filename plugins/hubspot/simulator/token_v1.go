package simulator

import (
	"net/http"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// The token endpoints of OAuth v1, which carry the token in the path (§1.4).

func (s *Simulator) tokenV1(w http.ResponseWriter, r *http.Request) {
	raw := r.PathValue("token")
	t, ok := s.tokens.Get(raw)
	if !ok || t.Kind == accessToken && s.Clock.Now().After(t.Expires) {
		s.send(w, s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "no such token"))
		return
	}
	body := map[string]any{
		"token": raw, "user": "admin@sim.example", "hub_domain": "sim.example", "scopes": t.Scopes, "hub_id": t.Portal,
		"user_id": 90017, "token_type": t.Kind,
	}
	if t.Kind == accessToken {
		body["app_id"], body["expires_in"] = number(appID), int(t.Expires.Sub(s.Clock.Now()).Seconds())
	} else {
		body["client_id"] = t.Client
	}
	base.WriteJSON(w, http.StatusOK, body)
}

func (s *Simulator) revokeV1(w http.ResponseWriter, r *http.Request) {
	s.drop(r.PathValue("token"))
	w.WriteHeader(http.StatusNoContent)
}

// drop ends a token and what was made from it.
func (s *Simulator) drop(raw string) {
	s.tokens.Delete(raw)
	for key, t := range s.tokens.All() {
		if t.Refresh == raw {
			s.tokens.Delete(key)
		}
	}
}
