package sdk_test

import (
	"context"
	"os"
	"testing"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/clientele-crm/clientele/sdk"
	pb "github.com/clientele-crm/clientele/sdk/adapterpb"
)

// frozen is the first released protocol, read from testdata: nothing of it comes
// from today's generated code.
func frozen() (protoreflect.FileDescriptor, error) {
	text, err := os.ReadFile("adapterpb/testdata/v1.txtpb")
	if err != nil {
		return nil, err
	}
	var d descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	return protodesc.NewFile(&d, nil)
}

// Adapters and hosts of the first protocol are out in the world: what was released
// may be added to, never changed.
func TestTheReleasedProtocolIsUnchanged(t *testing.T) {
	t.Parallel()
	old, err := frozen()
	if err != nil {
		t.Fatal(err)
	}
	now := pb.File_adapterpb_adapter_proto
	if old.Package() != now.Package() {
		t.Fatalf("the package is %s, released was %s", now.Package(), old.Package())
	}
	for i := range old.Messages().Len() {
		was := old.Messages().Get(i)
		is := now.Messages().ByName(was.Name())
		if is == nil {
			t.Errorf("message %s is gone", was.Name())
			continue
		}
		for j := range was.Fields().Len() {
			had := was.Fields().Get(j)
			has := is.Fields().ByNumber(had.Number())
			if has == nil || has.Name() != had.Name() || kindOf(has) != kindOf(had) {
				t.Errorf("%s.%s = %d was %s, is %v: give new fields new numbers", was.Name(), had.Name(), had.Number(), kindOf(had), has)
			}
		}
	}
	service, was := now.Services().Get(0), old.Services().Get(0)
	if service.FullName() != was.FullName() {
		t.Fatalf("the service is %s, released was %s", service.FullName(), was.FullName())
	}
	for i := range was.Methods().Len() {
		had := was.Methods().Get(i)
		has := service.Methods().ByName(had.Name())
		if has == nil || has.Input().FullName() != had.Input().FullName() || has.Output().FullName() != had.Output().FullName() || has.IsStreamingServer() || has.IsStreamingClient() {
			t.Errorf("the call %s is not what was released", had.Name())
		}
	}
}

// kindOf is all of a field's type that is on the wire.
func kindOf(f protoreflect.FieldDescriptor) string {
	kind := f.Cardinality().String() + " " + f.Kind().String()
	if f.IsMap() {
		return "map of " + f.MapKey().Kind().String() + " to " + kindOf(f.MapValue())
	}
	if f.Message() != nil {
		kind += " " + string(f.Message().FullName())
	}
	return kind
}

// serveFrozen is an adapter as it was built for the first protocol: own handshake,
// own messages, no SDK.
func serveFrozen() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "CLIENTELE_ADAPTER", MagicCookieValue: "the host speaks gRPC here"},
		Plugins:         plugin.PluginSet{"adapter": frozenPlugin{}},
		GRPCServer:      plugin.DefaultGRPCServer,
	})
}

type frozenPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (frozenPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (frozenPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	file, err := frozen()
	if err != nil {
		return err
	}
	service := file.Services().Get(0)
	d := &grpc.ServiceDesc{ServiceName: string(service.FullName()), HandlerType: (*any)(nil)}
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		d.Methods = append(d.Methods, grpc.MethodDesc{
			MethodName: string(method.Name()),
			Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
				if err := decode(in); err != nil {
					return nil, err
				}
				answerFrozen(in, out)
				return out, nil
			},
		})
	}
	s.RegisterService(d, nil)
	return nil
}

// answerFrozen describes the adapter, or tells that every item was created under
// its own key.
func answerFrozen(in, out *dynamicpb.Message) {
	set := func(m protoreflect.Message, name protoreflect.Name, v any) {
		m.Set(m.Descriptor().Fields().ByName(name), protoreflect.ValueOf(v))
	}
	switch out.Descriptor().Name() {
	case "Description":
		set(out, "name", "archived")
		set(out, "protocol", int32(1))
	case "WriteReply":
		items := in.Get(in.Descriptor().Fields().ByName("items")).List()
		outcomes := out.Mutable(out.Descriptor().Fields().ByName("outcomes")).List()
		for i := range items.Len() {
			item := items.Get(i).Message()
			text := func(name protoreflect.Name) string {
				return item.Get(item.Descriptor().Fields().ByName(name)).String()
			}
			o := outcomes.NewElement()
			set(o.Message(), "item_id", text("item_id"))
			set(o.Message(), "done", "created")
			set(o.Message(), "crm_id", "crm of "+text("external_key"))
			outcomes.Append(o)
		}
	}
}

func TestAnArchivedAdapterStillWorks(t *testing.T) {
	t.Parallel()
	adapter, _ := launchAs(t, "frozen")
	d, err := adapter.Describe(t.Context())
	if err != nil || d.Name != "archived" || d.Protocol != sdk.Protocol {
		t.Fatalf("Describe: %+v, %v", d, err)
	}
	reply, failed := write(t, adapter, "key-1")
	if failed != nil || len(reply.Outcomes) != 1 || reply.Outcomes[0].ItemID != "1" || reply.Outcomes[0].Done != sdk.Created || reply.Outcomes[0].CRMID != "crm of key-1" {
		t.Errorf("Write: %+v, %v", reply, failed)
	}
}

func TestAnArchivedHostStillWorks(t *testing.T) {
	t.Parallel()
	_, client := launch(t)
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	file, err := frozen()
	if err != nil {
		t.Fatal(err)
	}
	method := file.Services().Get(0).Methods().ByName("Write")
	in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	ask := `items { item_id: "1" external_key: "echo" fields { key: "email" value { text: "a@example.com" } } }`
	if err := prototext.Unmarshal([]byte(ask), in); err != nil {
		t.Fatal(err)
	}
	if err := rpc.(*plugin.GRPCClient).Conn.Invoke(t.Context(), "/clientele.adapter.v1.Adapter/Write", in, out); err != nil {
		t.Fatal(err)
	}
	outcomes := out.Get(method.Output().Fields().ByName("outcomes")).List()
	if outcomes.Len() != 1 {
		t.Fatalf("answer %v", out)
	}
	o := outcomes.Get(0).Message()
	if got := o.Get(o.Descriptor().Fields().ByName("done")).String(); got != "created" {
		t.Errorf("done %q", got)
	}
	if got := o.Get(o.Descriptor().Fields().ByName("echo")).Map(); got.Len() != 1 {
		t.Errorf("echo %v", got)
	}
}
