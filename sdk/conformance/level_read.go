package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/sdk"
)

func readChecks() []check {
	return []check{
		{name: "installs, and again", level: Reads, needs: sdk.CapInstall, run: installs},
		{name: "checks the connection", level: Reads, run: checksConnection},
		{name: "a bad token is an auth error", level: Reads, run: badToken},
		{name: "bad settings are refused", level: Reads, run: badSettings},
		{name: "describes the client object", level: Reads, run: describesObject},
		{name: "an unknown object is refused", level: Reads, run: unknownObject},
		{name: "finds nothing where nothing is", level: Reads, needs: sdk.CapFind, run: findsNothing},
	}
}

// installs: the host calls until no step is pending; a second time changes nothing.
func installs(ctx context.Context, t *trial) error {
	for range 2 {
		err := t.eventually(ctx, func() error {
			reply, err := t.adapter.Install(ctx, sdk.InstallRequest{Connection: t.conn})
			if err != nil {
				return err
			}
			for _, step := range reply.Steps {
				switch {
				case step.State == sdk.StepPending:
					return fmt.Errorf("the step %q stays pending", step.Name)
				case step.State == sdk.StepManual && step.Instructions == "":
					return fmt.Errorf("the step %q is manual and has no instructions", step.Name)
				case step.Name == "" || step.State != sdk.StepDone && step.State != sdk.StepManual:
					return fmt.Errorf("the step %q has the state %q", step.Name, step.State)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func checksConnection(ctx context.Context, t *trial) error {
	reply, err := t.adapter.Check(ctx, sdk.CheckRequest{Connection: t.conn})
	if err != nil {
		return err
	}
	if reply.Account == "" {
		return errors.New("Account is empty: an admin could not see which account this is")
	}
	if there, told := reply.ExternalKey[t.client.Name]; !told || !there {
		return fmt.Errorf("ExternalKey does not say that %s has its external-key field, after Install", t.client.Name)
	}
	return spent(reply.Usage)
}

func spent(u sdk.Usage) error {
	for _, c := range u.Calls {
		if c.N > 0 {
			return nil
		}
	}
	return errors.New("Usage tells of no call, and the CRM was asked")
}

// wrong is the connection with a token that the CRM has never given out.
func (t *trial) wrong() sdk.Connection {
	c := t.conn
	c.Token.AccessToken = "no-token-of-this-crm"
	return c
}

func badToken(ctx context.Context, t *trial) error {
	_, err := t.adapter.Check(ctx, sdk.CheckRequest{Connection: t.wrong()})
	e, err := failed(err)
	if err != nil {
		return err
	}
	return is(e, sdk.ClassAuth)
}

func badSettings(ctx context.Context, t *trial) error {
	c := t.conn
	c.Settings = []byte(`["no object"]`)
	_, err := t.adapter.Check(ctx, sdk.CheckRequest{Connection: c})
	e, err := failed(err)
	if err != nil {
		return err
	}
	return is(e, sdk.ClassValidation)
}

func describesObject(ctx context.Context, t *trial) error {
	reply, err := t.adapter.DescribeObject(ctx, sdk.DescribeObjectRequest{Connection: t.conn, Object: t.client.Name})
	if err != nil {
		return err
	}
	names := map[string]sdk.Field{}
	for _, f := range reply.Fields {
		if f.Name == "" {
			return errors.New("a field has no name")
		}
		names[f.Name] = f
	}
	for word, field := range t.fields {
		f, known := names[field]
		if !known {
			return fmt.Errorf("the field %s, which the default mapping fills from client.%s, is not among the %d fields", field, word, len(names))
		}
		if f.Updateable == sdk.No && f.Createable == sdk.No {
			return fmt.Errorf("the field %s, which the default mapping fills, can neither be created nor updated", field)
		}
	}
	return nil
}

func unknownObject(ctx context.Context, t *trial) error {
	_, err := t.adapter.DescribeObject(ctx, sdk.DescribeObjectRequest{Connection: t.conn, Object: "clientele_no_such_object"})
	e, err := failed(err)
	if err != nil {
		return err
	}
	return is(e, sdk.ClassSchema, sdk.ClassNotFound, sdk.ClassValidation)
}

func findsNothing(ctx context.Context, t *trial) error {
	for _, by := range []struct {
		by    sdk.FindBy
		value string
	}{{sdk.FindByExternalKey, uuid.NewString()}, {sdk.FindByEmail, "nobody@conformance.example.com"}, {sdk.FindByPhone, "+12065550100"}} {
		found, err := t.find(ctx, by.by, by.value)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fmt.Errorf("%d records are found by the %s %q that nobody has", len(found), by.by, by.value)
		}
	}
	return nil
}

func hasID(records []sdk.Record, id string) bool {
	return slices.ContainsFunc(records, func(r sdk.Record) bool { return r.ID == id })
}
