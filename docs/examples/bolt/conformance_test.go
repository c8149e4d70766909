package bolt

import (
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/websession/websession/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, Driver{}, conformance.Env{
		Place: func(tb testing.TB) map[string]any {
			return map[string]any{"file": filepath.Join(tb.TempDir(), "sessions.db")}
		},
		Raw: everything,
	})
}

// everything answers what lies in a file, by bucket and name. The data of
// entries, which JSON hides from a search for bytes, stands behind them.
func everything(tb testing.TB, props map[string]any) map[string][]byte {
	all := make(map[string][]byte)
	db, err := acquire(props["file"].(string))
	if err != nil {
		tb.Fatal(err)
	}
	defer db.release()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(bucket []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				rec, _, _ := decode(k, v)
				all[string(bucket)+"/"+string(k)] = append(rec.Data, v...)
				return nil
			})
		})
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}
