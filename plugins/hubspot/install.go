package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// keyGroup is the property group that our key is shown in.
const keyGroup = "clientele"

// Install creates the property clientele_id on every object, unique, in a group
// of its own. What exists is left alone; what the token may not do, or what the
// account refuses, becomes a manual step.
func (a *adapter) Install(ctx context.Context, req sdk.InstallRequest) (sdk.InstallReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.InstallReply{}, err
	}
	var reply sdk.InstallReply
	for _, o := range objects() {
		if len(req.Objects) > 0 && !slices.Contains(req.Objects, o.Name) {
			continue
		}
		step, failed := ac.installKey(ctx, o)
		if failed != nil {
			return sdk.InstallReply{}, ac.Fail(failed)
		}
		reply.Steps = append(reply.Steps, step)
	}
	reply.Usage = ac.Usage()
	return reply, nil
}

// installKey brings one object's key about. The error of a refused creation is
// read from what is there afterwards, since the answer to a taken name is not
// confirmed (hubspot.md §3.3).
func (ac *account) installKey(ctx context.Context, o sdk.Object) (sdk.InstallStep, *sdk.Error) {
	step := sdk.InstallStep{Name: "property " + keyField + " on " + o.Name, State: sdk.StepDone}
	p, failed := ac.property(ctx, o.Name, keyField)
	if failed != nil && failed.Class != sdk.ClassNotFound && failed.Class != sdk.ClassPermission {
		return step, failed
	}
	if failed != nil && failed.Class == sdk.ClassNotFound {
		refused := ac.createKey(ctx, o)
		if p, failed = ac.property(ctx, o.Name, keyField); failed != nil {
			if refused != nil {
				failed = refused
			}
			if failed.Class != sdk.ClassPermission && failed.Class != sdk.ClassValidation && failed.Class != sdk.ClassNotFound {
				return step, failed
			}
		}
	}
	switch {
	case failed != nil:
		step.State, step.Instructions = sdk.StepManual, ac.byHand(o, failed)
	case !ac.usable(o, p):
		step.State = sdk.StepManual
		step.Instructions = fmt.Sprintf(
			"The property %s on %s exists but is not unique, and HubSpot cannot change that. Delete it in Settings > Properties, then install again.",
			keyField, o.Name)
	}
	return step, nil
}

func (ac *account) createKey(ctx context.Context, o sdk.Object) *sdk.Error {
	// The group may exist; whether the property can be made tells.
	_, _ = ac.Do(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: ac.propertyPath(o.Name, "/groups"), Bucket: bucketBurst, Writes: true,
		Body: map[string]string{"name": keyGroup, "label": "Clientele"},
	})
	_, failed := ac.Do(ctx, crmhttp.Request{
		Method: http.MethodPost, Path: ac.propertyPath(o.Name, ""), Bucket: bucketBurst, Writes: true,
		Body: map[string]any{
			"name": keyField, "label": "Clientele ID", "groupName": keyGroup, "type": "string", "fieldType": "text",
			"hasUniqueValue": !ac.usable(o, property{}),
			"description":    "Identifies the record in Clientele. Do not edit.",
		},
	})
	return failed
}

// byHand tells the admin what to do where the adapter could not.
func (ac *account) byHand(o sdk.Object, why *sdk.Error) string {
	if why.Class == sdk.ClassPermission {
		return fmt.Sprintf("%s. Grant the scope and install again, or create it yourself in Settings > Properties on %s: "+
			"single-line text, internal name %s, with \"Require unique values\" on.", why.Message, o.Name, keyField)
	}
	if o.Role == sdk.RoleActivity {
		return fmt.Sprintf("HubSpot refused a unique property on %s (%s). Set \"Key of activities\" of this connection to "+
			"\"search\" and install again.", o.Name, why.Message)
	}
	return fmt.Sprintf("HubSpot refused the property on %s: %s", o.Name, why.Message)
}
