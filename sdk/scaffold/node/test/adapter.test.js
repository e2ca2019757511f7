'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { Adapter } = require('../lib/adapter');
const { Simulator, TOKEN } = require('../simulator');
const { listen } = require('../lib/base');

async function rig(t) {
  const crm = new Simulator();
  const server = await listen((q, r) => crm.handle(q, r), '127.0.0.1:0');
  t.after(() => { server.closeAllConnections(); server.close(); });
  const connection = {
    id: '1', settings: Buffer.from(JSON.stringify({ base_url: `http://127.0.0.1:${server.address().port}` })), token: { access_token: TOKEN },
  };
  const adapter = new Adapter();
  const write = (...items) => adapter.Write({ connection, object: 'people', items });
  return { crm, adapter, connection, write };
}

function person(key) {
  const text = (s) => ({ kind: 'text', text: s });
  return {
    item_id: `item ${key}`, mode: 'upsert', external_key: key, crm_id: '', version: '',
    fields: { first_name: text('Ada'), last_name: text('Byron'), email: text(`${key}@example.com`) },
  };
}

test('a client is created once and found by each key', async (t) => {
  const { adapter, connection, write } = await rig(t);
  const first = (await write(person('k1'))).outcomes[0];
  assert.equal(first.done, 'created');
  const again = (await write(person('k1'))).outcomes[0];
  assert.deepEqual([again.done, again.crm_id], ['updated', first.crm_id]);
  for (const [by, value] of [['external_key', 'k1'], ['email', 'k1@example.com'], ['id', first.crm_id]]) {
    const found = await adapter.Find({ connection, object: 'people', keys: [{ item_id: '1', by, value }], fields: ['last_name'] });
    assert.equal(found.hits.length, 1);
    assert.equal(found.hits[0].record.fields.last_name.text, 'Byron');
  }
});

test('a bad record is blamed alone', async (t) => {
  const { write } = await rig(t);
  const bad = person('k2');
  bad.fields.last_name = {};
  const { outcomes } = await write(person('k1'), bad);
  assert.equal(outcomes[0].done, 'created');
  assert.deepEqual([outcomes[1].err.class, outcomes[1].err.field], ['validation', 'last_name']);
});

for (const [name, fault, want] of [
  ['a lost reply', { cut: 'after' }, 'unknown_outcome'], ['a bad token', { status: 401 }, 'auth'],
  ['too fast', { status: 429, header: { 'Retry-After': '9' } }, 'throttled'], ["the day's end", { preset: 'daily' }, 'quota'],
  ['a lock', { preset: 'locked' }, 'lock'], ["a proxy's page", { status: 502, body: '<html>' }, 'unknown_outcome'],
]) {
  test(`failures of the CRM: ${name}`, async (t) => {
    const { crm, write } = await rig(t);
    crm.admin('POST', '/faults', fault);
    await assert.rejects(write(person('k1')), (err) => err.fields.class === want);
  });
}
