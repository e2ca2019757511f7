-- +goose Up
-- The adapter catalog: every program that has served, what operators chose, and
-- what runs where (design.md §5). Nothing here is client data; hosts and operators
-- reach it without a tenant.

CREATE TABLE adapter_program (
  sha256     text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  bytes      bigint NOT NULL CHECK (bytes > 0),
  created_at timestamptz NOT NULL
);

-- The programs themselves, so that every host on the database has them.
CREATE TABLE adapter_chunk (
  sha256  text NOT NULL REFERENCES adapter_program ON DELETE CASCADE,
  n       integer NOT NULL CHECK (n >= 0),
  content bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 1048576),
  PRIMARY KEY (sha256, n)
);
ALTER TABLE adapter_chunk ALTER content SET STORAGE EXTERNAL; -- programs hardly compress

-- A version never changes: another content is another version, also when it says
-- the same about itself.
CREATE TABLE adapter_version (
  adapter     text NOT NULL CHECK (adapter ~ '^[a-z][a-z0-9-]{0,39}$'),
  sha256      text NOT NULL REFERENCES adapter_program,
  version     text NOT NULL,
  origin      text NOT NULL CHECK (origin IN ('config', 'install')),
  conformance text NOT NULL DEFAULT '',
  added_by    text NOT NULL,
  added_at    timestamptz NOT NULL,
  PRIMARY KEY (adapter, sha256)
);
CREATE INDEX adapter_version_program ON adapter_version (sha256);

-- What operators want instead of what hosts' configurations declare.
CREATE TABLE adapter_choice (
  adapter   text PRIMARY KEY,
  sha256    text NOT NULL,
  chosen_by text NOT NULL,
  chosen_at timestamptz NOT NULL,
  FOREIGN KEY (adapter, sha256) REFERENCES adapter_version (adapter, sha256)
);

CREATE TABLE adapter_pin (
  tenant_id uuid NOT NULL REFERENCES tenant,
  adapter   text NOT NULL,
  sha256    text NOT NULL,
  chosen_by text NOT NULL,
  chosen_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, adapter),
  FOREIGN KEY (adapter, sha256) REFERENCES adapter_version (adapter, sha256)
);
CREATE INDEX adapter_pin_version ON adapter_pin (adapter, sha256);

-- Which version began to serve everybody, when: what a rollback goes back along.
CREATE TABLE adapter_service (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  adapter text NOT NULL,
  sha256  text NOT NULL,
  version text NOT NULL,
  host    text NOT NULL,
  since   timestamptz NOT NULL
);
CREATE INDEX adapter_service_adapter ON adapter_service (adapter, id DESC);

-- What each host runs, as of seen_at; a host that is gone stops being seen.
CREATE TABLE adapter_running (
  host            text NOT NULL,
  adapter         text NOT NULL,
  sha256          text NOT NULL, -- '' while the program could not be taken
  version         text NOT NULL,
  declared_sha256 text NOT NULL,
  tenants         integer NOT NULL, -- pinned to it; 0: it serves everybody else
  state           text NOT NULL,
  cause           text NOT NULL,
  restarts        integer NOT NULL,
  seen_at         timestamptz NOT NULL,
  PRIMARY KEY (host, adapter, sha256)
);
