-- +goose Up
-- A tenant's optional AI endpoint: its key, what it was asked today, and what
-- came of each question.
ALTER TABLE extraction_run ADD COLUMN advice jsonb;

-- Secrets of a tenant that no connection owns, sealed like connection_secret.
CREATE TABLE tenant_secret (
  tenant_id uuid NOT NULL REFERENCES tenant,
  name      text NOT NULL,
  sealed    bytea NOT NULL,
  PRIMARY KEY (tenant_id, name)
);

-- Calls of the endpoint by UTC day: the daily budget counts here.
CREATE TABLE assistant_usage (
  tenant_id uuid NOT NULL REFERENCES tenant,
  day       date NOT NULL,
  calls     integer NOT NULL,
  PRIMARY KEY (tenant_id, day)
);

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['tenant_secret', 'assistant_usage'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (tenant_id = (SELECT current_tenant()))', t);
  END LOOP;
END $$;
-- +goose StatementEnd
