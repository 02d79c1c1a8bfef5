package aggregatortest_test

import (
	"encoding/json"
	"os"
	"sync"
	"time"
)

// A storeUse sums up how a process uses its store.
type storeUse struct {
	mu sync.Mutex // guards what follows

	Transactions map[string]*storeCalls // by name
	Retries      map[string]int         // by the name of the transaction and SQLSTATE
}

// storeCalls are transactions of one name.
type storeCalls struct {
	Count, Failed int
	Seconds       float64 // in all
}

func newStoreUse() *storeUse {
	return &storeUse{Transactions: map[string]*storeCalls{}, Retries: map[string]int{}}
}

func (u *storeUse) observe(name string, elapsed time.Duration, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.Transactions[name]
	if c == nil {
		c = new(storeCalls)
		u.Transactions[name] = c
	}
	c.Count++
	c.Seconds += elapsed.Seconds()
	if err != nil {
		c.Failed++
	}
}

func (u *storeUse) retried(name, state string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.Retries[name+" "+state]++
}

// add sums up several processes.
func (u *storeUse) add(o *storeUse) {
	for name, c := range o.Transactions {
		sum := u.Transactions[name]
		if sum == nil {
			sum = new(storeCalls)
			u.Transactions[name] = sum
		}
		sum.Count, sum.Failed, sum.Seconds = sum.Count+c.Count, sum.Failed+c.Failed, sum.Seconds+c.Seconds
	}
	for name, n := range o.Retries {
		u.Retries[name] += n
	}
}

// write keeps the sums in a file, of which the process that started this one reads them. A failure shows there.
func (u *storeUse) write(path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	text, err := json.Marshal(u)
	if err == nil {
		_ = os.WriteFile(path, text, 0o600)
	}
}

func readStoreUse(paths []string) (*storeUse, error) {
	sum := newStoreUse()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		one := newStoreUse()
		if err := json.Unmarshal(text, one); err != nil {
			return nil, err
		}
		sum.add(one)
	}
	return sum, nil
}
