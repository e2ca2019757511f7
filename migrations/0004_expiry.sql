-- +goose Up
-- What has run out goes: stored answers of a day ago, ended sessions, one-time
-- links. Runs as owner, because it works for all tenants; it reads no client data.
-- +goose StatementBegin
CREATE FUNCTION purge_expired(at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  n bigint;
  total bigint := 0;
BEGIN
  DELETE FROM idempotency_key WHERE created_at < at - interval '1 day';
  GET DIAGNOSTICS n = ROW_COUNT;
  total := total + n;
  DELETE FROM session WHERE expires_at < at;
  GET DIAGNOSTICS n = ROW_COUNT;
  total := total + n;
  DELETE FROM login_link WHERE expires_at < at - interval '7 days';
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN total + n;
END $$;
-- +goose StatementEnd
