ALTER TABLE {table} ADD COLUMN {column} bytea;
CREATE INDEX {index} ON {table} ({column}, session_key) WHERE {column} IS NOT NULL;
