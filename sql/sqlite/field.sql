ALTER TABLE {table} ADD COLUMN {column} TEXT;
CREATE INDEX {index} ON {table} ({column}, session_key) WHERE {column} IS NOT NULL;
