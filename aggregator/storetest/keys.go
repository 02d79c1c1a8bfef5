package storetest

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// keyTask has keys in the tests. Nothing else is stored for it: a Store that seals would take these for its own.
var keyTask = dap.TaskID{9}

func key(id uint64, wrapped string) store.Key {
	return store.Key{Task: keyTask, ID: id, Wrapped: []byte(wrapped)}
}

var keyTests = []contractTest{
	{name: "keys come back in order and are replaced", run: func(f *fixture) {
		other := store.Key{Task: dap.TaskID{8}, ID: 1, Wrapped: []byte("o")}
		f.update(func(tx store.Tx) error {
			return errors.Join(tx.PutKey(key(1<<40, "b")), tx.PutKey(key(2, "a")), tx.PutKey(key(7, "old")), tx.PutKey(other), tx.PutKey(key(7, "new")))
		})
		want := []store.Key{key(2, "a"), key(7, "new"), key(1<<40, "b")}
		f.crash()
		if d := diff(want, read(f, func(tx store.Tx) ([]store.Key, error) { return tx.Keys(keyTask) })); d != "" {
			f.Errorf("Keys (-want +got):\n%s", d)
		}
		all := read(f, store.Tx.AllKeys)
		if i := slices.IndexFunc(all, func(k store.Key) bool { return k.Task == other.Task }); i < 0 || len(all) < i+4 {
			f.Errorf("AllKeys: %v", all)
		} else if d := diff(append([]store.Key{other}, want...), all[i:i+4]); d != "" {
			f.Errorf("AllKeys (-want +got):\n%s", d)
		}
	}},
	{name: "keys are deleted, one or with the task", run: func(f *fixture) {
		f.update(func(tx store.Tx) error {
			return errors.Join(tx.PutKey(key(1, "a")), tx.PutKey(key(2, "b")), tx.DeleteKey(keyTask, 1), tx.DeleteKey(keyTask, 1), tx.DeleteKey(dap.TaskID{7}, 1))
		})
		if got := read(f, func(tx store.Tx) ([]store.Key, error) { return tx.Keys(keyTask) }); len(got) != 1 || got[0].ID != 2 {
			f.Errorf("after DeleteKey: %v", got)
		}
		f.update(func(tx store.Tx) error { return tx.DeleteTask(keyTask) })
		if got := read(f, func(tx store.Tx) ([]store.Key, error) { return tx.Keys(keyTask) }); len(got) != 0 {
			f.Errorf("after DeleteTask: %v", got)
		}
	}},
}

func byKeyID(a, b store.Key) int { return cmp.Compare(a.ID, b.ID) }

func (t *modelTx) PutKey(k store.Key) error {
	if err := t.writes(); err != nil {
		return err
	}
	k.Wrapped = clone(k.Wrapped)
	t.task(k.Task).keys[k.ID] = k
	return nil
}

func (t *modelTx) Keys(task dap.TaskID) ([]store.Key, error) {
	return sortedBy(t.task(task).keys, byKeyID), nil
}

func (t *modelTx) AllKeys() (all []store.Key, err error) {
	for _, task := range slices.SortedFunc(maps.Keys(t.tasks), func(a, b dap.TaskID) int { return slices.Compare(a[:], b[:]) }) {
		all = append(all, sortedBy(t.tasks[task].keys, byKeyID)...)
	}
	return all, nil
}

func (t *modelTx) DeleteKey(task dap.TaskID, id uint64) error {
	if err := t.writes(); err != nil {
		return err
	}
	delete(t.task(task).keys, id)
	return nil
}
