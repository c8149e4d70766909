// Package backends imports every built-in driver, so that one blank import
// makes every class name and URL scheme work:
//
//	import _ "github.com/websession/websession/backends"
//
// An application that uses one store only imports its package instead, and
// compiles no other.
package backends

import (
	_ "github.com/websession/websession/cassandra"      // Cassandra
	_ "github.com/websession/websession/file"           // File
	_ "github.com/websession/websession/redis"          // Redis, RedisSentinel, RedisCluster
	_ "github.com/websession/websession/session/memory" // Memory
	_ "github.com/websession/websession/sql/mysql"      // MySQL, alias MariaDB
	_ "github.com/websession/websession/sql/postgres"   // PostgreSQL, alias Postgres
	_ "github.com/websession/websession/sql/sqlite"     // SQLite
)
