-- +goose Up
-- Records people can rely on: merges that can be undone, and the seal that proves
-- that no event was changed or taken away.

-- A merge: which client stayed, what it looked like, and what was moved, so that
-- an undo splits exactly by what is written here (research/clients.md §2.1).
CREATE TABLE merge_event (
  id          uuid PRIMARY KEY,
  tenant_id   uuid NOT NULL REFERENCES tenant,
  number      bigint GENERATED ALWAYS AS IDENTITY, -- the order of merges of one client
  survivor_id uuid NOT NULL,
  actor_kind  text NOT NULL,
  actor_id    text NOT NULL DEFAULT '',
  actor_name  text NOT NULL,
  cause       text NOT NULL,
  changes     jsonb NOT NULL DEFAULT '{}', -- of the survivor's own values; {} once purged
  at          timestamptz NOT NULL,
  undone_at   timestamptz,
  undone_by   text NOT NULL DEFAULT '',
  purged_at   timestamptz, -- when the undo ended: images and lists are gone
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, survivor_id) REFERENCES client (tenant_id, id)
);
CREATE INDEX merge_event_survivor ON merge_event (tenant_id, survivor_id, number DESC);
CREATE INDEX merge_event_old ON merge_event (at) WHERE purged_at IS NULL;

-- The clients that a merge retired, in the order in which they went in, and
-- whether they were deleted before.
CREATE TABLE merge_client (
  tenant_id      uuid NOT NULL REFERENCES tenant,
  merge_id       uuid NOT NULL,
  client_id      uuid NOT NULL,
  position       integer NOT NULL,
  deleted_at     timestamptz,
  deleted_reason text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, merge_id, client_id),
  FOREIGN KEY (tenant_id, merge_id) REFERENCES merge_event (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
CREATE INDEX merge_client_client ON merge_client (tenant_id, client_id);

-- Each row of another table that a merge touched: its key and the columns that
-- an undo puts back. Keys and marks only, no personal data.
CREATE TABLE merge_row (
  tenant_id uuid NOT NULL REFERENCES tenant,
  merge_id  uuid NOT NULL,
  reference text NOT NULL, -- table.column, as in client.References
  moved     boolean NOT NULL, -- false: it stayed with the retired client
  before    jsonb NOT NULL,
  FOREIGN KEY (tenant_id, merge_id) REFERENCES merge_event (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX merge_row_merge ON merge_row (tenant_id, merge_id, reference);

-- The seal (design.md §11). Events wait here from their own transaction on until
-- the sealer takes them, so that writers never wait for each other.
CREATE TABLE event_unsealed (
  tenant_id uuid NOT NULL REFERENCES tenant,
  event_id  uuid NOT NULL,
  PRIMARY KEY (tenant_id, event_id),
  FOREIGN KEY (tenant_id, event_id) REFERENCES event (tenant_id, id)
);

CREATE TABLE event_seal (
  tenant_id uuid NOT NULL REFERENCES tenant,
  number    bigint NOT NULL CHECK (number > 0),
  events    uuid[] NOT NULL,
  previous  bytea NOT NULL, -- the digest of the seal before; empty for the first
  digest    bytea NOT NULL,
  at        timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, number)
);

-- An erased event keeps its kind, time and digest and loses its payload.
ALTER TABLE event ADD COLUMN erased_at timestamptz;
CREATE INDEX event_erased ON event (tenant_id) WHERE erased_at IS NOT NULL;

INSERT INTO event_unsealed (tenant_id, event_id) SELECT tenant_id, id FROM event;

-- The hosts may add to the audit, not change it. Erasure goes through the
-- function below, which can only take payloads away.
REVOKE UPDATE, DELETE ON event FROM clientele_app;
REVOKE UPDATE, DELETE ON event_seal FROM clientele_app;

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['merge_event', 'merge_client', 'merge_row', 'event_unsealed', 'event_seal'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = (SELECT current_tenant()))', t);
  END LOOP;
END $$;
-- +goose StatementEnd

-- Erases the payloads of the current tenant's events of a client.
-- +goose StatementBegin
CREATE FUNCTION event_erase(client uuid, erased timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH gone AS (
    UPDATE event SET payload = '{}', erased_at = erased
     WHERE tenant_id = current_tenant() AND client_id = client AND erased_at IS NULL RETURNING 1)
  SELECT count(*) FROM gone
$$;
-- +goose StatementEnd

-- Which tenants have events that wait for the seal, and which merges are past
-- their undo, in all tenants: ids only.
-- +goose StatementBegin
CREATE FUNCTION tenants_unsealed() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT id FROM tenant t WHERE EXISTS (SELECT 1 FROM event_unsealed u WHERE u.tenant_id = t.id)
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION merges_old(before timestamptz, most integer) RETURNS TABLE (tenant_id uuid, merge_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT m.tenant_id, m.id FROM merge_event m WHERE m.purged_at IS NULL AND m.at < before ORDER BY m.at LIMIT most
$$;
-- +goose StatementEnd

-- The list of deleted clients, the last deleted first.
CREATE INDEX client_deleted ON client (tenant_id, deleted_at DESC, id DESC) WHERE deleted_reason IN ('mistake', 'spam');

-- Old answers are swept tenant by tenant.
CREATE INDEX idempotency_key_old ON idempotency_key (tenant_id, created_at);

-- A CRM's answer may come when the client it is about was merged meanwhile: the
-- record it names is then one more of the survivor's. The lock waits for a merge
-- at work, so that none slips between.
-- +goose StatementBegin
CREATE FUNCTION crm_link_follows_merge() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE survivor uuid;
BEGIN
  IF NEW.kind = 'client' THEN
    SELECT merged_into INTO survivor FROM client WHERE tenant_id = NEW.tenant_id AND id = NEW.source_id FOR KEY SHARE;
    IF survivor IS NOT NULL THEN
      NEW.source_id := survivor;
      NEW.is_primary := NOT EXISTS (SELECT 1 FROM crm_link WHERE tenant_id = NEW.tenant_id AND connection_id = NEW.connection_id
                                       AND kind = 'client' AND source_id = survivor AND is_primary);
    END IF;
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER follows_merge BEFORE INSERT ON crm_link FOR EACH ROW EXECUTE FUNCTION crm_link_follows_merge();
