package pgstore

import (
	"math/bits"
	"math/rand/v2"
	"sync"
)

// A much changed row is split into shards, and two transactions conflict on it only if they have the same. A process uses the shards from some point on, one for
// each transaction that is under way: so its own never conflict, those of another process seldom do, and no more rows come to be than are needed.
const shards = 256

// shardPool gives shards to transactions. It is safe for concurrent use.
type shardPool struct {
	base int

	mu   sync.Mutex // guards busy
	busy [shards]bool
}

// newShardPool returns the shards of a process by its number. Of 32 processes that were started one after the other each begins with 8 of its own, of few with more.
func newShardPool(process int64) *shardPool {
	return &shardPool{base: int(bits.Reverse8(uint8(process % 32)))}
}

// take returns a shard, and what gives it back.
func (p *shardPool) take() (shard int, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range shards {
		if shard = (p.base + i) % shards; !p.busy[shard] {
			p.busy[shard] = true
			return shard, func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.busy[shard] = false
			}
		}
	}
	return rand.IntN(shards), func() {} // more transactions than shards
}
