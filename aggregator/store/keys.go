package store

import "candor/schema/dap"

// KeyTx keeps the data keys of a store whose secrets are sealed, each wrapped by a key that is kept elsewhere. A backend knows nothing of what they mean.
type KeyTx interface {
	// PutKey stores a key, in place of the one of the same task and ID.
	PutKey(k Key) error
	// Keys returns the keys of a task in order of their IDs.
	Keys(task dap.TaskID) ([]Key, error)
	// AllKeys returns the keys of all tasks, in order of task and ID.
	AllKeys() ([]Key, error)
	// DeleteKey removes a key; it is no error if there is none. DeleteTask removes the keys of its task.
	DeleteKey(task dap.TaskID, id uint64) error
}

// A Key is a wrapped data key of a task; the zero task stands for the store itself.
type Key struct {
	Task    dap.TaskID
	ID      uint64
	Wrapped []byte
}

func (Key) record() {}
