module github.com/websession/websession/docs/examples/bolt

go 1.26.0

require (
	github.com/websession/websession v0.0.0
	go.etcd.io/bbolt v1.5.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/websession/websession => ../../..
