-- +goose Up
-- What an admin chooses for a connection: which clients go where, how and when
-- (R166, R169, R171), and which adapters an operator lets a tenant connect (R204).

ALTER TABLE connection
  ADD COLUMN client_object     text NOT NULL DEFAULT '' CHECK (length(client_object) <= 200), -- '': the adapter's first
  ADD COLUMN filter            text NOT NULL DEFAULT '' CHECK (length(filter) <= 4096), -- '': every client
  ADD COLUMN write_mode        text NOT NULL DEFAULT 'upsert' CHECK (write_mode IN ('upsert', 'create', 'update')),
  ADD COLUMN cron              text NOT NULL DEFAULT '' CHECK (length(cron) <= 200), -- '': every update_every
  ADD COLUMN activity_channels text[] NOT NULL DEFAULT '{email,sms,chat,voice}'
             CHECK (activity_channels <@ '{email,sms,chat,voice}'::text[]),
  ADD COLUMN company_policy    text NOT NULL DEFAULT 'match' CHECK (company_policy IN ('none', 'match', 'create')),
  ADD COLUMN sensitive_policy  text NOT NULL DEFAULT 'record' CHECK (sensitive_policy IN ('record', 'exclude')),
  -- Somebody has to act before a parked connection may work again: its person by
  -- signing in, an operator by allowing the adapter.
  ADD COLUMN hold              text NOT NULL DEFAULT '' CHECK (hold IN ('', 'sign_in', 'adapter')),
  -- What the last Check said.
  ADD COLUMN checked_at        timestamptz,
  ADD COLUMN account           text NOT NULL DEFAULT '',
  ADD COLUMN crm_user          text NOT NULL DEFAULT '',
  ADD COLUMN sandbox           boolean NOT NULL DEFAULT false;

-- A tenant may connect every adapter that the host runs, save those that an
-- operator has taken from it. No client data; operators work without a tenant.
CREATE TABLE adapter_denial (
  tenant_id uuid NOT NULL REFERENCES tenant,
  adapter   text NOT NULL CHECK (length(adapter) BETWEEN 1 AND 63),
  reason    text NOT NULL DEFAULT '' CHECK (length(reason) <= 500),
  denied_by text NOT NULL,
  denied_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, adapter)
);

-- What a connection holds goes with it; its CRM keeps what it has.
ALTER TABLE connection_secret DROP CONSTRAINT connection_secret_tenant_id_connection_id_fkey,
  ADD FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE sync_item DROP CONSTRAINT sync_item_tenant_id_connection_id_fkey,
  ADD FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE crm_link DROP CONSTRAINT crm_link_tenant_id_connection_id_fkey,
  ADD FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE sync_outcome DROP CONSTRAINT sync_outcome_tenant_id_connection_id_fkey,
  ADD FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE crm_usage DROP CONSTRAINT crm_usage_tenant_id_connection_id_fkey,
  ADD FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE;
