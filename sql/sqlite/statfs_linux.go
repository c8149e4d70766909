package sqlite

import "syscall"

// networkFileSystem names the kind of file system that a file lies on, if it is
// one of a network.
func networkFileSystem(path string) string {
	var st syscall.Statfs_t
	if syscall.Statfs(path, &st) != nil {
		return ""
	}
	return map[uint32]string{
		0x6969:     "NFS",
		0x517b:     "SMB",
		0xff534d42: "CIFS",
		0xfe534d42: "SMB2",
		0x5346414f: "AFS",
		0x00c36400: "Ceph",
		0x01021997: "9P",
	}[uint32(st.Type)]
}
