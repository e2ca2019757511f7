-- +goose Up
-- The spine: tenants and who may enter, accepted messages, clients,
-- conversations, events, and what each CRM should hold.
--
-- Every table with client data carries tenant_id and a row-level-security policy
-- named "tenant" (design.md §3). Row-level security is enabled, not forced: the
-- owner role migrates and backs up (pg_dump refuses forced tables), and the
-- SECURITY DEFINER functions at the end, which filter by tenant themselves or
-- return ids only, run as owner. The application role owns nothing, so it is
-- always bound. Foreign keys between tenant tables name tenant_id too, so that a
-- row can never point into another tenant.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- +goose StatementBegin
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('clientele.tenant', true), '')::uuid $$;
-- +goose StatementEnd

-- Tables without client data, reached through db.Global ------------------------

CREATE TABLE tenant (
  id         uuid PRIMARY KEY,
  slug       text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  region     text NOT NULL CHECK (region ~ '^[A-Z]{2}$'),
  timezone   text NOT NULL,
  status     text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  settings   jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL
);

CREATE TABLE app_user (
  id            uuid PRIMARY KEY,
  tenant_id     uuid REFERENCES tenant, -- null: an operator
  email         text NOT NULL UNIQUE,
  name          text NOT NULL,
  role          text NOT NULL CHECK (role IN ('operator', 'admin', 'member', 'viewer')),
  password_hash text NOT NULL DEFAULT '',
  disabled_at   timestamptz,
  created_at    timestamptz NOT NULL,
  CHECK ((role = 'operator') = (tenant_id IS NULL))
);
CREATE INDEX ON app_user (tenant_id);

CREATE TABLE session (
  token      text PRIMARY KEY, -- a digest, never the cookie itself
  data       bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  user_id    uuid REFERENCES app_user ON DELETE CASCADE
);
CREATE INDEX ON session (expires_at);
CREATE INDEX ON session (user_id);

CREATE TABLE login_link (
  digest     bytea PRIMARY KEY,
  user_id    uuid NOT NULL REFERENCES app_user ON DELETE CASCADE,
  expires_at timestamptz NOT NULL,
  used_at    timestamptz
);

CREATE TABLE api_key (
  id           uuid PRIMARY KEY,
  tenant_id    uuid NOT NULL REFERENCES tenant,
  name         text NOT NULL,
  digest       bytea NOT NULL UNIQUE,
  scopes       text[] NOT NULL,
  user_id      uuid REFERENCES app_user ON DELETE CASCADE, -- set: acts for a person
  created_by   text NOT NULL,
  created_at   timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at   timestamptz
);
CREATE INDEX ON api_key (tenant_id);

CREATE TABLE sync_lease (
  connection_id uuid PRIMARY KEY,
  tenant_id     uuid NOT NULL REFERENCES tenant,
  host          text NOT NULL DEFAULT '',
  epoch         bigint NOT NULL DEFAULT 0,
  expires_at    timestamptz NOT NULL DEFAULT '-infinity'
);

-- Clients ----------------------------------------------------------------------

CREATE TABLE client (
  id                    uuid PRIMARY KEY,
  tenant_id             uuid NOT NULL REFERENCES tenant,
  revision              bigint NOT NULL DEFAULT 1,
  kind                  text NOT NULL CHECK (kind IN ('person', 'shared_mailbox', 'anonymous')),
  first_name            text NOT NULL DEFAULT '',
  last_name             text NOT NULL DEFAULT '',
  company               text NOT NULL DEFAULT '',
  company_key           text NOT NULL DEFAULT '',
  street                text NOT NULL DEFAULT '',
  city                  text NOT NULL DEFAULT '',
  state                 text NOT NULL DEFAULT '',
  zip                   text NOT NULL DEFAULT '',
  country               text NOT NULL DEFAULT '',
  date_of_birth         text NOT NULL DEFAULT '' CHECK (date_of_birth ~ '^(([0-9]{4}|-)-[0-9]{2}-[0-9]{2})?$'),
  metadata              json NOT NULL DEFAULT '{}' CHECK (octet_length(metadata::text) <= 65536),
  preferred_channels    text[] NOT NULL DEFAULT '{}',
  contact_windows       jsonb NOT NULL DEFAULT '[]',
  timezone              text NOT NULL DEFAULT '',
  never_auto_send       boolean NOT NULL DEFAULT false,
  human_review_required boolean NOT NULL DEFAULT false,
  sensitive             boolean NOT NULL DEFAULT false,
  tags                  text[] NOT NULL DEFAULT '{}',
  source                text NOT NULL CHECK (source IN ('email', 'sms', 'chat', 'voice', 'manual', 'import', 'crm', 'api')),
  origin                jsonb NOT NULL DEFAULT '{}', -- R13: conversation, message, method
  review                text NOT NULL DEFAULT 'unreviewed' CHECK (review IN ('unreviewed', 'confirmed')),
  search_text           text NOT NULL DEFAULT '',
  last_contact_at       timestamptz,
  created_at            timestamptz NOT NULL,
  updated_at            timestamptz NOT NULL,
  deleted_at            timestamptz,
  deleted_reason        text NOT NULL DEFAULT '' CHECK (deleted_reason IN ('', 'mistake', 'spam', 'merged')),
  merged_into           uuid,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, merged_into) REFERENCES client (tenant_id, id),
  CHECK ((deleted_reason = '') = (deleted_at IS NULL)),
  CHECK ((deleted_reason = 'merged') = (merged_into IS NOT NULL))
);
CREATE INDEX client_list ON client (tenant_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX client_review ON client (tenant_id, created_at) WHERE deleted_at IS NULL AND review = 'unreviewed';
CREATE INDEX client_merged ON client (tenant_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX client_search ON client USING gin (tenant_id, search_text gin_trgm_ops) WHERE deleted_at IS NULL;

CREATE TABLE client_identifier (
  id         uuid PRIMARY KEY,
  tenant_id  uuid NOT NULL REFERENCES tenant,
  client_id  uuid NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('email', 'phone', 'chat', 'external')),
  value      text NOT NULL CHECK (length(value) BETWEEN 1 AND 500), -- as typed
  normal     text NOT NULL, -- '' when it could not be read: kept, never matched (R28)
  extension  text NOT NULL DEFAULT '',
  is_primary boolean NOT NULL DEFAULT false,
  source     text NOT NULL CHECK (source IN ('human', 'crm', 'form', 'channel', 'extraction')),
  verified   boolean NOT NULL DEFAULT false,
  shared     boolean NOT NULL DEFAULT false,
  active     boolean NOT NULL DEFAULT true, -- false while its client is deleted
  message_id uuid,
  created_at timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
CREATE UNIQUE INDEX client_identifier_one_owner ON client_identifier (tenant_id, kind, normal, extension)
  WHERE active AND NOT shared AND normal <> '';
CREATE UNIQUE INDEX client_identifier_one_primary ON client_identifier (tenant_id, client_id, kind) WHERE is_primary;
CREATE INDEX client_identifier_lookup ON client_identifier (tenant_id, kind, normal);
CREATE INDEX client_identifier_client ON client_identifier (tenant_id, client_id);

-- Where a value of a client comes from (R13, R147); a field a person emptied
-- keeps its row with cleared = true and is not filled again (R130).
CREATE TABLE client_value (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  client_id  uuid NOT NULL,
  field      text NOT NULL,
  source     text NOT NULL CHECK (source IN ('human', 'crm', 'form', 'channel', 'extraction')),
  actor      text NOT NULL,
  detector   text NOT NULL DEFAULT '',
  confidence real NOT NULL DEFAULT 1,
  sentence   text NOT NULL DEFAULT '',
  message_id uuid,
  cleared    boolean NOT NULL DEFAULT false,
  at         timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, client_id, field),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);

CREATE TABLE client_note (
  id         uuid PRIMARY KEY,
  tenant_id  uuid NOT NULL REFERENCES tenant,
  client_id  uuid NOT NULL,
  author     text NOT NULL,
  author_id  text NOT NULL DEFAULT '',
  text       text NOT NULL CHECK (length(text) BETWEEN 1 AND 20000),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
CREATE INDEX client_note_client ON client_note (tenant_id, client_id, created_at DESC);

-- Identifiers of clients deleted as spam: they create nothing any more (R134).
CREATE TABLE suppressed_identifier (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  kind       text NOT NULL,
  normal     text NOT NULL,
  client_id  uuid NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, kind, normal),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);

-- Conversations ------------------------------------------------------------------

CREATE TABLE conversation (
  id               uuid PRIMARY KEY,
  tenant_id        uuid NOT NULL REFERENCES tenant,
  channel          text NOT NULL CHECK (channel IN ('email', 'sms', 'chat', 'voice')),
  client_id        uuid,
  link_method      text NOT NULL DEFAULT '' CHECK (link_method IN ('', 'channel', 'content', 'manual')),
  link_certain     boolean NOT NULL DEFAULT false,
  link_locked      boolean NOT NULL DEFAULT false, -- a person decided; automation keeps out (R17)
  link_reason      text NOT NULL DEFAULT '',
  subject          text NOT NULL DEFAULT '',
  state            text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'ended')),
  message_count    integer NOT NULL DEFAULT 0,
  started_at       timestamptz NOT NULL,
  last_message_at  timestamptz NOT NULL,
  idle_at          timestamptz NOT NULL, -- when silence ends it
  ended_at         timestamptz,
  summary          text NOT NULL DEFAULT '',
  summary_source   text NOT NULL DEFAULT '' CHECK (summary_source IN ('', 'rules', 'model', 'person')),
  revision         bigint NOT NULL DEFAULT 1,
  created_at       timestamptz NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id),
  CHECK ((client_id IS NULL) = (link_method = '') OR link_locked)
);
CREATE INDEX conversation_client ON conversation (tenant_id, client_id, last_message_at DESC, id);
CREATE INDEX conversation_recent ON conversation (tenant_id, last_message_at DESC, id);
CREATE INDEX conversation_idle ON conversation (idle_at) WHERE state = 'open';

-- What finds a conversation again: Message-IDs, number pairs, session and call
-- ids, a pusher's own id. The same number pair may lead to many conversations.
CREATE TABLE conversation_key (
  tenant_id       uuid NOT NULL REFERENCES tenant,
  channel         text NOT NULL,
  key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 1100),
  conversation_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, channel, key, conversation_id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id)
);

CREATE TABLE message (
  id              uuid PRIMARY KEY,
  tenant_id       uuid NOT NULL REFERENCES tenant,
  conversation_id uuid NOT NULL,
  direction       text NOT NULL CHECK (direction IN ('inbound', 'outbound')),
  external_id     text NOT NULL DEFAULT '',
  subject         text NOT NULL DEFAULT '',
  text            text NOT NULL DEFAULT '', -- all of it, as text
  own_words       text NOT NULL DEFAULT '', -- without quotes, signature, disclaimer
  party           text NOT NULL DEFAULT '', -- the outside party's address or number
  our_side        text NOT NULL DEFAULT '', -- our address or number
  detail          jsonb NOT NULL DEFAULT '{}', -- participants, call, session
  sent_at         timestamptz NOT NULL,
  created_at      timestamptz NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id)
);
CREATE INDEX message_conversation ON message (tenant_id, conversation_id, sent_at, id);

-- The message as it came in, committed before anything is made of it.
CREATE TABLE accepted_message (
  id           uuid PRIMARY KEY,
  tenant_id    uuid NOT NULL REFERENCES tenant,
  identity     text NOT NULL,
  channel      text NOT NULL,
  source       text NOT NULL,
  raw          bytea NOT NULL,
  received_at  timestamptz NOT NULL,
  state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
  attempts     integer NOT NULL DEFAULT 0,
  error        text NOT NULL DEFAULT '',
  result       jsonb NOT NULL DEFAULT '{}',
  message_id   uuid,
  processed_at timestamptz,
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, identity),
  FOREIGN KEY (tenant_id, message_id) REFERENCES message (tenant_id, id)
);
CREATE INDEX accepted_message_waiting ON accepted_message (received_at) WHERE state = 'waiting';
CREATE INDEX accepted_message_failed ON accepted_message (tenant_id, received_at) WHERE state = 'failed';

-- One run of extraction over one message and what matching decided (R125, R199).
CREATE TABLE extraction_run (
  id              uuid PRIMARY KEY,
  tenant_id       uuid NOT NULL REFERENCES tenant,
  message_id      uuid NOT NULL,
  conversation_id uuid NOT NULL,
  findings        jsonb NOT NULL,
  decision        jsonb NOT NULL,
  created_at      timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, message_id) REFERENCES message (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id)
);
CREATE INDEX extraction_run_conversation ON extraction_run (tenant_id, conversation_id, created_at);
CREATE INDEX extraction_run_message ON extraction_run (tenant_id, message_id);

-- What the rules would not decide alone.
CREATE TABLE suggestion (
  id              uuid PRIMARY KEY,
  tenant_id       uuid NOT NULL REFERENCES tenant,
  kind            text NOT NULL CHECK (kind IN ('value', 'link', 'merge', 'restore')),
  client_id       uuid,
  other_client_id uuid,
  conversation_id uuid,
  message_id      uuid,
  field           text NOT NULL DEFAULT '',
  value           text NOT NULL DEFAULT '',
  reason          text NOT NULL,
  sentence        text NOT NULL DEFAULT '',
  state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'dismissed')),
  created_at      timestamptz NOT NULL,
  decided_at      timestamptz,
  decided_by      text NOT NULL DEFAULT '',
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id),
  FOREIGN KEY (tenant_id, other_client_id) REFERENCES client (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id),
  FOREIGN KEY (tenant_id, message_id) REFERENCES message (tenant_id, id)
);
CREATE UNIQUE INDEX suggestion_once ON suggestion
  (tenant_id, kind, coalesce(client_id, '00000000-0000-0000-0000-000000000000'),
   coalesce(other_client_id, '00000000-0000-0000-0000-000000000000'),
   coalesce(CASE WHEN kind = 'link' THEN conversation_id END, '00000000-0000-0000-0000-000000000000'), field, md5(value));
CREATE INDEX suggestion_client ON suggestion (tenant_id, client_id) WHERE state = 'open';
CREATE INDEX suggestion_other ON suggestion (tenant_id, other_client_id) WHERE state = 'open';
CREATE INDEX suggestion_conversation ON suggestion (tenant_id, conversation_id);

-- The append-only timeline and audit. The digest outlives an erased payload.
CREATE TABLE event (
  id              uuid PRIMARY KEY,
  tenant_id       uuid NOT NULL REFERENCES tenant,
  kind            text NOT NULL,
  client_id       uuid,
  conversation_id uuid,
  actor_kind      text NOT NULL,
  actor_id        text NOT NULL DEFAULT '',
  actor_name      text NOT NULL,
  payload         jsonb NOT NULL DEFAULT '{}',
  digest          bytea NOT NULL,
  at              timestamptz NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id)
);
CREATE INDEX event_client ON event (tenant_id, client_id, at DESC, id DESC);
CREATE INDEX event_conversation ON event (tenant_id, conversation_id, at DESC, id DESC);

-- Answers of writes that carried an Idempotency-Key, kept for a day.
CREATE TABLE idempotency_key (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  request    bytea NOT NULL, -- digest of credential, method, path and body
  status     integer NOT NULL DEFAULT 0,
  headers    jsonb NOT NULL DEFAULT '{}',
  body       bytea NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key)
);

-- Connections and what each CRM should hold ---------------------------------------

CREATE TABLE connection (
  id            uuid PRIMARY KEY,
  tenant_id     uuid NOT NULL REFERENCES tenant,
  adapter       text NOT NULL,
  name          text NOT NULL,
  settings      json NOT NULL DEFAULT '{}',
  state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'parked')),
  reason        text NOT NULL DEFAULT '', -- why it is paused or parked
  parked_until  timestamptz,
  update_every  interval NOT NULL DEFAULT '15 minutes' CHECK (update_every BETWEEN '1 minute' AND '1 day'),
  batch_size    integer NOT NULL DEFAULT 0, -- 0: the adapter's start value
  installed_at  timestamptz, -- when the external-key field was last seen in place
  created_at    timestamptz NOT NULL,
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, name)
);

CREATE TABLE connection_secret (
  tenant_id     uuid NOT NULL REFERENCES tenant,
  connection_id uuid NOT NULL,
  name          text NOT NULL,
  sealed        bytea NOT NULL,
  PRIMARY KEY (tenant_id, connection_id, name),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id)
);

CREATE TABLE sync_item (
  tenant_id        uuid NOT NULL REFERENCES tenant,
  connection_id    uuid NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('client', 'conversation')),
  source_id        uuid NOT NULL,
  client_id        uuid GENERATED ALWAYS AS (CASE WHEN kind = 'client' THEN source_id END) STORED,
  conversation_id  uuid GENERATED ALWAYS AS (CASE WHEN kind = 'conversation' THEN source_id END) STORED,
  desired_revision bigint NOT NULL,
  synced_revision  bigint NOT NULL DEFAULT 0,
  agreed           json, -- values last agreed with the CRM
  lane             text NOT NULL CHECK (lane IN ('new', 'activity', 'update', 'backfill')),
  state            text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'synced', 'parked', 'excluded')),
  due_at           timestamptz, -- null: nothing to do
  attempts         integer NOT NULL DEFAULT 0,
  class            text NOT NULL DEFAULT '', -- of the last failure
  reason           text NOT NULL DEFAULT '', -- why it failed, is parked or excluded
  candidates       text[] NOT NULL DEFAULT '{}', -- CRM ids of an ambiguous adoption
  intent_at        timestamptz, -- set before a create; still set: read back first
  attempted_at     timestamptz,
  synced_at        timestamptz,
  PRIMARY KEY (tenant_id, connection_id, kind, source_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id)
);
CREATE INDEX sync_item_due ON sync_item (connection_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sync_item_source ON sync_item (tenant_id, kind, source_id);

CREATE TABLE crm_link (
  tenant_id       uuid NOT NULL REFERENCES tenant,
  connection_id   uuid NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('client', 'conversation')),
  source_id       uuid NOT NULL,
  client_id       uuid GENERATED ALWAYS AS (CASE WHEN kind = 'client' THEN source_id END) STORED,
  conversation_id uuid GENERATED ALWAYS AS (CASE WHEN kind = 'conversation' THEN source_id END) STORED,
  object          text NOT NULL,
  crm_id          text NOT NULL,
  crm_version     text NOT NULL DEFAULT '',
  is_primary      boolean NOT NULL DEFAULT true,
  linked_at       timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, connection_id, object, crm_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id)
);
CREATE UNIQUE INDEX crm_link_source ON crm_link (tenant_id, connection_id, kind, source_id) WHERE is_primary;

-- Every outcome of every record, for people.
CREATE TABLE sync_outcome (
  id            uuid PRIMARY KEY,
  tenant_id     uuid NOT NULL REFERENCES tenant,
  connection_id uuid NOT NULL,
  kind          text NOT NULL,
  source_id     uuid NOT NULL,
  lane          text NOT NULL,
  done          text NOT NULL CHECK (done IN ('created', 'updated', 'unchanged', 'failed')),
  crm_id        text NOT NULL DEFAULT '',
  class         text NOT NULL DEFAULT '',
  code          text NOT NULL DEFAULT '',
  field         text NOT NULL DEFAULT '',
  detail        text NOT NULL DEFAULT '',
  at            timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id)
);
CREATE INDEX sync_outcome_source ON sync_outcome (tenant_id, source_id, at DESC);
CREATE INDEX sync_outcome_recent ON sync_outcome (tenant_id, connection_id, at DESC);

CREATE TABLE crm_usage (
  tenant_id     uuid NOT NULL REFERENCES tenant,
  connection_id uuid NOT NULL,
  day           date NOT NULL,
  bucket        text NOT NULL,
  purpose       text NOT NULL, -- which call, for which lane
  calls         bigint NOT NULL,
  PRIMARY KEY (tenant_id, connection_id, day, bucket, purpose),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id)
);

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['client', 'client_identifier', 'client_value', 'client_note', 'suppressed_identifier',
    'conversation', 'conversation_key', 'message', 'accepted_message', 'extraction_run', 'suggestion', 'event',
    'idempotency_key', 'connection', 'connection_secret', 'sync_item', 'crm_link', 'sync_outcome', 'crm_usage'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = (SELECT current_tenant()))', t);
  END LOOP;
END $$;
-- +goose StatementEnd

-- Functions that run as owner ------------------------------------------------------

-- Clients of the current tenant whose names, company or emails hold the folded
-- text q, or whose phone digits end with or hold the digits of q. Runs as owner
-- because row-level security keeps LIKE from the trigram index.
-- +goose StatementBegin
CREATE FUNCTION client_search(q text, digits text) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT id FROM client
   WHERE tenant_id = current_tenant() AND deleted_at IS NULL AND q <> ''
     AND search_text LIKE '%' || replace(replace(replace(q, '\', '\\'), '%', '\%'), '_', '\_') || '%'
  UNION
  SELECT client_id FROM client_identifier
   WHERE tenant_id = current_tenant() AND active AND kind = 'phone' AND length(digits) >= 4
     AND normal LIKE '%' || digits || '%'
$$;
-- +goose StatementEnd

-- Which connections have due work, in all tenants: ids only.
-- +goose StatementBegin
CREATE FUNCTION connections_due() RETURNS TABLE (tenant_id uuid, connection_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.tenant_id, c.id FROM connection c JOIN tenant t ON t.id = c.tenant_id
   WHERE t.status = 'active'
     AND (c.state = 'active' OR (c.state = 'parked' AND c.parked_until <= now()))
     AND EXISTS (SELECT 1 FROM sync_item i WHERE i.connection_id = c.id AND i.due_at <= now())
$$;
-- +goose StatementEnd

-- Which conversations fell silent, and which accepted messages wait, in all
-- tenants: ids only.
-- +goose StatementBegin
CREATE FUNCTION conversations_idle(at timestamptz, most integer) RETURNS TABLE (tenant_id uuid, conversation_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.tenant_id, c.id FROM conversation c WHERE c.state = 'open' AND c.idle_at <= at ORDER BY c.idle_at LIMIT most
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION messages_waiting(before timestamptz, most integer) RETURNS TABLE (tenant_id uuid, accepted_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT m.tenant_id, m.id FROM accepted_message m
   WHERE m.state = 'waiting' AND m.received_at <= before ORDER BY m.received_at LIMIT most
$$;
-- +goose StatementEnd
