package web

import (
	"errors"
	"net/http"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/api"
)

// home leads to the first page of whoever it is.
func (s *site) home(v *visit) error {
	if v.actor.Kind == actor.Operator {
		v.redirect("/tenants")
	} else {
		v.redirect("/clients")
	}
	return nil
}

type signInPage struct {
	frame
	Email, Next, Error string
}

func (s *site) signInForm(v *visit) error {
	next := localPath(v.r.URL.Query().Get("next"))
	if v.actor.Kind != "" {
		v.redirect(next)
		return nil
	}
	s.show(v, http.StatusOK, "signin", signInPage{frame: s.frame(v, "signin.title", ""), Next: next})
	return nil
}

func (s *site) signIn(v *visit) error {
	page := signInPage{frame: s.frame(v, "signin.title", ""), Email: v.r.PostFormValue("email"), Next: localPath(v.r.PostFormValue("next"))}
	err := s.Access.SignIn(v.ctx(), access.Attempt{Email: page.Email, Password: v.r.PostFormValue("password"), Address: v.address()})
	if err == nil {
		v.redirect(page.Next)
		return nil
	}
	p := api.ProblemOf(err)
	if p == nil {
		return err
	}
	page.Error = text("signin.refused." + refusal(err))
	if _, denied := errors.AsType[*access.Denied](err); denied {
		page.Error = p.Detail
	}
	s.show(v, p.Status, "signin", page)
	return nil
}

func refusal(err error) string {
	if _, many := errors.AsType[*access.TooManyError](err); many {
		return "too_many"
	}
	return "wrong"
}

func (s *site) signOut(v *visit) error {
	if err := s.Access.SignOut(v.ctx()); err != nil {
		return err
	}
	v.redirect("/signin")
	return nil
}

type welcomePage struct {
	frame
	Email, Error string
}

func (s *site) welcomeForm(v *visit) error {
	user, err := s.Access.CheckLoginLink(v.ctx(), v.r.PathValue("token"))
	if err != nil {
		return s.linkGone(v, err)
	}
	s.show(v, http.StatusOK, "welcome", welcomePage{frame: s.welcomeFrame(v), Email: user.Email})
	return nil
}

func (s *site) welcome(v *visit) error {
	token := v.r.PathValue("token")
	user, err := s.Access.CheckLoginLink(v.ctx(), token)
	if err != nil {
		return s.linkGone(v, err)
	}
	err = s.Access.UseLoginLink(v.ctx(), token, v.r.PostFormValue("password"), v.address())
	if invalid, ok := errors.AsType[*access.InvalidError](err); ok {
		s.show(v, http.StatusUnprocessableEntity, "welcome", welcomePage{frame: s.welcomeFrame(v), Email: user.Email, Error: text("welcome.refused", invalid.Rule, invalid.WayOut)})
		return nil
	}
	if err != nil {
		return s.linkGone(v, err)
	}
	v.redirect("/")
	return nil
}

// welcomeFrame keeps the token out of the frame's forms.
func (s *site) welcomeFrame(v *visit) frame {
	f := s.frame(v, "welcome.title", "")
	f.Here = "/"
	return f
}

func (s *site) linkGone(v *visit, err error) error {
	if _, ok := errors.AsType[*access.NotFoundError](err); !ok {
		return err
	}
	s.failed(v, http.StatusNotFound, text("welcome.gone"))
	return nil
}
