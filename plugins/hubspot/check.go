package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// accountDetails is the answer that names the account (hubspot.md §1.4).
type accountDetails struct {
	PortalID    int64  `json:"portalId"`
	AccountType string `json:"accountType"`
	TimeZone    string `json:"timeZone"`
}

// Check names the account and says what is missing. It changes nothing: the
// right to write is asked for with an empty batch, which HubSpot refuses with
// 403 when the scope is missing and with 400 when it is not. (That it looks at
// the scope first is not confirmed.)
func (a *adapter) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.CheckReply{}, err
	}
	var details accountDetails
	_, failed := ac.JSON(ctx, crmhttp.Request{
		Method: http.MethodGet, Path: "/account-info/" + ac.APIVersion + "/details", Bucket: bucketBurst,
	}, &details)
	if failed != nil {
		return sdk.CheckReply{}, ac.Fail(failed)
	}
	reply := sdk.CheckReply{
		Account: fmt.Sprintf("HubSpot account %d (%s)", details.PortalID, details.TimeZone),
		User:    req.Connection.Token.Extras["user_id"], APIVersion: ac.APIVersion,
		Sandbox:     slices.Contains([]string{"SANDBOX", "DEVELOPER_TEST"}, details.AccountType),
		ExternalKey: map[string]bool{},
	}
	for _, o := range objects() {
		p, failed := ac.property(ctx, o.Name, keyField)
		if failed != nil && failed.Class == sdk.ClassPermission {
			reply.Missing = append(reply.Missing, o.Name+": "+failed.Message)
			continue
		}
		if failed != nil && failed.Class != sdk.ClassNotFound {
			return sdk.CheckReply{}, ac.Fail(failed)
		}
		reply.ExternalKey[o.Name] = failed == nil && ac.usable(o, p)
	}
	for _, object := range []string{contacts, companies} {
		_, _, failed := ac.batch(ctx, object, "update", map[string]any{"inputs": []batchInput{}}, false)
		switch {
		case failed != nil && failed.Class == sdk.ClassPermission:
			reply.Missing = append(reply.Missing, object+": "+failed.Message)
		case failed != nil && failed.Status != http.StatusBadRequest:
			return sdk.CheckReply{}, ac.Fail(failed)
		}
	}
	slices.Sort(reply.Missing)
	reply.Missing = slices.Compact(reply.Missing)
	reply.Usage = ac.Usage()
	return reply, nil
}

// usable tells whether a property can serve as the key of an object.
func (s settings) usable(o sdk.Object, p property) bool {
	return p.Unique || o.Role == sdk.RoleActivity && s.ActivityKey == keySearch
}

// property is a definition (hubspot.md §3.3).
type property struct {
	Name            string     `json:"name"`
	Label           string     `json:"label"`
	Type            string     `json:"type"`
	FieldType       string     `json:"fieldType"`
	Unique          bool       `json:"hasUniqueValue"`
	Calculated      bool       `json:"calculated"`
	ExternalOptions bool       `json:"externalOptions"`
	HubSpotDefined  bool       `json:"hubspotDefined"`
	Archived        bool       `json:"archived"`
	Options         []choice   `json:"options"`
	Modification    permission `json:"modificationMetadata"`
}

type choice struct {
	Label  string `json:"label"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden"`
}

type permission struct {
	ReadOnlyValue bool `json:"readOnlyValue"`
}

// property reads one definition; ClassNotFound means that there is none.
func (ac *account) property(ctx context.Context, object, name string) (property, *sdk.Error) {
	var p property
	_, failed := ac.JSON(ctx, crmhttp.Request{
		Method: http.MethodGet, Path: ac.propertyPath(object, "/"+name), Bucket: bucketBurst,
	}, &p)
	return p, failed
}
