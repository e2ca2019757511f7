-- +goose Up
-- The sync engine's own state: lanes that rest, fields that are parked, backfills
-- and runs (design.md §6).

-- held: CRM fields that were left out of the last write because they are parked.
ALTER TABLE sync_item ADD COLUMN held text[] NOT NULL DEFAULT '{}';

-- What is due, by queue: the next batch of a lane is read from the index's start,
-- however many items wait behind it.
DROP INDEX sync_item_due;
CREATE INDEX sync_item_due ON sync_item (connection_id, lane, kind, due_at, source_id) WHERE due_at IS NOT NULL;
CREATE INDEX sync_item_parked ON sync_item (connection_id, class, source_id) WHERE state = 'parked';
CREATE INDEX sync_item_held ON sync_item (connection_id, source_id) WHERE held <> '{}';

-- A lane of a connection that rests: parked by the engine until a time, or paused
-- by a person.
CREATE TABLE sync_lane (
  tenant_id     uuid NOT NULL REFERENCES tenant,
  connection_id uuid NOT NULL,
  lane          text NOT NULL CHECK (lane IN ('new', 'activity', 'update', 'backfill')),
  paused        boolean NOT NULL DEFAULT false,
  parked_until  timestamptz,
  class         text NOT NULL DEFAULT '',
  reason        text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, connection_id, lane),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sync_lane_connection ON sync_lane (connection_id);

-- A CRM field that the CRM refuses whatever the record: it is left out, and looked
-- at again until the CRM takes it.
CREATE TABLE sync_field (
  tenant_id     uuid NOT NULL REFERENCES tenant,
  connection_id uuid NOT NULL,
  object        text NOT NULL,
  field         text NOT NULL,
  class         text NOT NULL,
  reason        text NOT NULL,
  parked_at     timestamptz NOT NULL,
  look_at       timestamptz, -- null: healed
  looks         integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, connection_id, object, field),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sync_field_look ON sync_field (connection_id, look_at) WHERE look_at IS NOT NULL;

-- One bringing of everything a tenant has to a connection; its work is the items in
-- the backfill lane.
CREATE TABLE sync_backfill (
  id            uuid PRIMARY KEY,
  tenant_id     uuid NOT NULL REFERENCES tenant,
  connection_id uuid NOT NULL,
  started_by    text NOT NULL,
  started_at    timestamptz NOT NULL,
  clients       bigint NOT NULL, -- marked at the start
  conversations bigint NOT NULL,
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sync_backfill_latest ON sync_backfill (tenant_id, connection_id, started_at DESC);

-- One stretch of work on a connection, counted from its outcomes in their own
-- transactions.
CREATE TABLE sync_run (
  id            uuid PRIMARY KEY,
  tenant_id     uuid NOT NULL REFERENCES tenant,
  connection_id uuid NOT NULL,
  host          text NOT NULL,
  started_at    timestamptz NOT NULL,
  ended_at      timestamptz,
  ended_by      text NOT NULL DEFAULT '', -- why it ended before everything was done
  created       bigint NOT NULL DEFAULT 0,
  updated       bigint NOT NULL DEFAULT 0,
  unchanged     bigint NOT NULL DEFAULT 0,
  removed       bigint NOT NULL DEFAULT 0, -- activities
  failed        bigint NOT NULL DEFAULT 0,
  calls         bigint NOT NULL DEFAULT 0,
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sync_run_recent ON sync_run (tenant_id, connection_id, started_at DESC, id DESC);
ALTER TABLE sync_outcome ADD COLUMN run_id uuid,
  DROP CONSTRAINT sync_outcome_done_check,
  ADD CONSTRAINT sync_outcome_done_check CHECK (done IN ('created', 'updated', 'unchanged', 'removed', 'failed'));

-- How often in a row it was parked because no answer came: the pauses grow.
ALTER TABLE connection ADD COLUMN trouble integer NOT NULL DEFAULT 0;

-- How many records a purpose's calls carried and how long they took: what an
-- estimate is made of.
ALTER TABLE crm_usage ADD COLUMN records bigint NOT NULL DEFAULT 0;
ALTER TABLE crm_usage ADD COLUMN millis bigint NOT NULL DEFAULT 0;

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['sync_lane', 'sync_field', 'sync_backfill', 'sync_run'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = (SELECT current_tenant()))', t);
  END LOOP;
END $$;
-- +goose StatementEnd

-- Which connections have something to do now, in all tenants: ids only. It steps
-- from one connection with waiting items to the next through the index, so that
-- connections without any cost nothing.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION connections_due() RETURNS TABLE (tenant_id uuid, connection_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH RECURSIVE waiting AS (
    (SELECT i.connection_id FROM sync_item i WHERE i.due_at IS NOT NULL ORDER BY i.connection_id LIMIT 1)
    UNION ALL
    SELECT (SELECT i.connection_id FROM sync_item i WHERE i.due_at IS NOT NULL AND i.connection_id > w.connection_id
             ORDER BY i.connection_id LIMIT 1)
      FROM waiting w WHERE w.connection_id IS NOT NULL
  ), due AS (
    SELECT w.connection_id FROM waiting w
     WHERE w.connection_id IS NOT NULL AND EXISTS (
       SELECT FROM unnest(ARRAY['new', 'activity', 'update', 'backfill']) AS q(lane), unnest(ARRAY['client', 'conversation']) AS k(kind)
        WHERE EXISTS (SELECT FROM sync_item i WHERE i.connection_id = w.connection_id AND i.lane = q.lane AND i.kind = k.kind AND i.due_at <= now())
          AND NOT EXISTS (SELECT FROM sync_lane l WHERE l.connection_id = w.connection_id AND l.lane = q.lane
                             AND (l.paused OR l.parked_until > now())))
    UNION
    SELECT f.connection_id FROM sync_field f WHERE f.look_at <= now()
  )
  SELECT c.tenant_id, c.id FROM due d JOIN connection c ON c.id = d.connection_id JOIN tenant t ON t.id = c.tenant_id
   WHERE t.status = 'active' AND (c.state = 'active' OR (c.state = 'parked' AND c.parked_until <= now()))
$$;
-- +goose StatementEnd
