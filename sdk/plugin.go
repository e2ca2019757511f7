package sdk

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "github.com/clientele-crm/clientele/sdk/adapterpb"
)

// PluginName is what a host dispenses from a go-plugin client.
const PluginName = "adapter"

// LifelineEnv names the environment variable by which a host hands an adapter
// the number of an inherited file descriptor: the reading end of a pipe whose
// writing end only the host holds. When it closes, the host is gone and the
// adapter exits.
const LifelineEnv = "CLIENTELE_LIFELINE_FD"

// Handshake is what host and adapter must agree on. The cookie only tells a
// person who starts an adapter by hand that it is not a program to be run so.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  Protocol,
		MagicCookieKey:   "CLIENTELE_ADAPTER",
		MagicCookieValue: "the host speaks gRPC here",
	}
}

// PluginSet is what a host gives go-plugin to dispense an [Adapter]:
//
//	raw, err := rpcClient.Dispense(sdk.PluginName)
//	adapter := raw.(sdk.Adapter)
func PluginSet() plugin.PluginSet { return plugin.PluginSet{PluginName: &Plugin{}} }

// Plugin joins an [Adapter] to go-plugin. A host leaves both fields empty.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Adapter Adapter
	Log     hclog.Logger
}

var _ plugin.GRPCPlugin = (*Plugin)(nil)

// GRPCServer registers the adapter. It fails when there is none.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if p.Adapter == nil {
		return fmt.Errorf("adapter plugin: no adapter to serve")
	}
	log := p.Log
	if log == nil {
		log = hclog.NewNullLogger()
	}
	pb.RegisterAdapterServer(s, server{adapter: p.Adapter, log: log})
	return nil
}

// GRPCClient returns an [Adapter]; see [NewClient].
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn), nil
}
