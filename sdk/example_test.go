package sdk_test

import (
	"context"

	"github.com/clientele-crm/clientele/sdk"
)

// paper is an adapter that knows one object and refuses every record.
type paper struct{ sdk.Unsupported }

func (paper) Describe(context.Context) (sdk.Description, error) {
	return sdk.Description{
		Name: "paper", Label: "Paper", Version: "0.1.0", Protocol: sdk.Protocol,
		Objects:        []sdk.Object{{Name: "person", Role: sdk.RoleClient, ExternalKeyField: "clientele_id"}},
		Batch:          sdk.BatchLimits{Min: 1, Start: 10, Max: 10},
		Auth:           []sdk.AuthMethod{{Kind: sdk.AuthStaticToken, Label: "Key"}},
		SettingsSchema: []byte(`{"type":"object"}`),
	}, nil
}

// Check has nothing to ask.
func (paper) Check(context.Context, sdk.CheckRequest) (sdk.CheckReply, error) {
	return sdk.CheckReply{Account: "a sheet of paper"}, nil
}

func (paper) Write(_ context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	var reply sdk.WriteReply
	for _, item := range req.Items {
		reply.Outcomes = append(reply.Outcomes, sdk.Fail(item.ItemID, &sdk.Error{
			Class: sdk.ClassValidation, Retry: sdk.RetryNever, Field: "name", Message: "paper is full",
		}))
	}
	return reply, nil
}

// An adapter's main is one line.
func ExampleServe() {
	sdk.Serve(paper{})
}
