// jsforce does what integrations do with it. A failed assertion ends the story
// with a non-zero exit code.
import assert from 'node:assert/strict'
import jsforce from 'jsforce'

const addresses = JSON.parse(process.argv[2])
const instanceUrl = `http://${addresses.salesforce}`
const admin = async (method, path, body) => {
  const res = await fetch(`http://${addresses.admin}/_sim/salesforce/${path}`, { method, body: body && JSON.stringify(body) })
  assert.equal(res.status, 200, `${method} ${path}`)
  return res.json()
}
const told = []
const step = async (name, what) => {
  await what()
  told.push(name)
}
await admin('POST', 'profile', { name: 'ready' })
const key = 'Clientele_Id__c'
let conn = new jsforce.Connection({ instanceUrl, accessToken: '00DSi0000000001!sim-static-token', version: '66.0' })

await step('instance URL and access token', async () => {
  const me = await conn.identity()
  assert.equal(me.username, 'admin@example.org')
  assert.equal(me.organization_id, '00DSi0000000001MAA')
})

await step('describe', async () => {
  const global = await conn.describeGlobal()
  assert.ok(global.sobjects.some((o) => o.name === 'Contact' && o.keyPrefix === '003'))
  const contact = await conn.sobject('Contact').describe()
  const field = contact.fields.find((f) => f.name === key)
  assert.ok(field.externalId && field.unique && field.custom)
  assert.equal(contact.fields.find((f) => f.name === 'LastName').nillable, false)
})

let anna
await step('create, retrieve, update', async () => {
  const made = await conn.sobject('Contact').create({ LastName: 'Fischer', FirstName: 'Anna', Email: 'a.fischer@example.org' })
  assert.ok(made.success)
  anna = made.id
  await conn.sobject('Contact').update({ Id: anna, MailingCity: 'Berlin', MailingCountry: 'Germany' })
  const read = await conn.sobject('Contact').retrieve(anna)
  assert.equal(read.Name, 'Anna Fischer')
  assert.equal(read.MailingAddress.city, 'Berlin')
  assert.match(read.SystemModstamp, /\.000\+0000$/)
})

await step('errors', async () => {
  await assert.rejects(conn.sobject('Contact').create({ FirstName: 'Nobody' }), (e) => e.errorCode === 'REQUIRED_FIELD_MISSING')
  await assert.rejects(conn.query('SELECT Foo__c FROM Contact'), (e) => e.errorCode === 'INVALID_FIELD')
  await assert.rejects(conn.sobject('Contact').retrieve('003Si0000099999'), (e) => e.errorCode === 'NOT_FOUND')
})

await step('upsert by external id', async () => {
  const first = await conn.sobject('Contact').upsert({ [key]: 'c-1001', LastName: 'Weber' }, key)
  const second = await conn.sobject('Contact').upsert({ [key]: 'c-1001', Title: 'CFO' }, key)
  assert.equal(first.created, true)
  assert.equal(second.created, false)
  assert.equal(first.id, second.id)
})

await step('collections', async () => {
  const many = Array.from({ length: 450 }, (_, i) => ({ [key]: `m-${i}`, LastName: `Many ${i}`, Email: i === 7 ? 'nope' : `m${i}@example.org` }))
  const made = await conn.sobject('Contact').create(many, { allowRecursive: true })
  assert.equal(made.filter((r) => r.success).length, 449)
  assert.equal(made[7].errors[0].statusCode ?? made[7].errors[0].errorCode, 'INVALID_EMAIL_ADDRESS')
  const upserted = await conn.sobject('Contact').upsert(many.slice(0, 3).map((r) => ({ ...r, Title: 'Again' })), key)
  assert.deepEqual(upserted.map((r) => r.created), [false, false, false])
  const updated = await conn.sobject('Contact').update(made.slice(0, 3).map((r) => ({ Id: r.id, Department: 'Sales' })))
  assert.ok(updated.every((r) => r.success))
  const read = await conn.sobject('Contact').retrieve(made.slice(0, 2).map((r) => r.id))
  assert.deepEqual(read.map((r) => r.Department), ['Sales', 'Sales'])
  const gone = await conn.sobject('Contact').destroy(made.slice(0, 2).map((r) => r.id))
  assert.ok(gone.every((r) => r.success))
})

await step('query with paging', async () => {
  await admin('PATCH', 'settings', { query_page: 100 })
  const all = await conn.query('SELECT Id, Name, Account.Name FROM Contact ORDER BY Name', { autoFetch: true, maxFetch: 10000 })
  assert.equal(all.records.length, all.totalSize)
  assert.ok(all.totalSize > 400)
  let page = await conn.query("SELECT Id FROM Contact WHERE LastName LIKE 'Many%' AND Department = null ORDER BY SystemModstamp, Id")
  let seen = page.records.length
  while (!page.done) {
    page = await conn.queryMore(page.nextRecordsUrl)
    seen += page.records.length
  }
  assert.equal(seen, page.totalSize)
  const found = await conn.sobject('Contact').find({ Email: 'm8@example.org' }, 'Id, LastName').limit(5)
  assert.equal(found[0].LastName, 'Many 8')
  const deleted = await conn.query("SELECT Id FROM Contact WHERE IsDeleted = true", { scanAll: true })
  assert.equal(deleted.totalSize, 2)
})

await step('activities and relationships', async () => {
  const account = await conn.sobject('Account').create({ Name: 'Muster GmbH' })
  await conn.sobject('Contact').update({ Id: anna, AccountId: account.id })
  const task = await conn.sobject('Task').create({ WhoId: anna, Subject: '[Chat] Delivery', Status: 'Completed', TaskSubtype: 'Task', ActivityDate: '2026-01-01' })
  const read = await conn.query(`SELECT Id, IsClosed, Who.Name, Account.Name FROM Task WHERE Id = '${task.id}'`)
  assert.equal(read.records[0].IsClosed, true)
  assert.equal(read.records[0].Account.Name, 'Muster GmbH')
  await assert.rejects(conn.sobject('Task').update({ Id: task.id, TaskSubtype: 'Call' }), (e) => e.errorCode === 'INVALID_FIELD_FOR_INSERT_UPDATE')
})

await step('updated and deleted', async () => {
  const start = new Date(Date.now() - 3600e3)
  const end = new Date(Date.now() + 120e3)
  assert.ok((await conn.sobject('Contact').updated(start, end)).ids.includes(anna))
  assert.equal((await conn.sobject('Contact').deleted(start, end)).deletedRecords.length, 2)
})

await step('bulk 2.0', async () => {
  const results = await conn.bulk2.loadAndWaitForResults({
    object: 'Contact', operation: 'upsert', externalIdFieldName: key, pollInterval: 50,
    input: [{ [key]: 'b-1', LastName: 'Bulk', Email: 'b1@example.org' }, { [key]: 'b-2', LastName: '', Email: 'b2@example.org' }],
  })
  assert.equal(results.successfulResults.length, 1)
  assert.match(results.failedResults[0].sf__Error, /^REQUIRED_FIELD_MISSING:/)
})

await step('limits', async () => {
  const limits = await conn.limits()
  assert.ok(limits.DailyApiRequests.Remaining < limits.DailyApiRequests.Max)
  assert.ok(conn.limitInfo.apiUsage.used > 0)
})

await step('OAuth: web server flow with PKCE, refresh with rotation', async () => {
  await admin('PATCH', 'settings', { rotate_refresh_tokens: true })
  const oauth2 = new jsforce.OAuth2({
    loginUrl: instanceUrl, clientId: 'sim-key', clientSecret: 'sim-consumer-secret', redirectUri: 'http://127.0.0.1:9/callback', useVerifier: true,
  })
  const ask = await fetch(oauth2.getAuthorizationUrl({ scope: 'api refresh_token', state: 's1' }), { redirect: 'manual' })
  const back = new URL(ask.headers.get('location'))
  assert.equal(back.searchParams.get('state'), 's1')
  conn = new jsforce.Connection({ oauth2, version: '66.0' })
  await conn.authorize(back.searchParams.get('code'))
  assert.equal(conn.instanceUrl, instanceUrl)
  const first = conn.refreshToken
  await admin('POST', 'expire')
  let refreshed = 0
  // jsforce tells a rotated token and leaves keeping it to its caller.
  conn.on('refresh', (_, answer) => {
    refreshed += 1
    conn.refreshToken = answer.refresh_token
  })
  const q = await conn.query('SELECT COUNT() FROM Contact')
  assert.ok(q.totalSize > 0)
  assert.equal(refreshed, 1)
  assert.notEqual(conn.refreshToken, first)
  await conn.logout()
  await assert.rejects(new jsforce.Connection({ instanceUrl, accessToken: 'ended' }).query('SELECT Id FROM Contact'), (e) => e.errorCode === 'INVALID_SESSION_ID')
})

console.log(`jsforce: ${told.length} steps passed: ${told.join('; ')}`)
