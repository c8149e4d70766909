package file

import (
	"fmt"
	"strings"
)

// medium is what a folder lies on.
type medium struct {
	name string // of the file system, for people; "" if the system does not tell
	kind mediumKind
}

type mediumKind int

const (
	local       mediumKind = iota // or unknown: nothing is to be said
	memory                        // gone when the machine stops
	network                       // other machines see it late, or lock apart from this one
	maybeShared                   // with other machines, and maybe with locks that hold: a cluster, FUSE, the folder of a host
)

// String tells people in few words.
func (m medium) String() string {
	switch m.kind {
	case memory:
		return m.name + ": memory, sessions end with the machine"
	case network:
		return m.name + ": network"
	case maybeShared:
		return m.name + ": may be a network"
	}
	return m.name
}

const (
	sharedLoss = " updates can be lost, and a session that was ended can come back."
	sharedWay  = " For several servers use another class, such as Redis or PostgreSQL; for one, a folder on a local disk."
)

// warning answers what people should know about a folder there, or "".
func (m medium) warning(directory string) string {
	switch m.kind {
	case network:
		return fmt.Sprintf("The session folder %q lies on a network file system (%s). Its locks and caches do not hold between machines:"+sharedLoss+sharedWay, directory, m.name)
	case maybeShared:
		return fmt.Sprintf("The session folder %q lies on %s, which may be a network file system. If several machines use it, its locks and caches may not hold between them:"+sharedLoss+sharedWay, directory, m.name)
	}
	return ""
}

// linuxMedium classifies the f_type of statfs(2), of which Linux uses 32 bits.
func linuxMedium(magic uint32) medium {
	if m, ok := linuxMedia[magic]; ok {
		return m
	}
	return medium{name: fmt.Sprintf("type %#x", magic)}
}

// From linux/magic.h, statfs(2), and the stat command of GNU coreutils.
var linuxMedia = map[uint32]medium{
	0xef53:     {"ext2/ext3/ext4", local},
	0x58465342: {"XFS", local},
	0x9123683e: {"Btrfs", local},
	0x2fc12fc1: {"ZFS", local},
	0xf2f52010: {"F2FS", local},
	0x794c7630: {"overlayfs", local},

	0x01021994: {"tmpfs", memory},
	0x858458f6: {"ramfs", memory},

	0x6969:     {"NFS", network},
	0x517b:     {"SMB", network},
	0xff534d42: {"CIFS", network},
	0xfe534d42: {"SMB2", network},
	0x5346414f: {"AFS", network}, // OpenAFS
	0x6b414653: {"AFS", network}, // of the kernel
	0x73757245: {"Coda", network},
	0x564c:     {"NCP", network},
	0x013111a8: {"IBRIX", network},

	0x00c36400: {"Ceph", maybeShared},
	0x47504653: {"GPFS", maybeShared},
	0x0bd00bd0: {"Lustre", maybeShared},
	0x7461636f: {"OCFS2", maybeShared},
	0x01161970: {"GFS2", maybeShared},
	0x19830326: {"BeeGFS", maybeShared},
	0x20030528: {"OrangeFS", maybeShared},
	0xaad7aaea: {"PanFS", maybeShared},
	0x61636673: {"ACFS", maybeShared},
	0xbeefdead: {"StorNext", maybeShared},
	0x65735546: {"FUSE", maybeShared}, // sshfs, GlusterFS, virtiofs and others, and local ones
	0x01021997: {"9P", maybeShared},
	0x786f4256: {"VirtualBox shared folders", maybeShared},
	0xbacbacbc: {"VMware shared folders", maybeShared},
	0x7c7c6673: {"Parallels shared folders", maybeShared},
}

// bsdMedium classifies the f_fstypename of statfs(2) on macOS and the BSDs.
func bsdMedium(name string) medium {
	kind := local
	switch n := strings.ToLower(name); {
	case n == "tmpfs" || n == "mfs":
		kind = memory
	case n == "nfs" || n == "oldnfs" || n == "smbfs" || n == "afpfs" || n == "webdav" || n == "ftp" || n == "afs":
		kind = network
	case strings.Contains(n, "fuse") || n == "virtiofs" || n == "p9fs" || n == "acfs" || n == "prl_fs" || n == "vmhgfs":
		kind = maybeShared
	}
	return medium{name, kind}
}

// windowsMedium classifies a volume, which is what a path begins with, and what
// GetDriveType says about it.
func windowsMedium(volume string, driveType uint32) medium {
	const driveRemote, driveRAMDisk = 4, 6
	v := strings.ToUpper(strings.ReplaceAll(volume, "/", `\`))
	share := strings.HasPrefix(v, `\\`) // \\server\share, but not \\?\C:
	if strings.HasPrefix(v, `\\?\`) || strings.HasPrefix(v, `\\.\`) || strings.HasPrefix(v, `\??\`) {
		share = strings.HasPrefix(v[4:], `UNC\`)
	}
	switch {
	case share:
		return medium{"a network share", network}
	case driveType == driveRemote:
		return medium{"a network drive", network}
	case driveType == driveRAMDisk:
		return medium{"RAM disk", memory}
	}
	return medium{name: volume}
}
