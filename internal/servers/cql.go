package servers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// What is used of Cassandra's native protocol, version 4: a look at a server
// needs no client library. See native_protocol_v4.spec of Cassandra.
const (
	cqlVersion = 4

	cqlError        = 0x00
	cqlStartup      = 0x01
	cqlReady        = 0x02
	cqlAuthenticate = 0x03
	cqlQuery        = 0x07
	cqlResult       = 0x08
	cqlAuthResponse = 0x0F
	cqlAuthSuccess  = 0x10

	cqlOne = 0x0001 // consistencies
	cqlAll = 0x0005

	cqlMostBytes = 1 << 20 // of an answer
)

// cqlConn is a connection to a Cassandra node.
type cqlConn struct{ conn net.Conn }

// dialCQL connects, and answers how the node wants to be met: cqlReady or
// cqlAuthenticate.
func dialCQL(ctx context.Context, addr string) (c cqlConn, state byte, err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return c, 0, err
	}
	if deadline, has := ctx.Deadline(); has {
		conn.SetDeadline(deadline)
	}
	c = cqlConn{conn}
	body := binary.BigEndian.AppendUint16(nil, 1)
	body = appendShort(appendShort(body, "CQL_VERSION"), "3.0.0")
	state, err = c.ask(cqlStartup, body)
	if err != nil {
		conn.Close()
	}
	return c, state, err
}

// cqlOn runs a statement on a node that asks for no password.
func cqlOn(ctx context.Context, addr string, consistency uint16, statement string) error {
	c, state, err := dialCQL(ctx, addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if state != cqlReady {
		return errors.New("the node asks for a password")
	}
	body := binary.BigEndian.AppendUint32(nil, uint32(len(statement)))
	body = append(body, statement...)
	body = binary.BigEndian.AppendUint16(body, consistency)
	_, err = c.ask(cqlQuery, append(body, 0))
	return err
}

// cqlLogin says whether a user may log in.
func cqlLogin(ctx context.Context, addr, user, password string) error {
	c, state, err := dialCQL(ctx, addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if state != cqlAuthenticate {
		return errors.New("the node asks for no password")
	}
	text := "\x00" + user + "\x00" + password
	body := append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
	state, err = c.ask(cqlAuthResponse, body)
	if err == nil && state != cqlAuthSuccess {
		err = errors.New("the node does not let the user in")
	}
	return err
}

// ask sends a frame and answers what kind of frame came back.
func (c cqlConn) ask(opcode byte, body []byte) (byte, error) {
	frame := binary.BigEndian.AppendUint32([]byte{cqlVersion, 0, 0, 0, opcode}, uint32(len(body)))
	if _, err := c.conn.Write(append(frame, body...)); err != nil {
		return 0, err
	}
	var head [9]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return 0, err
	}
	size := binary.BigEndian.Uint32(head[5:])
	if size > cqlMostBytes {
		return 0, fmt.Errorf("the node answers %d bytes", size)
	}
	answer := make([]byte, size)
	if _, err := io.ReadFull(c.conn, answer); err != nil {
		return 0, err
	}
	if head[4] == cqlError && len(answer) >= 6 {
		return 0, fmt.Errorf("the node answers the error %#x: %s", binary.BigEndian.Uint32(answer), answer[6:])
	}
	return head[4], nil
}

func appendShort(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
}
