'use strict';
// What every CRM simulator has: two listeners, faults, counters, a clock, and the
// admin paths below /_sim/{crm}/ that Clientele's conformance suite uses. Nothing
// here knows the CRM.

const http = require('node:http');

const MAX_BODY = 32 * 1024 * 1024;

function read(request) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let size = 0;
    request.on('data', (part) => {
      size += part.length;
      if (size > MAX_BODY) request.destroy();
      parts.push(part);
    });
    request.on('end', () => resolve(Buffer.concat(parts).toString()));
    request.on('error', reject);
  });
}

function send(response, status, body, headers = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(text);
}

/** millis of a Go duration such as 1.5s, 300ms or -2m. */
function millis(text) {
  const found = /^(-?[\d.]+)(ms|s|m|h)$/.exec(text || '');
  return found ? Number(found[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[found[2]] : 0;
}

class Base {
  constructor({ subject, presets, dos }) {
    Object.assign(this, { subject, presets, dos, rules: [], offset: 0 });
    this.reset();
  }

  reset() { this.counts = { calls: 0, endpoints: {}, counts: {}, created: {} }; }

  made(kind) { this.counts.created[kind] = (this.counts.created[kind] || 0) + 1; }

  now() { return new Date(Date.now() + this.offset); }

  /** pick is the first rule that applies to a request; it is used up by one. */
  pick(method, path) {
    for (const rule of this.rules) {
      if (rule.method && rule.method !== method) continue;
      if (rule.path && rule.path !== path) continue;
      rule.seen++;
      if (rule.seen <= (rule.skip || 0) || (rule.count && rule.hits >= rule.count)) continue;
      rule.hits++;
      return rule;
    }
    return null;
  }

  /** handle is the CRM's port: faults around the CRM's own answer. */
  async handle(request, response) {
    const url = new URL(request.url, 'http://crm');
    const text = await read(request);
    this.counts.calls++;
    const rule = this.pick(request.method, url.pathname) || {};
    if (rule.delay) {
      await new Promise((resolve) => setTimeout(resolve, millis(rule.delay)));
      if (response.destroyed || request.socket.destroyed) return; // the caller has gone
    }
    const preset = this.presets[rule.preset];
    if (rule.cut === 'before') return request.socket.resetAndDestroy();
    if (rule.filler) return this.fill(response, rule.filler);
    if (preset) return send(response, preset.status, preset.body);
    if (rule.status) return send(response, rule.status, rule.body || '', rule.header);
    let body = {};
    try { body = text ? JSON.parse(text) : {}; } catch { return send(response, 400, { code: 'BAD_REQUEST', message: 'The body is no JSON.' }); }
    const said = this.answer({ method: request.method, path: url.pathname, query: url.searchParams, headers: request.headers, body, fault: rule.do });
    if (rule.cut === 'after') return request.socket.resetAndDestroy();
    if (rule.cut === 'middle') {
      const whole = JSON.stringify(said.body);
      response.writeHead(said.status, { 'Content-Length': whole.length + 1 });
      response.write(whole.slice(0, whole.length / 2), () => request.socket.destroy());
      return undefined;
    }
    return send(response, said.status, said.body, said.headers);
  }

  /** fill answers with blanks until the caller has had enough. */
  fill(response, n) {
    const blanks = Buffer.alloc(64 * 1024, ' ');
    response.writeHead(200);
    const more = () => {
      while (n > 0 && !response.destroyed) {
        n -= blanks.length;
        if (!response.write(blanks)) return response.once('drain', more);
      }
      return response.end();
    };
    more();
  }

  /** admin answers one admin path. */
  admin(method, path, body) {
    switch (`${method} ${path}`) {
      case 'GET /counters': return { ...this.counts, ...this.held() };
      case 'DELETE /counters': this.reset(); return {};
      case 'GET /faults': return this.rules;
      case 'DELETE /faults': this.rules = []; return [];
      case 'POST /faults': this.rules.push({ ...body, hits: 0, seen: 0 }); return this.rules;
      case 'GET /clock': return { now: this.now() };
      case 'POST /clock': this.offset += millis(body.advance); return { now: this.now() };
      case 'GET /settings': case 'PATCH /settings': return {};
      case 'GET /subject': return this.subject;
      case 'POST /subject/merge': this.merge(body.object, body.into, body.from); return { merged: true };
      default: return null;
    }
  }

  async handleAdmin(prefix, request, response) {
    const path = new URL(request.url, 'http://admin').pathname;
    try {
      const text = await read(request);
      const said = path.startsWith(prefix) ? this.admin(request.method, path.slice(prefix.length), text ? JSON.parse(text) : {}) : null;
      if (said === null) send(response, 404, { error: 'no such path' });
      else send(response, 200, said);
    } catch (err) {
      send(response, 400, { error: err.message });
    }
  }
}

function listen(handler, address) {
  const at = address.lastIndexOf(':');
  return new Promise((resolve, reject) => {
    const server = http.createServer(handler);
    server.on('error', reject);
    server.listen(Number(address.slice(at + 1)), address.slice(0, at), () => resolve(server));
  });
}

/** run serves a simulator as crm-simulator does. */
async function run(name, simulator) {
  const options = { [name]: '127.0.0.1:0', admin: '127.0.0.1:0', data: '' };
  let lifeline = false;
  for (let i = 2; i < process.argv.length; i++) {
    const flag = process.argv[i].replace(/^--?/, '');
    if (flag === 'lifeline') lifeline = true;
    else if (flag in options) options[flag] = process.argv[++i];
    else {
      console.error(`simulator: there is no flag --${flag}`);
      process.exit(2);
    }
  }
  const crm = await listen((q, r) => simulator.handle(q, r), options[name]);
  const admin = await listen((q, r) => simulator.handleAdmin(`/_sim/${name}`, q, r), options.admin);
  const address = (server) => `${server.address().address}:${server.address().port}`;
  console.log(JSON.stringify({ [name]: address(crm), admin: address(admin) }));
  if (lifeline) process.stdin.on('end', () => process.exit(0)).resume();
}

module.exports = { Base, run, listen };
