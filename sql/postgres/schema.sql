CREATE TABLE {table} (
  session_key bytea NOT NULL PRIMARY KEY,
  version bytea NOT NULL,
  data bytea NOT NULL,
  expires bigint
);
CREATE INDEX {index} ON {table} (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS {meta} (
  table_name text NOT NULL PRIMARY KEY,
  schema_version integer NOT NULL
);
