-- +goose Up
-- How a connection signs in, the tokens it gets, and sign-ins under way.

ALTER TABLE connection
  ADD COLUMN auth_method text NOT NULL DEFAULT ''
    CHECK (auth_method IN ('', 'static_token', 'client_credentials', 'authorization_code', 'jwt_bearer')),
  -- The one host that this connection's secrets are sent to; another one needs an
  -- admin, also when a new version of the adapter names it. '': none yet.
  ADD COLUMN token_host text NOT NULL DEFAULT '';

UPDATE connection c SET auth_method = CASE
    WHEN EXISTS (SELECT 1 FROM connection_secret s WHERE s.connection_id = c.id AND s.name = 'access_token') THEN 'static_token'
    WHEN EXISTS (SELECT 1 FROM connection_secret s WHERE s.connection_id = c.id AND s.name = 'client_id') THEN 'client_credentials'
    ELSE '' END;

-- The token of a connection that signs in. One host at a time asks the provider:
-- it claims the generation there is, and the new token is stored, with the new
-- refresh token, only while that generation stands (compare and set). Times are
-- the database's, but expires_at, which follows the provider's word.
CREATE TABLE connection_token (
  tenant_id      uuid NOT NULL,
  connection_id  uuid NOT NULL,
  generation     bigint NOT NULL DEFAULT 0,
  sealed         bytea, -- access token and extras; null: none yet
  sealed_refresh bytea, -- null: this way of signing in has none
  expires_at     timestamptz, -- null: the provider did not say
  refused        boolean NOT NULL DEFAULT false, -- the CRM refused it before its time
  claimed_by     text NOT NULL DEFAULT '',
  claimed_until  timestamptz NOT NULL DEFAULT '-infinity',
  failure        text NOT NULL DEFAULT '',
  failed_until   timestamptz NOT NULL DEFAULT '-infinity', -- nobody asks before
  PRIMARY KEY (tenant_id, connection_id),
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE connection_token ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON connection_token USING (tenant_id = (SELECT current_tenant()));

-- Sign-ins that wait for the CRM's answer, which names no tenant. Ids and a sealed
-- proof only; each row is used once.
CREATE TABLE oauth_state (
  digest        bytea PRIMARY KEY, -- of the state that the CRM gives back
  tenant_id     uuid NOT NULL,
  connection_id uuid NOT NULL,
  user_id       text NOT NULL, -- who began, and must end it; '': any admin of the tenant
  sealed        bytea NOT NULL, -- the PKCE verifier
  expires_at    timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ON oauth_state (tenant_id, connection_id);
CREATE INDEX ON oauth_state (expires_at);
