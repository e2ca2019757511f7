-- +goose Up
-- Preferences, sensitivity and opt-outs (R40–R87).

-- Who set each of a client's preferences and its flag, when and why, by setting:
-- {"sensitive": {"by": "Ada", "at": "2026-11-02T12:00:00Z"}}. The values stand in
-- columns of their own.
ALTER TABLE client ADD COLUMN policy_set jsonb NOT NULL DEFAULT '{}';

-- What a conversation has of its own (R72), by setting: {"never_auto_send":
-- {"value": true, "by": "Ada", "at": …}}. What isn't here is inherited, never copied.
ALTER TABLE conversation ADD COLUMN policy jsonb NOT NULL DEFAULT '{}';
CREATE INDEX conversation_own_policy ON conversation (tenant_id, client_id) WHERE policy <> '{}';

-- A client's word that it isn't to be contacted on a channel, or at one address of
-- it (R46). An address keeps its opt-out wherever it goes: it is looked up by
-- address too.
CREATE TABLE client_opt_out (
  id        uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenant,
  client_id uuid NOT NULL,
  channel   text NOT NULL CHECK (channel IN ('email', 'sms', 'phone')),
  address   text NOT NULL DEFAULT '' CHECK (length(address) <= 500), -- '': all of the channel
  reason    text NOT NULL DEFAULT '' CHECK (length(reason) <= 500),
  set_by    text NOT NULL,
  at        timestamptz NOT NULL,
  UNIQUE (tenant_id, client_id, channel, address),
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id)
);
CREATE INDEX client_opt_out_address ON client_opt_out (tenant_id, channel, address) WHERE address <> '';

ALTER TABLE client_opt_out ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON client_opt_out USING (tenant_id = (SELECT current_tenant()));
