-- +goose Up
-- How far adapter versions can be trusted: the level of the conformance suite that
-- each has reached, what operators ask for, and which keep crashing. Nothing here
-- is client data; hosts and operators reach it without a tenant.

ALTER TABLE adapter_version ALTER conformance DROP DEFAULT;
ALTER TABLE adapter_version ALTER conformance TYPE smallint USING 0;
ALTER TABLE adapter_version ALTER conformance SET DEFAULT 0;
ALTER TABLE adapter_version ADD CHECK (conformance BETWEEN 0 AND 6);

-- The least level that a version of an adapter must have reached to serve.
CREATE TABLE adapter_requirement (
  adapter     text PRIMARY KEY CHECK (adapter ~ '^[a-z][a-z0-9-]{0,39}$'),
  conformance smallint NOT NULL CHECK (conformance BETWEEN 1 AND 6),
  set_by      text NOT NULL,
  set_at      timestamptz NOT NULL
);

-- Programs that crashed again and again on some host: no host serves them until an
-- operator chooses them anew.
CREATE TABLE adapter_quarantine (
  adapter text NOT NULL CHECK (adapter ~ '^[a-z][a-z0-9-]{0,39}$'),
  sha256  text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  cause   text NOT NULL,
  host    text NOT NULL,
  since   timestamptz NOT NULL,
  PRIMARY KEY (adapter, sha256)
);
