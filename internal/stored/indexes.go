package stored

import "sync"

// Indexes remembers the indexes that were decoded last. A session is loaded many
// times before its index changes, and maps of records are shared and never
// changed; making one was a twelfth of a load from Redis. The zero value is ready
// for use, and safe for concurrent use.
type Indexes struct {
	mu   sync.RWMutex
	maps map[string]map[string]string // by how they are stored
}

// What is remembered is bounded to some 2 MiB.
const (
	mostIndexes = 4096
	mostBytes   = 256
)

// Get answers the index that b is, as decode says.
func (x *Indexes) Get(b []byte, decode func([]byte) (map[string]string, error)) (map[string]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	x.mu.RLock()
	index := x.maps[string(b)]
	x.mu.RUnlock()
	if index != nil {
		return index, nil
	}
	index, err := decode(b)
	if err != nil || len(b) > mostBytes {
		return index, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.maps == nil || len(x.maps) == mostIndexes {
		x.maps = make(map[string]map[string]string)
	}
	x.maps[string(b)] = index
	return index, nil
}
