package servers

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// cassandraTimeout is for the start of a node, which is slow, on a machine
	// that has other things to do.
	cassandraTimeout = 5 * time.Minute

	cassandraPorts   = 2 // for clients, and for each other
	cassandraVersion = "5.0.5"
	cassandraHeap    = "384M"
)

// Options that Cassandra needs on Java 17, from its own jvm17-server.options.
//
//go:embed cassandra.jvm17.options
var cassandraOpens string

// cassandraLog has it print warnings, and nothing else.
const cassandraLog = `<configuration>
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{ISO8601} %logger{1} - %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="STDOUT"/></root>
</configuration>
`

// cassandraNode is what differs between nodes.
type cassandraNode struct {
	host          string
	ports         []int // for clients, and for other nodes
	number, nodes int
}

func (n cassandraNode) addr() string { return net.JoinHostPort(n.host, strconv.Itoa(n.ports[0])) }

// free says whether nobody listens on the ports of the node, whose address is not
// the one that ports are looked for on.
func (n cassandraNode) free() bool {
	for _, port := range n.ports {
		l, err := net.Listen("tcp", net.JoinHostPort(n.host, strconv.Itoa(port)))
		if err != nil || l.Close() != nil {
			return false
		}
	}
	return true
}

// configure writes the files that a node reads.
func (n cassandraNode) configure(dir string, o CassandraOptions) error {
	// Tokens at equal distances: which node has what is the same in every run, and
	// nodes that join together do not choose the same ones.
	const ring = 1 << 32
	token := int64(n.number)*(ring/int64(n.nodes))<<32 - 1<<62
	config := [][2]string{
		{"cluster_name", "websession"},
		{"num_tokens", "1"},
		{"initial_token", fmt.Sprintf("'%d'", token)},
		{"auto_bootstrap", "false"}, // there is nothing to fetch
		{"partitioner", "org.apache.cassandra.dht.Murmur3Partitioner"},
		{"seed_provider", `[{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: "127.0.0.1"}]}]`},
		{"listen_address", n.host},
		{"rpc_address", n.host},
		{"native_transport_port", strconv.Itoa(n.ports[0])},
		{"storage_port", strconv.Itoa(n.ports[1])},
		{"endpoint_snitch", "GossipingPropertyFileSnitch"},
		{"auto_snapshot", "false"},
		{"memtable_heap_space", "64MiB"},
		{"memtable_offheap_space", "64MiB"},
		{"concurrent_reads", "8"},
		{"concurrent_writes", "8"},
	}
	for _, folder := range []string{"data_file", "commitlog", "saved_caches", "hints", "cdc_raw"} {
		name, value := folder+"_directory", filepath.Join(dir, folder)
		if folder == "data_file" {
			name, value = "data_file_directories", "["+value+"]"
		}
		config = append(config, [2]string{name, value})
	}
	if o.Durable {
		config = append(config, [2]string{"commitlog_sync", "batch"})
	} else {
		config = append(config, [2]string{"commitlog_sync", "periodic"}, [2]string{"commitlog_sync_period", "10000ms"})
	}
	if o.Login {
		config = append(config, [2]string{"authenticator", "PasswordAuthenticator"}, [2]string{"authorizer", "CassandraAuthorizer"})
	}
	for _, line := range o.Config {
		name, value, found := strings.Cut(line, ": ")
		if !found {
			return fmt.Errorf("servers: cassandra: the line %q of the configuration has no value", line)
		}
		config = slices.DeleteFunc(config, func(c [2]string) bool { return c[0] == name })
		config = append(config, [2]string{name, value})
	}
	var yaml strings.Builder
	for _, c := range config {
		fmt.Fprintf(&yaml, "%s: %s\n", c[0], c[1])
	}
	for name, text := range map[string]string{
		"cassandra.yaml":              yaml.String(),
		"cassandra-rackdc.properties": fmt.Sprintf("dc=%s\nrack=rack%d\n", CassandraDatacenter, n.number+1),
		"logback.xml":                 cassandraLog,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(dir, "triggers"), 0o755)
}

// arguments answers those of the Java machine, which starts fast and stays small.
func (n cassandraNode) arguments(dir, lib string, durable bool) []string {
	args := []string{
		"-Xms" + cassandraHeap, "-Xmx" + cassandraHeap, "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=true", "-Djdk.attach.allowAttachSelf=true",
		"-Dlogback.configurationFile=" + filepath.Join(dir, "logback.xml"),
	}
	settings := []string{
		"config=file://" + filepath.Join(dir, "cassandra.yaml"), "storagedir=" + dir, "triggers_dir=" + filepath.Join(dir, "triggers"),
		"skip_wait_for_gossip_to_settle=0", "ring_delay_ms=1000", "consistent.rangemovement=false", "superuser_setup_delay_ms=0",
		"native.epoll.enabled=false",
	}
	if !durable { // a change of a schema would be synced, which takes most of its time
		settings = append(settings, "unsafesystem=true", "test.flush_local_schema_changes=false")
	}
	for _, setting := range settings {
		args = append(args, "-Dcassandra."+setting)
	}
	args = append(args, strings.Fields(cassandraOpens)...)
	return append(args, "-cp", dir+":"+filepath.Join(lib, "*"), "org.apache.cassandra.service.CassandraDaemon")
}

// cassandraLib answers the folder of Cassandra's jars.
func cassandraLib() (string, error) {
	dir := os.Getenv("WEBSESSION_CASSANDRA_LIB")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "websession", "cassandra-"+cassandraVersion)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "cassandra-all-*.jar")); len(found) == 0 {
		return "", fmt.Errorf("servers: cassandra: %w: there are no jars in %s: run make deps, which fetches them, or name another folder in WEBSESSION_CASSANDRA_LIB",
			exec.ErrNotFound, dir)
	}
	return dir, nil
}

// findJava prefers the version that the options are for.
func findJava() (string, error) {
	if found, _ := filepath.Glob(javaFolders); len(found) > 0 {
		return found[0], nil
	}
	return find("openjdk-17-jre-headless", "java")
}

// javaFolders is the pattern of Debian's folders.
var javaFolders = "/usr/lib/jvm/java-17-*/bin/java"
