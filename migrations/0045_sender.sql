-- +goose Up
-- How a tenant sends on each channel. The secret (a mail server's password, a
-- gateway's signing key) is sealed by the host.
CREATE TABLE sender (
  tenant_id  uuid NOT NULL REFERENCES tenant,
  channel    text NOT NULL CHECK (channel IN ('email', 'sms', 'chat')),
  settings   jsonb NOT NULL,
  sealed     bytea, -- null: no secret
  changed_at timestamptz NOT NULL,
  changed_by text NOT NULL,
  PRIMARY KEY (tenant_id, channel)
);
ALTER TABLE sender ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sender USING (tenant_id = (SELECT current_tenant()));
