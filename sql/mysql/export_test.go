package mysql

import "encoding/binary"

// Forget closes the statements that were prepared on a connection of
// NewConnector, behind its back: for the connection, its server has forgotten
// them.
func Forget(conn any) error {
	const comStmtClose = 0x19
	for id := range uint32(64) {
		packet := []byte{5, 0, 0, 0, comStmtClose}
		if _, err := conn.(*native).socket.Write(binary.LittleEndian.AppendUint32(packet, id)); err != nil {
			return err
		}
	}
	return nil
}
