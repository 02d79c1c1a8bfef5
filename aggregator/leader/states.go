package leader

import (
	"sync"

	"candor/schema/dap"
)

// maxCachedStates bounds the cache in bytes.
const maxCachedStates = 64 << 20

// A stateCache keeps what verification computed while the Helper has not answered yet, so that it need not be computed again. It is only a cache: a
// job whose states are not there is resumed from the stored reports. The zero value is empty; it is safe for concurrent use.
type stateCache struct {
	mu      sync.Mutex // guards entries and size, which is the sum over entries
	entries map[dap.AggregationJobID]*verification
	size    int
}

// put keeps v, in the place of others if there is no room. A nil v is ignored.
func (c *stateCache) put(id dap.AggregationJobID, v *verification) {
	if v == nil || v.size > maxCachedStates {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[dap.AggregationJobID]*verification)
	}
	c.remove(id)
	for other := range c.entries {
		if c.size+v.size <= maxCachedStates {
			break
		}
		c.remove(other) // any: perhaps one that another process has finished meanwhile
	}
	c.entries[id] = v
	c.size += v.size
}

// take removes and returns what was put, or nil.
func (c *stateCache) take(id dap.AggregationJobID) *verification {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remove(id)
}

func (c *stateCache) remove(id dap.AggregationJobID) *verification {
	v := c.entries[id]
	if v != nil {
		delete(c.entries, id)
		c.size -= v.size
	}
	return v
}
