-- +goose Up
-- Lists that people work through: clients by what is missing, what is old, and
-- by their metadata; how often a reviewed name was none.

-- A client's metadata as folded "key=value" texts, so that it is found by one
-- (R37). Written with the client (core/client/metadata.go); what was there before
-- is brought into the same form here, but for values inside values.
ALTER TABLE client ADD COLUMN metadata_pairs text[] NOT NULL DEFAULT '{}';
UPDATE client SET metadata_pairs = ARRAY(
  SELECT lower(key || '=' || value) FROM json_each_text(metadata) WHERE json_typeof(metadata->key) NOT IN ('object', 'array') AND length(key || value) <= 300)
 WHERE metadata::text <> '{}' AND position('\u0000' IN metadata::text) = 0;
CREATE INDEX client_metadata ON client USING gin (tenant_id, metadata_pairs) WHERE deleted_at IS NULL;

-- The current tenant's clients with a metadata pair. Runs as owner because
-- row-level security keeps @> from the index.
-- +goose StatementBegin
CREATE FUNCTION client_with_metadata(pair text) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT id FROM client WHERE tenant_id = current_tenant() AND deleted_at IS NULL AND metadata_pairs @> ARRAY[pair]
$$;
-- +goose StatementEnd

-- The longest untouched first (R158).
CREATE INDEX client_stale ON client (tenant_id, updated_at) WHERE deleted_at IS NULL;

-- What the rate of wrong names is counted from (R148).
CREATE INDEX event_review ON event (tenant_id, at) WHERE kind IN ('reviewed', 'extraction taught');
