package servers

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
)

// Ports and the ports 10,000 above, which nodes of a Redis Cluster talk on, lie
// below the range of client sockets: nobody takes one by chance between the
// look for it and the start of the server, or while a server is down.
const (
	firstPort = 15_000
	lastPort  = 21_999
	busOffset = 10_000
)

// portsInUse are the ports that this program has taken, until it gives them back.
// Other programs that start servers are kept away by a socket for each, where the
// system has names for sockets that are no files: Linux.
var portsInUse struct {
	sync.Mutex
	taken map[int]io.Closer
}

// takePorts answers n free ports, which stay ours until they are given back.
func takePorts(n int) (ports []int, err error) {
	portsInUse.Lock()
	defer portsInUse.Unlock()
	if portsInUse.taken == nil {
		portsInUse.taken = make(map[int]io.Closer)
	}
	for range 10 * (lastPort - firstPort) {
		if len(ports) == n {
			break
		}
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if portsInUse.taken[port] != nil {
			continue
		}
		claim, err := claimPort(port)
		if err != nil {
			continue
		}
		if !free(port) || !free(port+busOffset) {
			claim.Close()
			continue
		}
		portsInUse.taken[port] = claim
		ports = append(ports, port)
	}
	if len(ports) < n {
		giveBack(ports)
		return nil, fmt.Errorf("servers: fewer than %d ports from %d to %d are free", n, firstPort, lastPort)
	}
	return ports, nil
}

// claimPort answers what ends a claim, which no other program can make meanwhile.
func claimPort(port int) (io.Closer, error) {
	if runtime.GOOS != "linux" {
		return io.NopCloser(nil), nil
	}
	return net.Listen("unix", fmt.Sprint("@websession-port-", port))
}

func free(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	return err == nil && l.Close() == nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func returnPorts(ports []int) {
	portsInUse.Lock()
	defer portsInUse.Unlock()
	giveBack(ports)
}

func giveBack(ports []int) {
	for _, p := range ports {
		if claim := portsInUse.taken[p]; claim != nil {
			claim.Close()
		}
		delete(portsInUse.taken, p)
	}
}

// errPortTaken says that somebody else was faster.
var errPortTaken = errors.New("the port is taken")

// tryPorts calls start with free ports, and with others if one was taken before
// the server had it.
func tryPorts[T any](n int, start func(ports []int) (T, error)) (T, error) {
	for try := 1; ; try++ {
		ports, err := takePorts(n)
		if err != nil {
			var none T
			return none, err
		}
		s, err := start(ports)
		if err == nil {
			return s, nil
		}
		returnPorts(ports)
		if try == 5 || !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
}

// ReserveAddrs answers n free addresses on loopback for what something else
// starts, and how to give them back. Until then nobody in this program gets
// them; another program may take one, unless it is one of these tests.
func ReserveAddrs(n int) (addrs []string, release func(), err error) {
	ports, err := takePorts(n)
	for _, p := range ports {
		addrs = append(addrs, loopback(p))
	}
	return addrs, func() { returnPorts(ports) }, err
}
