// HubSpot's own client does what integrations do with it. A failed assertion
// ends the story with a non-zero exit code.
import assert from 'node:assert/strict'
import { Client } from '@hubspot/api-client'

const addresses = JSON.parse(process.argv[2])
const basePath = `http://${addresses.hubspot}`
const admin = (method, path, body) =>
  fetch(`http://${addresses.admin}/_sim/hubspot/${path}`, { method, body: body && JSON.stringify(body) })
const hubspot = new Client({ accessToken: 'pat-na1-interop', basePath })
const { crm } = hubspot
const told = []
const step = async (name, what) => {
  await what()
  told.push(name)
}

await step('properties', async () => {
  const group = await crm.properties.groupsApi.create('contacts', { name: 'interop', label: 'Interop' })
  assert.equal(group.name, 'interop')
  const property = await crm.properties.coreApi.create('contacts', {
    name: 'interop_key', label: 'Key', groupName: 'interop', type: 'string', fieldType: 'text', hasUniqueValue: true,
  })
  assert.equal(property.hasUniqueValue, true)
  const all = await crm.properties.coreApi.getAll('contacts')
  assert.ok(all.results.some((p) => p.name === 'interop_key'))
  assert.ok(all.results.find((p) => p.name === 'lifecyclestage').options.length > 5)
  const read = await crm.properties.batchApi.read('contacts', { archived: false, inputs: [{ name: 'email' }] })
  assert.equal(read.results[0].name, 'email')
})

let ida
await step('contacts', async () => {
  ida = await crm.contacts.basicApi.create({ properties: { email: 'Ida@Example.test', firstname: 'Ida' }, associations: [] })
  assert.equal(ida.properties.email, 'ida@example.test')
  assert.ok(ida.createdAt instanceof Date)
  await assert.rejects(
    crm.contacts.basicApi.create({ properties: { email: 'ida@example.test' }, associations: [] }),
    (e) => e.code === 409 && e.body.category === 'CONFLICT' && e.body.message.includes(ida.id),
  )
  await assert.rejects(crm.contacts.basicApi.create({ properties: { email: 'ida@' } }), (e) => e.code === 400)
  const updated = await crm.contacts.basicApi.update(ida.id, { properties: { city: 'Utrecht' } })
  assert.equal(updated.properties.city, 'Utrecht')
  const byEmail = await crm.contacts.basicApi.getById('ida@example.test', ['city', 'phone'], undefined, undefined, false, 'email')
  assert.equal(byEmail.id, ida.id)
  assert.equal(byEmail.properties.phone, null)
  await assert.rejects(crm.contacts.basicApi.getById('90219999'), (e) => e.code === 404)
})

await step('batches', async () => {
  const inputs = [...Array(50).keys()].map((n) => ({
    objectWriteTraceId: String(n), properties: { email: `batch${n}@example.test`, lastname: `Batch ${n}`, interop_key: `k${n}` },
    associations: [],
  }))
  const created = await crm.contacts.batchApi.create({ inputs })
  assert.equal(created.status, 'COMPLETE')
  assert.equal(created.results.length, 50)
  const again = await crm.contacts.batchApi.create({ inputs: inputs.slice(0, 2) })
  assert.equal(again.errors.length, 2)
  const read = await crm.contacts.batchApi.read({
    idProperty: 'email', properties: ['lastname'], propertiesWithHistory: [],
    inputs: [{ id: 'batch7@example.test' }, { id: 'nobody@example.test' }],
  })
  assert.equal(read.results[0].properties.lastname, 'Batch 7')
  assert.equal(read.errors[0].category, 'OBJECT_NOT_FOUND')
  const upserted = await crm.contacts.batchApi.upsert({
    inputs: [
      { id: 'k7', idProperty: 'interop_key', objectWriteTraceId: 'a', properties: { city: 'Delft' } },
      { id: 'k700', idProperty: 'interop_key', objectWriteTraceId: 'b', properties: { lastname: 'New' } },
    ],
  })
  assert.deepEqual(upserted.results.map((r) => r._new ?? r.new).sort(), [false, true])
  const updated = await crm.contacts.batchApi.update({ inputs: [{ id: created.results[0].id, properties: { city: 'Gouda' } }] })
  assert.equal(updated.results[0].properties.city, 'Gouda')
  await crm.contacts.batchApi.archive({ inputs: [{ id: created.results[49].id }] })
  await assert.rejects(crm.contacts.basicApi.getById(created.results[49].id), (e) => e.code === 404)
})

await step('paging', async () => {
  const all = await crm.contacts.getAll(20)
  assert.equal(all.length, 51)
  const archived = await crm.contacts.basicApi.getPage(10, undefined, undefined, undefined, undefined, true)
  assert.equal(archived.results.length, 1)
})

await step('search', async () => {
  await admin('PATCH', 'settings', { search_lag_ms: 0 })
  const found = await crm.contacts.searchApi.doSearch({
    filterGroups: [{ filters: [{ propertyName: 'lastname', operator: 'CONTAINS_TOKEN', value: 'batch' }] }],
    sorts: ['-lastname'], properties: ['lastname'], limit: 5, after: '0',
  })
  assert.equal(found.total, 49)
  assert.equal(found.results[0].properties.lastname, 'Batch 9')
  const next = await crm.contacts.searchApi.doSearch({
    filterGroups: [{ filters: [{ propertyName: 'lastname', operator: 'CONTAINS_TOKEN', value: 'batch' }] }],
    limit: 5, after: found.paging.next.after,
  })
  assert.equal(next.results.length, 5)
})

await step('companies, notes and associations', async () => {
  const company = await crm.companies.basicApi.create({ properties: { name: 'Acme' }, associations: [] })
  const note = await crm.objects.notes.basicApi.create({
    properties: { hs_timestamp: '2026-11-22T09:30:00Z', hs_note_body: 'Asked about invoice 17.' },
    associations: [{ to: { id: ida.id }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 202 }] }],
  })
  const made = await crm.associations.v4.basicApi.createDefault('contacts', ida.id, 'companies', company.id)
  assert.equal(made.status, 'COMPLETE')
  const labelled = await crm.associations.v4.basicApi.create('notes', note.id, 'companies', company.id, [
    { associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 190 },
  ])
  assert.equal(String(labelled.fromObjectId), note.id)
  const page = await crm.associations.v4.basicApi.getPage('contacts', ida.id, 'notes')
  assert.equal(String(page.results[0].toObjectId), note.id)
  const batch = await crm.associations.v4.batchApi.getPage('contacts', 'companies', { inputs: [{ id: ida.id }] })
  assert.equal(String(batch.results[0].to[0].toObjectId), company.id)
  const withThem = await crm.contacts.basicApi.getById(ida.id, undefined, undefined, ['companies', 'notes'])
  assert.equal(withThem.associations.companies.results[0].id, company.id)
  await crm.associations.v4.basicApi.archive('notes', note.id, 'companies', company.id)
})

await step('associations of v3', async () => {
  const acme = await crm.companies.basicApi.create({ properties: { name: 'Old ways' }, associations: [] })
  const pair = { _from: { id: ida.id }, to: { id: acme.id }, type: 'contact_to_company' }
  const made = await crm.associations.batchApi.create('contacts', 'companies', { inputs: [pair] })
  assert.equal(made.results.length, 1)
  const read = await crm.associations.batchApi.read('contacts', 'companies', { inputs: [{ id: ida.id }] })
  assert.ok(read.results[0].to.some((t) => t.id === acme.id))
  await crm.associations.batchApi.archive('contacts', 'companies', { inputs: [pair] })
})

await step('merge and privacy deletion', async () => {
  const bo = await crm.contacts.basicApi.create({ properties: { email: 'bo@example.test' }, associations: [] })
  const merged = await crm.contacts.basicApi.merge({ primaryObjectId: ida.id, objectIdToMerge: bo.id })
  assert.notEqual(merged.id, ida.id)
  assert.equal((await crm.contacts.basicApi.getById(ida.id)).id, merged.id)
  await crm.contacts.basicApi.purge({ objectId: 'batch3@example.test', idProperty: 'email' })
  await assert.rejects(
    crm.contacts.basicApi.create({ properties: { email: 'batch3@example.test' }, associations: [] }),
    (e) => e.code === 400 && e.body.message.includes('INVALID_EMAIL'),
  )
})

await step('owners and tokens', async () => {
  const owners = await crm.owners.ownersApi.getPage()
  assert.equal(owners.results[0].email, 'agent@example.test')
  const redirect = 'http://127.0.0.1/back'
  const consent = await fetch(
    `${basePath}/oauth/authorize?client_id=sim-app&redirect_uri=${encodeURIComponent(redirect)}&scope=crm.objects.contacts.read`,
    { redirect: 'manual' },
  )
  const code = new URL(consent.headers.get('location')).searchParams.get('code')
  const tokens = await hubspot.oauth.tokensApi.create('authorization_code', code, redirect, 'sim-app', 's3cret')
  assert.equal((await hubspot.oauth.accessTokensApi.get(tokens.accessToken)).hubId, 4711001)
  const fresh = await hubspot.oauth.tokensApi.create('refresh_token', undefined, undefined, 'sim-app', 's3cret', tokens.refreshToken)
  const other = new Client({ accessToken: fresh.accessToken, basePath })
  assert.ok((await other.crm.contacts.basicApi.getPage(1)).results.length === 1)
  await assert.rejects(
    other.crm.contacts.basicApi.create({ properties: { email: 'no@example.test' }, associations: [] }),
    (e) => e.code === 403 && e.body.category === 'MISSING_SCOPES',
  )
  await assert.rejects(
    hubspot.oauth.tokensApi.create('refresh_token', undefined, undefined, 'sim-app', 's3cret', 'dead'),
    (e) => e.code === 400 && e.body.status === 'BAD_REFRESH_TOKEN',
  )
})

console.log(`@hubspot/api-client: ${told.join(', ')}: ok`)
