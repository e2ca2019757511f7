'use strict';
// Pretends to be Example CRM, so that the adapter can be built and tried without
// an account. Make it as strict and as odd as the real one. Faults, counters, the
// clock and their admin paths are in lib/base.js.
//
//   node simulator.js --example 127.0.0.1:0 --admin 127.0.0.1:0 [--lifeline]
//
// prints one JSON line with the addresses it listens on.

const { Base, run } = require('./lib/base');

const TOKEN = 'example-access-token';
const MAX_BATCH = 100;
const DAILY = 100_000;

const SCHEMA = {
  people: [
    { name: 'first_name', label: 'First name', length: 40 }, { name: 'last_name', label: 'Last name', length: 80, required: true },
    { name: 'email', label: 'Email', length: 120, unique: true }, { name: 'phone', label: 'Phone', length: 40 }, { name: 'city', label: 'City', length: 80 },
  ],
  notes: [
    { name: 'person', label: 'Person', length: 40, required: true }, { name: 'title', label: 'Title', length: 200, required: true },
    { name: 'text', label: 'Text', length: 4000 }, { name: 'channel', label: 'Channel', length: 20 }, { name: 'at', label: 'At', length: 40 },
  ],
};

const refuse = (status, code, message, more = {}) => ({ status, body: { code, message, ...more } });

class Simulator extends Base {
  constructor() {
    super({
      subject: {
        settings: { base_url: '{base_url}' }, access_token: TOKEN, merges: true,
        faults: { quota: { preset: 'daily' }, lock: { preset: 'locked' }, short: { do: 'short_answer' } },
      },
      presets: {
        daily: refuse(429, 'DAILY_LIMIT', 'The calls of today are used up.'),
        locked: refuse(423, 'LOCKED', 'Somebody else is changing these records.'),
      },
      dos: ['short_answer'],
    });
    this.records = new Map();
    this.newest = 0;
    this.served = 0;
  }

  /** answer is the CRM: a request in, status and body out. */
  answer({ method, path, query, headers, body, fault }) {
    this.served++;
    const more = { 'X-Request-Id': `req-${this.served}`, 'X-Daily-Limit': DAILY, 'X-Daily-Remaining': DAILY - this.served };
    const [, object, what] = path.split('/');
    let said;
    if ((headers.authorization || '').replace(/^Bearer /, '') !== TOKEN) said = refuse(401, 'BAD_TOKEN', 'The access token is not valid.');
    else if (path === '/account') said = { status: 200, body: { account: 'Example Ltd', user: 'integration@example.com', version: '1' } };
    else if (!SCHEMA[object]) said = refuse(404, 'NO_SUCH_OBJECT', `There is no object ${object}.`);
    else if (method === 'GET' && what === 'fields') said = { status: 200, body: { fields: SCHEMA[object] } };
    else if (method === 'GET' && what === 'changes') said = this.changes(object, query);
    else if (what === 'batch') said = this.batch(object, body.rows || [], fault);
    else if (what === 'lookup') said = this.lookup(object, body);
    else if (what === 'delete') said = this.remove(object, body.ids || []);
    else said = refuse(404, 'NOT_FOUND', 'There is no such path.');
    return { ...said, headers: more };
  }

  live(object) { return [...this.records.values()].filter((r) => r.object === object && !r.gone && !r.into); }

  put(record) {
    record.seq = ++this.newest;
    record.version = (record.version || 0) + 1;
    record.changed = this.now().toISOString();
    this.records.set(record.id, record);
  }

  batch(object, rows, fault) {
    if (rows.length > MAX_BATCH) return refuse(413, 'TOO_MANY_ROWS', `At most ${MAX_BATCH} rows, not ${rows.length}.`);
    const out = rows.map((row) => this.write(object, row));
    if (fault === 'short_answer') out.pop();
    return { status: 207, body: { rows: out } };
  }

  write(object, row) {
    const failed = ({ status, body }) => ({ ref: row.ref, status, error: body });
    let record;
    if (row.id) {
      record = this.records.get(row.id);
      if (!record || record.object !== object || record.gone) return failed(refuse(404, 'NOT_FOUND', `There is no record ${row.id}.`));
      if (record.into) return failed(refuse(410, 'MERGED', 'The record was merged into another.', { into: record.into }));
    } else {
      record = this.live(object).find((r) => row.external_key && r.external_key === row.external_key);
    }
    if (record && row.mode === 'create') return failed(refuse(409, 'EXISTS', 'A record with this key is there already.'));
    if (!record && row.mode === 'update') return failed(refuse(404, 'NOT_FOUND', 'There is no record with this key.'));
    if (record && row.version && row.version !== String(record.version)) return failed(refuse(412, 'STALE', 'The record has changed since.'));
    const next = record ? { ...record, fields: { ...record.fields } } : { object, id: `${object}-${this.records.size + 1}`, fields: {} };
    if (row.external_key) next.external_key = row.external_key;
    const wrong = this.apply(next, row.fields || {});
    if (wrong) return failed(wrong);
    this.put(next);
    if (!record) this.made(object);
    return { ref: row.ref, status: record ? 200 : 201, id: next.id, external_key: next.external_key, version: String(next.version), fields: next.fields };
  }

  apply(record, fields) {
    for (const [name, value] of Object.entries(fields)) {
      const known = SCHEMA[record.object].find((f) => f.name === name);
      if (!known) return refuse(422, 'NO_SUCH_FIELD', `There is no field ${name}.`, { field: name });
      if (value === null) delete record.fields[name];
      else if ([...value].length > known.length) return refuse(422, 'TOO_LONG', `The value is longer than ${known.length} characters.`, { field: name });
      else record.fields[name] = value;
    }
    for (const f of SCHEMA[record.object]) {
      const value = record.fields[f.name];
      if (f.required && !value) return refuse(422, 'REQUIRED', 'The field must have a value.', { field: f.name });
      if (!f.unique || !value) continue;
      const other = this.live(record.object).find((r) => r.id !== record.id && (r.fields[f.name] || '').toLowerCase() === value.toLowerCase());
      if (other) return refuse(409, 'TAKEN', 'Another record has this value.', { field: f.name, into: other.id });
    }
    return null;
  }

  lookup(object, { by, values = [] }) {
    const of = { id: (r) => r.id, external_key: (r) => r.external_key, email: (r) => (r.fields.email || '').toLowerCase(), phone: (r) => r.fields.phone }[by];
    if (!of) return refuse(400, 'BAD_REQUEST', 'by: want id, external_key, email or phone.');
    return { status: 200, body: { rows: this.live(object).filter((r) => of(r) && values.includes(of(r))) } };
  }

  remove(object, ids) {
    return {
      status: 207,
      body: {
        rows: ids.map((id) => {
          const record = this.records.get(id);
          if (!record || record.object !== object || record.gone || record.into) {
            return { ref: id, status: 404, error: refuse(404, 'NOT_FOUND', `There is no record ${id}.`).body };
          }
          record.gone = true;
          this.put(record);
          return { ref: id, status: 200 };
        }),
      },
    };
  }

  changes(object, query) {
    const limit = Math.min(Number(query.get('limit') || 100), 100);
    const cursor = query.get('cursor') === 'now' ? this.newest : Number(query.get('cursor'));
    if (!Number.isInteger(cursor) || !(limit >= 1)) return refuse(400, 'BAD_CURSOR', 'The cursor or limit is none of this CRM\'s.');
    const all = [...this.records.values()].filter((r) => r.object === object && r.seq > cursor).sort((a, b) => a.seq - b.seq);
    const page = all.slice(0, limit);
    const more = all.length > limit;
    return { status: 200, body: { rows: page, next: String(more ? page[limit - 1].seq : this.newest), more, now: this.now().toISOString() } };
  }

  merge(object, into, from) {
    const [winner, loser] = [this.records.get(into), this.records.get(from)];
    if (!winner || !loser) throw new Error('there is no such record');
    loser.into = winner.id;
    this.put(loser);
    this.put(winner);
  }

  /** held counts what the CRM holds, and what is there twice under one key. */
  held() {
    const held = {};
    const duplicates = {};
    for (const object of Object.keys(SCHEMA)) {
      const records = this.live(object);
      if (records.length) held[object] = records.length;
      const keys = records.map((r) => r.external_key).filter(Boolean);
      if (keys.length > new Set(keys).size) duplicates[object] = keys.length - new Set(keys).size;
    }
    return { held, duplicates };
  }
}

module.exports = { Simulator, TOKEN };

if (require.main === module) run('example', new Simulator());
