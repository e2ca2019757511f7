-- +goose Up
-- Duplicates: what finds them, which pairs are open, and what a person decided.

-- A client's blocking keys (match.Keys). Two clients are compared when they have
-- one in common. Written in the transaction that changes the client.
CREATE TABLE client_block (
  tenant_id uuid NOT NULL REFERENCES tenant,
  client_id uuid NOT NULL,
  key       text NOT NULL CHECK (length(key) BETWEEN 3 AND 100),
  PRIMARY KEY (tenant_id, key, client_id),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
CREATE INDEX client_block_client ON client_block (tenant_id, client_id);

-- Keys that lead to more clients than are worth comparing: an address or number
-- that many share, a local part or name that many have.
CREATE TABLE crowded_block (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  key        text NOT NULL,
  noticed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key)
);

-- Clients that changed since they were last compared.
CREATE TABLE duplicate_due (
  tenant_id uuid NOT NULL REFERENCES tenant,
  client_id uuid NOT NULL,
  since     timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, client_id),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
CREATE INDEX duplicate_due_since ON duplicate_due (tenant_id, since);

-- Pairs that may be one person, the lower id first. A pair that a person keeps
-- separate stays so as long as both sides' names, emails and phones are those of
-- the fingerprint.
CREATE TABLE duplicate_pair (
  tenant_id       uuid NOT NULL REFERENCES tenant,
  client_id       uuid NOT NULL,
  other_client_id uuid NOT NULL CHECK (other_client_id > client_id),
  bits            double precision NOT NULL,
  band            text NOT NULL CHECK (band IN ('strong', 'possible', 'low')),
  reasons         text[] NOT NULL,
  state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'separate')),
  fingerprint     bytea NOT NULL DEFAULT '',
  found_at        timestamptz NOT NULL,
  decided_at      timestamptz,
  decided_by      text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, client_id, other_client_id),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id),
  FOREIGN KEY (tenant_id, other_client_id) REFERENCES client (tenant_id, id),
  CHECK ((state = 'separate') = (decided_at IS NOT NULL))
);
CREATE INDEX duplicate_pair_other ON duplicate_pair (tenant_id, other_client_id);
CREATE INDEX duplicate_pair_queue ON duplicate_pair (tenant_id, bits DESC, client_id, other_client_id) WHERE state = 'open';

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['client_block', 'crowded_block', 'duplicate_due', 'duplicate_pair'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = (SELECT current_tenant()))', t);
  END LOOP;
END $$;
-- +goose StatementEnd

-- Clients that were there before get their keys when they are compared.
INSERT INTO duplicate_due (tenant_id, client_id, since) SELECT tenant_id, id, now() FROM client WHERE deleted_at IS NULL;

-- Which tenants have clients to compare: ids only.
-- +goose StatementBegin
CREATE FUNCTION tenants_with_duplicates_due() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT t.id FROM tenant t WHERE t.status = 'active' AND EXISTS (SELECT 1 FROM duplicate_due d WHERE d.tenant_id = t.id)
$$;
-- +goose StatementEnd
