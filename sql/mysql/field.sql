ALTER TABLE {table} ADD COLUMN {column} VARBINARY(128);
CREATE INDEX {index} ON {table} ({column}, session_key);
