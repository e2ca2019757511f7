// The dynamics-web-api story: an unmodified client library against the
// Dataverse simulator. Run by run.sh; needs SIMULATOR (the CRM's base URL) and
// ADMIN (its admin paths) in the environment. It stops at the first surprise.
import assert from "node:assert/strict";
import { DynamicsWebApi } from "dynamics-web-api";

const { SIMULATOR, ADMIN } = process.env;
const step = async (name, fn) => {
  await fn();
  console.log("ok", name);
};

// Client credentials, as the library's users get their tokens elsewhere.
const token = async () => {
  const { tenant_id, client_id, client_secret } = await (await fetch(`${ADMIN}/settings`)).json();
  const reply = await fetch(`${SIMULATOR}/${tenant_id}/oauth2/v2.0/token`, {
    method: "POST",
    body: new URLSearchParams({ client_id, client_secret, grant_type: "client_credentials", scope: `${SIMULATOR}/.default` }),
  });
  return (await reply.json()).access_token;
};

const api = new DynamicsWebApi({
  serverUrl: SIMULATOR,
  dataApi: { version: "9.2" },
  onTokenRefresh: async () => ({ accessToken: await token() }),
});

await step("WhoAmI", async () => {
  const me = await api.callFunction({ functionName: "WhoAmI" });
  assert.match(me.OrganizationId, /^[0-9a-f-]{36}$/);
});

await step("a column and an alternate key", async () => {
  const label = (text) => ({
    "@odata.type": "Microsoft.Dynamics.CRM.Label",
    LocalizedLabels: [{ "@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", Label: text, LanguageCode: 1033 }],
  });
  const contact = "LogicalName='contact'";
  await api.createAttribute({
    entityKey: contact,
    data: {
      "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
      AttributeType: "String",
      AttributeTypeName: { Value: "StringType" },
      SchemaName: "acme_ExternalId",
      MaxLength: 100,
      DisplayName: label("External Id"),
    },
  });
  const key = await fetch(`${SIMULATOR}/api/data/v9.2/EntityDefinitions(LogicalName='contact')/Keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token()}`, "content-type": "application/json" },
    body: JSON.stringify({ SchemaName: "acme_ExternalIdKey", DisplayName: label("External Id key"), KeyAttributes: ["acme_externalid"] }),
  });
  assert.equal(key.status, 204);
  await fetch(`${ADMIN}/clock`, { method: "POST", body: JSON.stringify({ advance: "1m" }) });
  const column = await api.retrieveAttribute({ entityKey: contact, attributeKey: "LogicalName='acme_externalid'" });
  assert.equal(column.SchemaName, "acme_ExternalId");
});

let id;
await step("create, retrieve, update", async () => {
  id = await api.create({ collection: "contacts", data: { firstname: "Ana", lastname: "Silva", emailaddress1: "ana@example.com" } });
  assert.match(id, /^[0-9a-f-]{36}$/);
  const whole = await api.create({ collection: "contacts", data: { lastname: "Lind" }, returnRepresentation: true, select: ["fullname"] });
  assert.equal(whole.fullname, "Lind");
  await api.update({ collection: "contacts", key: id, data: { jobtitle: "CTO" } });
  const read = await api.retrieve({ collection: "contacts", key: id, select: ["fullname", "jobtitle"], includeAnnotations: "*" });
  assert.equal(read.fullname, "Ana Silva");
  assert.equal(read.jobtitle, "CTO");
  await api.updateSingleProperty({ collection: "contacts", key: id, fieldValuePair: { jobtitle: "CEO" } });
  // The library turns a stale ETag's 412 into false.
  assert.equal(await api.update({ collection: "contacts", key: id, data: { jobtitle: "x" }, ifmatch: 'W/"1"' }), false);
  await assert.rejects(
    api.create({ collection: "contacts", data: { firstname: "x".repeat(51) } }),
    (e) => e.status === 400 && e.code === "0x80044331",
  );
});

await step("upsert by key", async () => {
  const key = "acme_externalid='c-42'";
  const first = await api.upsert({ collection: "contacts", key, data: { firstname: "Bo" }, returnRepresentation: true, select: ["contactid"] });
  const second = await api.upsert({ collection: "contacts", key, data: { lastname: "Lind" }, returnRepresentation: true, select: ["contactid"] });
  assert.equal(first.contactid, second.contactid);
  const read = await api.retrieve({ collection: "contacts", key, select: ["fullname"] });
  assert.equal(read.fullname, "Bo Lind");
});

await step("look-ups", async () => {
  const account = await api.create({ collection: "accounts", data: { name: "Northwind" } });
  await api.update({ collection: "contacts", key: id, data: { "parentcustomerid_account@odata.bind": `accounts(${account})` } });
  const read = await api.retrieve({
    collection: "contacts", key: id, select: ["lastname"], expand: [{ property: "parentcustomerid_account", select: ["name"] }],
  });
  assert.equal(read.parentcustomerid_account.name, "Northwind");
  await api.disassociateSingleValued({ collection: "contacts", primaryKey: id, navigationProperty: "parentcustomerid_account" });
  await api.associate({
    collection: "accounts", primaryKey: account, relationshipName: "contact_customer_accounts", relatedCollection: "contacts", relatedKey: id,
  });
  const again = await api.retrieve({ collection: "contacts", key: id, select: ["_parentcustomerid_value"] });
  assert.equal(again._parentcustomerid_value, account);
});

await step("retrieve with paging", async () => {
  for (let n = 0; n < 25; n++) await api.create({ collection: "contacts", data: { lastname: `Paged ${n}`, jobtitle: "pager" } });
  const query = { collection: "contacts", select: ["lastname"], filter: "jobtitle eq 'pager'", maxPageSize: 10, count: true };
  const first = await api.retrieveMultiple(query);
  assert.equal(first.value.length, 10);
  assert.equal(first.oDataCount, 25);
  const second = await api.retrieveMultiple(query, first.oDataNextLink);
  assert.notEqual(second.value[0].contactid, first.value[0].contactid);
  const all = await api.retrieveAll(query);
  assert.equal(new Set(all.value.map((r) => r.contactid)).size, 25);
  assert.equal(await api.count({ collection: "contacts", filter: "jobtitle eq 'pager'" }), 25);
  const some = await api.retrieveMultiple({
    collection: "contacts", select: ["lastname"], orderBy: ["lastname desc"], top: 2,
    filter: "Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)", queryParams: ["@p1='lastname'", "@p2=['Paged 1','Paged 2']"],
  });
  assert.deepEqual(some.value.map((r) => r.lastname), ["Paged 2", "Paged 1"]);
});

await step("$batch: a change set, then reads", async () => {
  api.startBatch();
  api.create({ collection: "contacts", data: { lastname: "Batch" }, contentId: "1" });
  api.create({ collection: "tasks", data: { subject: "Call back", "regardingobjectid_contact_task@odata.bind": "$1" }, contentId: "2" });
  const made = await api.executeBatch();
  assert.equal(made.length, 2);
  api.startBatch();
  api.retrieve({ collection: "contacts", key: made[0], select: ["lastname"] });
  api.retrieveMultiple({ collection: "tasks", select: ["subject"], filter: `_regardingobjectid_value eq ${made[0]}` });
  const [contact, tasks] = await api.executeBatch();
  assert.equal(contact.lastname, "Batch");
  assert.equal(tasks.value[0].subject, "Call back");
});

await step("a failing change set changes nothing", async () => {
  const before = await api.count({ collection: "contacts" });
  api.startBatch();
  api.create({ collection: "contacts", data: { lastname: "Rolled back" }, contentId: "a" });
  api.create({ collection: "contacts", data: { firstname: "x".repeat(51) }, contentId: "b" });
  await assert.rejects(api.executeBatch());
  assert.equal(await api.count({ collection: "contacts" }), before);
});

await step("changes by delta link", async () => {
  const query = { collection: "contacts", select: ["lastname"], trackChanges: true };
  const start = await api.retrieveMultiple(query);
  assert.ok(start.oDataDeltaLink);
  const gone = await api.create({ collection: "contacts", data: { lastname: "Soon gone" } });
  const token = new URL(start.oDataDeltaLink).searchParams.get("$deltatoken");
  const added = await api.retrieveMultiple({ ...query, deltaToken: token }, start.oDataDeltaLink);
  assert.deepEqual(added.value.map((r) => r.lastname), ["Soon gone"]);
  await api.deleteRecord({ collection: "contacts", key: gone });
  const after = await api.retrieveMultiple(query, added.oDataDeltaLink);
  assert.deepEqual(after.value.map((r) => [r.id, r.reason]), [[gone, "deleted"]]);
});

await step("metadata", async () => {
  const contact = await api.retrieveEntity({ key: "LogicalName='contact'", select: ["LogicalName", "EntitySetName"] });
  assert.equal(contact.EntitySetName, "contacts");
  const texts = await api.retrieveAttributes({
    entityKey: "LogicalName='contact'", castType: "Microsoft.Dynamics.CRM.StringAttributeMetadata", select: ["LogicalName", "MaxLength"],
  });
  assert.equal(texts.value.find((a) => a.LogicalName === "firstname").MaxLength, 50);
});
