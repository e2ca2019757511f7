'use strict';
// How an adapter is a program: it shakes hands with the host as hashicorp/go-plugin
// does, serves the contract over gRPC on a unix socket, and ends with its host.
// Nothing here knows the CRM.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

const PROTOCOL = 1;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const PROTO = path.join(__dirname, '..', 'adapter.proto');

/** CallError is a failure of a call or of one item, in the contract's words. */
class CallError extends Error {
  constructor(fields) {
    super(fields.message || fields.class);
    this.fields = { retry: 'never', ...fields };
  }
}

/** log writes a line that the host files under this adapter. Never a token. */
function log(level, message, values = {}) {
  const line = { '@level': level, '@message': message, '@timestamp': new Date().toISOString(), '@module': 'adapter', ...values };
  process.stderr.write(JSON.stringify(line) + '\n');
}

/** statusError packs an error into a gRPC status whose detail the host reads. */
function statusError(err, writes) {
  let fields = err instanceof CallError ? err.fields : null;
  if (!fields) {
    log('error', 'a call failed unexpectedly', { kind: err && err.name, stack: String(err && err.stack).slice(0, 2000) });
    fields = writes
      ? { class: 'unknown_outcome', retry: 'read_back', message: 'the adapter failed; its log has the stack' }
      : { class: 'transient', retry: 'later', message: 'the adapter failed; its log has the stack' };
  }
  const detail = errorType.encode(errorType.fromObject(fields)).finish();
  // google.rpc.Status, by hand: code = 1, message = 2, details = 3 (Any).
  const any = protobuf.Writer.create().uint32(10).string('type.googleapis.com/clientele.adapter.v1.Error').uint32(18).bytes(detail).finish();
  const code = grpc.status.UNKNOWN;
  const message = `${fields.class}: ${fields.message || ''}`;
  const whole = protobuf.Writer.create().uint32(8).int32(code).uint32(18).string(message).uint32(26).bytes(any).finish();
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(whole));
  return { code, details: message, metadata };
}

let errorType;

/** raw is a gRPC method whose messages are bytes: for what is too small for a proto file. */
function raw(servicePath) {
  const same = (b) => b;
  return {
    path: servicePath, requestStream: false, responseStream: false,
    requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
  };
}

function contract() {
  // Names stay as in the proto file, where protobufjs would make crmId of crm_id.
  const kept = new protobuf.Root().loadSync(PROTO, { keepCase: true });
  errorType = kept.lookupType('clientele.adapter.v1.Error');
  const loaded = loader.loadSync(PROTO, { keepCase: true, longs: Number, defaults: true, oneofs: true });
  return grpc.loadPackageDefinition(loaded).clientele.adapter.v1.Adapter.service;
}

const WRITES = new Set(['Write', 'LogActivities', 'Delete']);

/** handler makes a gRPC method of one of the adapter's. */
function handler(adapter, name) {
  return async (call, done) => {
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort());
    try {
      done(null, await adapter[name](call.request, controller.signal));
    } catch (err) {
      done(statusError(err, WRITES.has(name)));
    }
  };
}

/** endWithHost exits when the host's end of the lifeline closes, or the parent changes. */
function endWithHost() {
  const fd = Number(process.env.CLIENTELE_LIFELINE_FD);
  if (fd > 2) {
    const lifeline = new net.Socket({ fd, readable: true, writable: false });
    lifeline.on('end', () => process.exit(0));
    lifeline.on('error', () => process.exit(0));
    lifeline.resume();
  }
  const parent = process.ppid;
  setInterval(() => { if (process.ppid !== parent) process.exit(0); }, 200).unref();
}

/** serve runs the adapter; it is the only line of a main program. */
function serve(adapter) {
  if (process.argv[2] === 'describe') {
    adapter.Describe({}).then((d) => console.log(JSON.stringify({ ...d, settings_schema: JSON.parse(d.settings_schema.toString()) }, null, 2)));
    return;
  }
  if (process.env.CLIENTELE_ADAPTER !== 'the host speaks gRPC here') {
    console.error('This is a Clientele adapter. A host starts it: name its directory under adapters in the configuration.');
    process.exit(1);
  }
  endWithHost();
  const server = new grpc.Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES, 'grpc.max_send_message_length': MAX_MESSAGE_BYTES });
  const service = contract();
  const methods = {};
  for (const name of Object.keys(service)) methods[name] = handler(adapter, name);
  server.addService(service, methods);
  // HealthCheckResponse{status: SERVING}
  server.addService({ Check: raw('/grpc.health.v1.Health/Check') }, { Check: (_, done) => done(null, Buffer.from([8, 1])) });
  const stop = () => server.tryShutdown(() => process.exit(0));
  server.addService({ Shutdown: raw('/plugin.GRPCController/Shutdown') }, {
    Shutdown: (_, done) => { done(null, Buffer.alloc(0)); setTimeout(() => process.exit(0), 50); },
  });
  process.on('SIGTERM', () => { setTimeout(() => process.exit(0), 2000); stop(); });

  const socket = path.join(process.env.PLUGIN_UNIX_SOCKET_DIR || fs.mkdtempSync('/tmp/adapter-'), 'adapter.sock');
  server.bindAsync('unix:' + socket, grpc.ServerCredentials.createInsecure(), (err) => {
    if (err) {
      console.error('listen:', err.message);
      process.exit(1);
    }
    // The handshake, the first line on stdout: core protocol, ours, network, address, transport.
    process.stdout.write(`1|${PROTOCOL}|unix|${socket}|grpc\n`);
  });
}

module.exports = { serve, CallError, log, PROTOCOL };
