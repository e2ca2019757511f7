'use strict';
// The contract's ten calls for Example CRM. The rules are in Clientele's
// sdk/README.md; messages have the names of adapter.proto. Nothing is remembered
// between calls.

const { CallError, PROTOCOL } = require('./serve');
const { Session, meaning, BUCKET } = require('./crm');

const VERSION = '0.1.0';
const MAX_BATCH = 100;
const KEY = 'external_key';

const SETTINGS = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  properties: { base_url: { type: 'string', format: 'uri', title: 'API address', default: 'https://api.example.com' } },
};

/** toCRM is a value as the CRM takes it: text, or null to empty the field. */
function toCRM(value) {
  switch (value.kind) {
    case 'text': return value.text;
    case 'number': return String(value.number);
    case 'truth': return String(value.truth);
    case 'list': return value.list.items.join(';');
    default: return null;
  }
}

function fromCRM(text) {
  return typeof text === 'string' ? { text } : {};
}

/** shown is a record as the host takes it, with the fields it asked for. */
function shown(object, record, wanted) {
  const fields = {};
  for (const name of wanted) fields[name] = fromCRM(record.fields[name]);
  return { object, id: record.id, external_key: record.external_key, version: String(record.version), updated_at: record.changed, fields };
}

/** outcome is what became of the item that a row was sent for. */
function outcome(itemID, object, row) {
  if (!row) {
    return {
      item_id: itemID, done: 'failed',
      err: { class: 'unknown_outcome', retry: 'read_back', message: "the CRM's answer leaves this record out" },
    };
  }
  if (row.status < 200 || row.status > 299) {
    const problem = row.error || {};
    return { item_id: itemID, done: 'failed', crm_id: problem.into || '', err: meaning(row.status, problem, true) };
  }
  const echo = {};
  for (const [name, text] of Object.entries(row.fields || {})) echo[name] = fromCRM(text);
  return { item_id: itemID, done: row.status === 201 ? 'created' : 'updated', object, crm_id: row.id, version: row.version, echo };
}

async function send(session, where, body, items, object) {
  const answer = await session.json('POST', where, body, true);
  const by = new Map((answer.rows || []).map((row) => [row.ref, row]));
  return { outcomes: items.map((item) => outcome(item.item_id, object, by.get(item.ref))), usage: session.usage() };
}

function rowsOf(items) {
  return items.map((item) => {
    const fields = {};
    for (const [name, value] of Object.entries(item.fields)) fields[name] = toCRM(value);
    const row = { ref: item.item_id, external_key: item.external_key, mode: item.mode, fields };
    if (item.crm_id) row.id = item.crm_id;
    if (item.version) row.version = item.version;
    return row;
  });
}

class Adapter {
  async Describe() {
    const map = (field, expr, length) => ({ object: 'people', field, expr, blank: 'ignore', max_length: length });
    return {
      name: 'example', label: 'Example CRM', version: VERSION, protocol: PROTOCOL,
      objects: [
        { name: 'people', label: 'Person', role: 'client', external_key_field: KEY },
        { name: 'notes', label: 'Note', role: 'activity', external_key_field: KEY },
      ],
      capabilities: ['install', 'find', 'activities', 'delete', 'changes', 'plan', 'echo', 'version_checks'],
      batch: { min: 1, start: MAX_BATCH, max: MAX_BATCH },
      auth: [{ kind: 'static_token', label: 'Access token', token_hosts: ['api.example.com'] }],
      settings_schema: Buffer.from(JSON.stringify(SETTINGS)),
      default_mapping: [
        map('first_name', 'client.first_name', 40), map('last_name', 'client.crm_last_name', 80), map('email', 'client.email', 0),
        map('phone', 'client.phone', 40), map('city', 'client.city', 80),
      ],
      simulator: 'example',
    };
  }

  async Check(req, signal) {
    const session = new Session(req.connection, signal);
    const who = await session.json('GET', '/account');
    return {
      account: who.account, user: who.user, api_version: who.version,
      external_key: { people: true, notes: true }, usage: session.usage(),
    };
  }

  async Install() {
    return { steps: [{ name: 'The CRM has the external key by itself', state: 'done' }] };
  }

  async DescribeObject(req, signal) {
    const session = new Session(req.connection, signal);
    const answer = await session.json('GET', `/${encodeURIComponent(req.object)}/fields`);
    return {
      object: { name: req.object, external_key_field: KEY },
      fields: answer.fields.map((f) => ({
        name: f.name, label: f.label, type: 'text', kind: 'text', max_length: f.length, required: f.required, unique: f.unique,
        createable: 'yes', updateable: 'yes',
      })),
      usage: session.usage(),
    };
  }

  async Find(req, signal) {
    const session = new Session(req.connection, signal);
    const hits = [];
    const key = { id: (r) => r.id, external_key: (r) => r.external_key, email: (r) => (r.fields.email || '').toLowerCase(), phone: (r) => r.fields.phone };
    for (const by of new Set(req.keys.map((k) => k.by))) {
      const keys = req.keys.filter((k) => k.by === by);
      const answer = await session.json('POST', `/${encodeURIComponent(req.object)}/lookup`, { by, values: keys.map((k) => k.value) });
      for (const record of answer.rows) {
        for (const k of keys) {
          if (k.value === key[by](record)) hits.push({ item_id: k.item_id, by, record: shown(req.object, record, req.fields) });
        }
      }
    }
    return { hits, usage: session.usage() };
  }

  async Write(req, signal) {
    const session = new Session(req.connection, signal);
    if (req.items.length > MAX_BATCH) throw new CallError({ class: 'batch_refused', retry: 'later', message: 'too many items for one call' });
    const items = req.items.map((item) => ({ item_id: item.item_id, ref: item.item_id }));
    return send(session, `/${encodeURIComponent(req.object)}/batch`, { rows: rowsOf(req.items) }, items, '');
  }

  async LogActivities(req, signal) {
    const session = new Session(req.connection, signal);
    const owned = req.items.filter((item) => item.contact_crm_ids.length > 0);
    const unowned = req.items.filter((item) => item.contact_crm_ids.length === 0).map((item) => ({
      item_id: item.item_id, done: 'failed', err: { class: 'validation', retry: 'never', field: 'contact', message: 'a note needs a person' },
    }));
    if (owned.length === 0) return { outcomes: unowned, usage: session.usage() };
    const rows = owned.map((item) => ({
      ref: item.item_id, id: item.crm_id || undefined, external_key: item.external_key, mode: 'upsert',
      fields: {
        person: item.contact_crm_ids[0], title: item.subject, text: item.link ? `${item.body}\n\n${item.link}` : item.body,
        channel: item.channel, at: item.started_at,
      },
    }));
    const reply = await send(session, '/notes/batch', { rows }, owned.map((item) => ({ item_id: item.item_id, ref: item.item_id })), 'notes');
    reply.outcomes.push(...unowned);
    return reply;
  }

  async Delete(req, signal) {
    const session = new Session(req.connection, signal);
    const items = req.items.map((item) => ({ item_id: item.item_id, ref: item.crm_id }));
    const reply = await send(session, `/${encodeURIComponent(req.object)}/delete`, { ids: req.items.map((item) => item.crm_id) }, items, '');
    // A record that is gone already is as wanted.
    reply.outcomes = reply.outcomes.map((o, i) => (o.err && o.err.class !== 'not_found' ? o : { item_id: o.item_id, done: 'updated', crm_id: req.items[i].crm_id }));
    return reply;
  }

  async Changes(req, signal) {
    const session = new Session(req.connection, signal);
    const query = new URLSearchParams({ cursor: req.cursor || 'now', limit: String(req.limit) });
    const answer = await session.json('GET', `/${encodeURIComponent(req.object)}/changes?${query}`);
    const reply = { changed: [], deleted: [], remapped: [], next: answer.next, more: answer.more, horizon: answer.more ? '' : answer.now, usage: session.usage() };
    for (const record of answer.rows) {
      if (record.gone) reply.deleted.push(record.id);
      else if (record.into) reply.remapped.push({ from_id: record.id, to_id: record.into });
      else reply.changed.push(shown(req.object, record, req.fields));
    }
    return reply;
  }

  async Plan(req, signal) {
    const session = new Session(req.connection, signal);
    return {
      requests: [{ method: 'POST', path: `/${req.object}/batch`, body: JSON.stringify({ rows: rowsOf(req.items) }), bucket: BUCKET }],
      items: req.items.map((item) => ({ item_id: item.item_id, crm_id: item.crm_id, action: item.mode, after: item.fields })),
      usage: session.usage(),
    };
  }
}

module.exports = { Adapter, VERSION };
