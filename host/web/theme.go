package web

import "net/http"

// themeCookie remembers light or dark (R7). The server writes the choice into
// the page, so it is right from the first paint and works without script; no
// cookie means that the system decides.
const themeCookie = "clientele_theme"

const themeAge = 365 * 24 * 60 * 60 // seconds

func theme(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

func (s *site) chooseTheme(v *visit) error {
	c := &http.Cookie{Name: themeCookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1}
	if choice := v.r.PostFormValue("theme"); choice == "light" || choice == "dark" {
		c.Value, c.MaxAge = choice, themeAge
	}
	http.SetCookie(v.w, c)
	v.redirect(localPath(v.r.PostFormValue("return")))
	return nil
}
