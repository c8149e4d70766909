CREATE TABLE {table} (
  session_key TEXT NOT NULL PRIMARY KEY,
  version BLOB NOT NULL,
  data BLOB NOT NULL,
  expires INTEGER
) STRICT;
CREATE INDEX {index} ON {table} (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS {meta} (
  table_name TEXT NOT NULL PRIMARY KEY,
  schema_version INTEGER NOT NULL
) STRICT;
