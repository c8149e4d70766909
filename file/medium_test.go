package file

import (
	"strings"
	"testing"
)

func TestMedia(t *testing.T) {
	for _, c := range []struct {
		got  medium
		want medium
	}{
		{linuxMedium(0xef53), medium{"ext2/ext3/ext4", local}},
		{linuxMedium(0x794c7630), medium{"overlayfs", local}},
		{linuxMedium(0x58465342), medium{"XFS", local}},
		{linuxMedium(0x01021994), medium{"tmpfs", memory}},
		{linuxMedium(0x6969), medium{"NFS", network}},
		{linuxMedium(0x517b), medium{"SMB", network}},
		{linuxMedium(0xff534d42), medium{"CIFS", network}},
		{linuxMedium(0xfe534d42), medium{"SMB2", network}},
		{linuxMedium(0x5346414f), medium{"AFS", network}},
		{linuxMedium(0x6b414653), medium{"AFS", network}},
		{linuxMedium(0x00c36400), medium{"Ceph", maybeShared}},
		{linuxMedium(0x01021997), medium{"9P", maybeShared}},
		{linuxMedium(0x65735546), medium{"FUSE", maybeShared}},
		{linuxMedium(0x47504653), medium{"GPFS", maybeShared}},
		{linuxMedium(0x0bd00bd0), medium{"Lustre", maybeShared}},
		{linuxMedium(0x7461636f), medium{"OCFS2", maybeShared}},
		{linuxMedium(0x01161970), medium{"GFS2", maybeShared}},
		{linuxMedium(0x12345678), medium{"type 0x12345678", local}},

		{bsdMedium("apfs"), medium{"apfs", local}},
		{bsdMedium("ufs"), medium{"ufs", local}},
		{bsdMedium("tmpfs"), medium{"tmpfs", memory}},
		{bsdMedium("nfs"), medium{"nfs", network}},
		{bsdMedium("smbfs"), medium{"smbfs", network}},
		{bsdMedium("afpfs"), medium{"afpfs", network}},
		{bsdMedium("webdav"), medium{"webdav", network}},
		{bsdMedium("macfuse"), medium{"macfuse", maybeShared}},
		{bsdMedium("fusefs.sshfs"), medium{"fusefs.sshfs", maybeShared}},
		{bsdMedium(""), medium{"", local}},

		{windowsMedium("C:", 3), medium{"C:", local}},
		{windowsMedium(`\\?\C:`, 3), medium{`\\?\C:`, local}},
		{windowsMedium(`\\.\C:`, 3), medium{`\\.\C:`, local}},
		{windowsMedium("R:", 6), medium{"RAM disk", memory}},
		{windowsMedium("Z:", 4), medium{"a network drive", network}},
		{windowsMedium(`\\?\Z:`, 4), medium{"a network drive", network}},
		{windowsMedium(`\\server\share`, 1), medium{"a network share", network}},
		{windowsMedium(`//server/share`, 0), medium{"a network share", network}},
		{windowsMedium(`\\?\UNC\server\share`, 0), medium{"a network share", network}},
		{windowsMedium(`\\.\unc\server\share`, 0), medium{"a network share", network}},
		{windowsMedium("", 0), medium{"", local}},
	} {
		if c.got != c.want {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
}

// What is said names the folder and what is lost, and says no more than is known.
func TestMediumWarnings(t *testing.T) {
	for kind, want := range map[mediumKind]struct{ fact, warning string }{
		local:       {"X", ""},
		memory:      {"X: memory, sessions end with the machine", ""},
		network:     {"X: network", "lies on a network file system (X). Its locks and caches do not hold between machines"},
		maybeShared: {"X: may be a network", "lies on X, which may be a network file system."},
	} {
		m := medium{"X", kind}
		if got := m.String(); got != want.fact {
			t.Errorf("%d: the fact is %q", kind, got)
		}
		got := m.warning("/folder")
		if want.warning == "" && got == "" {
			continue
		}
		for _, part := range []string{want.warning, `"/folder"`, "updates can be lost", "a session that was ended can come back", "Redis or PostgreSQL"} {
			if want.warning == "" || !strings.Contains(got, part) {
				t.Errorf("%d: %q lacks %q", kind, got, part)
			}
		}
	}
}
