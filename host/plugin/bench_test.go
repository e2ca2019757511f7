package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/clientele-crm/clientele/host/plugin/plugintest"
	"github.com/clientele-crm/clientele/sdk"
	pb "github.com/clientele-crm/clientele/sdk/adapterpb"
)

// stagedProgram is an adapter in a store, and options to launch it with.
func stagedProgram(b *testing.B) (artifact, Options) {
	b.Helper()
	dir := b.TempDir()
	o := Options{StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run"),
		Logger: slog.New(slog.DiscardHandler), MemoryLimit: defaultMemoryLimit}
	if err := os.Mkdir(o.RunDir, 0o700); err != nil {
		b.Fatal(err)
	}
	a, err := store{dir: o.StoreDir}.stage(Declaration{Name: "one",
		Path: plugintest.Program(b, dir, plugintest.Behaviour{Name: "one", Version: "1"})})
	if err != nil {
		b.Fatal(err)
	}
	return a, o
}

func launched(b *testing.B, a artifact, o Options) *process {
	b.Helper()
	p, err := launch(b.Context(), a, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.kill)
	return p
}

// times are durations measured in alternation, so that noise hits both kinds.
type times []time.Duration

func (t times) quantile(q float64) time.Duration {
	s := slices.Sorted(slices.Values(t))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// BenchmarkStart compares start to ready, with the program's digest checked and
// the process confined, to go-plugin's plain start of the same file.
func BenchmarkStart(b *testing.B) {
	a, o := stagedProgram(b)
	var ours, plain times
	for b.Loop() {
		begin := time.Now()
		p, err := launch(b.Context(), a, o)
		if err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(begin))
		p.kill()

		begin = time.Now()
		stop := startPlainly(b, a)
		plain = append(plain, time.Since(begin))
		stop()
	}
	info, err := os.Stat(a.path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	b.ReportMetric(ms(ours.quantile(0.5)), "p50-ms")
	b.ReportMetric(ms(ours.quantile(0.95)), "p95-ms")
	b.ReportMetric(ms(plain.quantile(0.5)), "plain-p50-ms")
	b.ReportMetric(ms(plain.quantile(0.95)), "plain-p95-ms")
}

func startPlainly(b *testing.B, a artifact) (stop func()) {
	program, err := os.Open(a.path)
	if err != nil {
		b.Fatal(err)
	}
	cmd := &exec.Cmd{Path: a.path, Args: []string{"clientele-adapter-one"},
		// The test adapter reads its behaviour from the descriptor after the first.
		ExtraFiles: []*os.File{program, program}}
	client := plugin.NewClient(&plugin.ClientConfig{HandshakeConfig: sdk.Handshake(), Plugins: sdk.PluginSet(), Cmd: cmd,
		SkipHostEnv: true, AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: newSink(slog.New(slog.DiscardHandler)).logger()})
	rpc, err := client.Client()
	if err != nil {
		b.Fatal(err)
	}
	raw, err := rpc.Dispense(sdk.PluginName)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := raw.(sdk.Adapter).Describe(b.Context()); err != nil {
		b.Fatal(err)
	}
	return func() {
		client.Kill()
		program.Close()
	}
}

// benchWrite is a batch of records as a mapping makes them.
func benchWrite(records int) sdk.WriteRequest {
	req := sdk.WriteRequest{Connection: sdk.Connection{Settings: []byte("nothing")}, Object: "contacts"}
	for i := range records {
		fields := map[string]sdk.Value{}
		for f := range 12 {
			fields["field_"+strconv.Itoa(f)] = sdk.Text(fmt.Sprintf("value %d of record %d", f, i))
		}
		req.Items = append(req.Items, sdk.WriteItem{ItemID: strconv.Itoa(i), ExternalKey: strconv.Itoa(i), Mode: sdk.ModeUpsert, Fields: fields})
	}
	return req
}

// BenchmarkCall compares a call through the host's handle to the bare generated
// gRPC stub on the same socket, with the same message.
func BenchmarkCall(b *testing.B) {
	for _, records := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			a, o := stagedProgram(b)
			p := launched(b, a, o)
			s := &slot{name: "one"}
			w := newWorker("one", o, nil, nil)
			w.up(p)
			s.serving.Store(&routes{main: w})
			adapter := handle{slot: s}
			stub := pb.NewAdapterClient(p.conn)
			req := benchWrite(records)
			wire := captured(b, req)
			var ours, bare times
			for b.Loop() {
				begin := time.Now()
				if _, err := adapter.Write(b.Context(), req); err != nil {
					b.Fatal(err)
				}
				ours = append(ours, time.Since(begin))
				begin = time.Now()
				if _, err := stub.Write(b.Context(), wire); err != nil {
					b.Fatal(err)
				}
				bare = append(bare, time.Since(begin))
			}
			b.ReportMetric(us(ours.quantile(0.5)), "p50-µs")
			b.ReportMetric(us(bare.quantile(0.5)), "bare-p50-µs")
			b.ReportMetric(us(ours.quantile(0.5))/us(bare.quantile(0.5)), "ratio")
			b.ReportMetric(float64(records)/ours.quantile(0.5).Seconds(), "records/s")
		})
	}
}

// captured is req as the SDK puts it on the wire.
func captured(b *testing.B, req sdk.WriteRequest) *pb.WriteRequest {
	b.Helper()
	var c capture
	_, _ = sdk.NewClient(&c).Write(b.Context(), req) // it answers nothing; the message is what we want
	if c.message == nil {
		b.Fatal("the SDK sent no message")
	}
	return c.message
}

// BenchmarkIdleMemory reports what each further idle process of one program costs:
// its proportional set size, with shared pages divided among those that share them.
func BenchmarkIdleMemory(b *testing.B) {
	const processes = 10
	a, o := stagedProgram(b)
	var total float64
	for b.Loop() {
		total = 0
		var running []*process
		for range processes {
			running = append(running, launched(b, a, o))
		}
		for _, p := range running {
			total += pssMiB(b, int(p.child.pid.Load()))
		}
		for _, p := range running {
			p.kill()
		}
	}
	b.ReportMetric(total/processes, "PSS-MiB/process")
}

func pssMiB(b *testing.B, pid int) float64 {
	b.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), "\nPss:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// capture is a connection that keeps the message and answers nothing.
type capture struct{ message *pb.WriteRequest }

func (c *capture) Invoke(_ context.Context, _ string, in, _ any, _ ...grpc.CallOption) error {
	c.message, _ = in.(*pb.WriteRequest)
	return nil
}

func (c *capture) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.ErrUnsupported
}

// BenchmarkSwap swaps there and back under the load of 32 callers and reports how
// many calls failed and what swaps add to the 99th percentile of a call.
func BenchmarkSwap(b *testing.B) {
	const callers, swaps = 32, 20
	dir := b.TempDir()
	versions := []string{
		plugintest.Program(b, dir, plugintest.Behaviour{Name: "one", Version: "1"}),
		plugintest.Program(b, dir, plugintest.Behaviour{Name: "one", Version: "2"})}
	r := NewRegistry(Options{StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run")})
	defer r.Stop()
	if err := r.Start(b.Context(), []Declaration{{Name: "one", Path: versions[0]}}); err != nil {
		b.Fatal(err)
	}
	adapter, err := r.Adapter("one")
	if err != nil {
		b.Fatal(err)
	}
	var calm, swapping times
	failed := 0
	for b.Loop() {
		took, errs := load(b, adapter, callers, func() { time.Sleep(time.Second) })
		calm, failed = append(calm, took...), failed+errs
		took, errs = load(b, adapter, callers, func() {
			for i := range swaps {
				changes, err := r.Reload(b.Context(), []Declaration{{Name: "one", Path: versions[(i+1)%2]}})
				if err != nil || changes[0].Err != nil || changes[0].What != "swapped" {
					b.Fatalf("swap %d: %+v, %v", i, changes, err)
				}
			}
		})
		swapping, failed = append(swapping, took...), failed+errs
	}
	b.ReportMetric(float64(failed), "failed-calls")
	b.ReportMetric(float64(len(swapping)), "calls")
	b.ReportMetric(ms(calm.quantile(0.99)), "calm-p99-ms")
	b.ReportMetric(ms(swapping.quantile(0.99)), "swap-p99-ms")
	b.ReportMetric(ms(swapping.quantile(0.99)-calm.quantile(0.99)), "added-p99-ms")
}

// load has callers call, 20 ms a call, for as long as during takes.
func load(b *testing.B, a sdk.Adapter, callers int, during func()) (took times, failed int) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				begin := time.Now()
				_, err := a.Write(b.Context(), sdk.WriteRequest{Connection: sdk.Connection{Settings: []byte("sleep 20ms")},
					Items: []sdk.WriteItem{{ItemID: "1"}}})
				mu.Lock()
				took = append(took, time.Since(begin))
				if err != nil {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	during()
	stop()
	wg.Wait()
	return took, failed
}
