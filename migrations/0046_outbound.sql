-- +goose Up
-- Every message that somebody wanted to send, and what became of it (R58–R64).
--
-- A reply belongs to its conversation, and its client is the conversation's at
-- every moment; a new message belongs to a client until it is sent, and to its
-- conversation from then on.
CREATE TABLE outbound_message (
  id              uuid PRIMARY KEY, -- of the message in the conversation too, once sent
  tenant_id       uuid NOT NULL REFERENCES tenant,
  client_id       uuid,
  conversation_id uuid,
  kind            text NOT NULL CHECK (kind IN ('reply', 'follow_up', 'reminder', 'campaign', 'receipt', 'legal_notice', 'message')),
  channel         text NOT NULL CHECK (channel IN ('email', 'sms', 'chat', 'phone')),
  origin          text NOT NULL CHECK (origin IN ('person', 'automation')),
  author_id       text NOT NULL DEFAULT '',
  author_name     text NOT NULL,
  address         text NOT NULL DEFAULT '', -- as typed: where it is delivered
  address_normal  text NOT NULL DEFAULT '', -- what opt-outs are compared with
  subject         text NOT NULL DEFAULT '',
  text            text NOT NULL,
  state           text NOT NULL CHECK (state IN ('draft', 'awaiting approval', 'held', 'queued', 'sending', 'sent', 'failed',
                    'maybe sent', 'cancelled', 'superseded', 'blocked', 'call task', 'called')),
  reason          text NOT NULL DEFAULT '', -- why it is in this state, for people
  decision        jsonb NOT NULL, -- policy's last, with its proof
  due_at          timestamptz, -- held: the release; queued: the next try; call task: when to call; null: a person must act
  not_before      timestamptz, -- a time that was asked for
  ask_review      text NOT NULL DEFAULT '', -- why a person has to look at it, besides the policy
  approved_by     text NOT NULL DEFAULT '',
  approved_at     timestamptz,
  approved_now    boolean NOT NULL DEFAULT false, -- outside the client's hours, by a person's word
  notice_by       text NOT NULL DEFAULT '',
  notice_reason   text NOT NULL DEFAULT '',
  attempts        integer NOT NULL DEFAULT 0,
  host            text NOT NULL DEFAULT '', -- who is, or was, sending it
  started_at      timestamptz, -- when the last attempt was marked
  our_side        text NOT NULL DEFAULT '', -- the address or number it was sent from
  external_id     text NOT NULL DEFAULT '', -- the mail's Message-ID
  provider_id     text NOT NULL DEFAULT '',
  detail          text NOT NULL DEFAULT '', -- what the provider said last
  sent_at         timestamptz,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  revision        bigint NOT NULL DEFAULT 1,
  FOREIGN KEY (tenant_id, client_id) REFERENCES client (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation (tenant_id, id),
  CHECK (client_id IS NOT NULL OR conversation_id IS NOT NULL)
);
CREATE INDEX outbound_message_due ON outbound_message (tenant_id, due_at) WHERE state IN ('held', 'queued');
CREATE INDEX outbound_message_waiting ON outbound_message (tenant_id, id)
  WHERE state IN ('draft', 'awaiting approval', 'held', 'queued', 'call task');
CREATE INDEX outbound_message_sending ON outbound_message (started_at) WHERE state = 'sending';
CREATE INDEX outbound_message_client ON outbound_message (tenant_id, client_id, id DESC);
CREATE INDEX outbound_message_conversation ON outbound_message (tenant_id, conversation_id, id DESC);
CREATE INDEX outbound_message_state ON outbound_message (tenant_id, state, id DESC);
ALTER TABLE outbound_message ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON outbound_message USING (tenant_id = (SELECT current_tenant()));

-- Which hosts are alive. What a dead one was sending is in doubt.
CREATE TABLE outbound_host (
  host       text PRIMARY KEY,
  expires_at timestamptz NOT NULL
);

-- What may leave now, at most so many of each tenant, and what a dead host was
-- sending: ids only, in all tenants.
-- +goose StatementBegin
CREATE FUNCTION outbound_due(at timestamptz, most integer) RETURNS TABLE (tenant_id uuid, message_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT t.id, o.id FROM tenant t CROSS JOIN LATERAL (
    SELECT m.id FROM outbound_message m WHERE m.tenant_id = t.id AND m.state IN ('held', 'queued') AND m.due_at <= at
     ORDER BY m.due_at LIMIT most) o
   WHERE t.status = 'active'
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION outbound_sending() RETURNS TABLE (tenant_id uuid, message_id uuid, host text, alive boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT m.tenant_id, m.id, m.host, EXISTS (SELECT 1 FROM outbound_host h WHERE h.host = m.host AND h.expires_at > now())
    FROM outbound_message m WHERE m.state = 'sending'
$$;
-- +goose StatementEnd
