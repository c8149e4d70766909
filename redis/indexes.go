package redis

import (
	"sync"
)

// indexes remembers the indexes that were decoded last. A session is loaded many
// times before its index changes, and maps of records are shared and never
// changed; making one was a twelfth of a load.
type indexes struct {
	mu   sync.RWMutex
	maps map[string]map[string]string // by how they are stored
}

// mostIndexes bounds what is remembered to some 2 MiB.
const mostIndexes = 4096

// decode answers the index that b is.
func (x *indexes) decode(b []byte) (map[string]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	x.mu.RLock()
	index := x.maps[string(b)]
	x.mu.RUnlock()
	if index != nil {
		return index, nil
	}
	index, err := decodeIndex(b)
	if err != nil || len(b) > 256 {
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
