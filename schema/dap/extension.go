package dap

import "golang.org/x/crypto/cryptobyte"

// An Extension is an element of any of the draft's four kinds of extension
// lists: of reports, tasks, aggregation jobs and collection jobs. All have this
// shape; each kind has its own registry of types.
//
//	struct {
//	  ExtensionType extension_type;
//	  opaque extension_data<0..2^16-1>;
//	} Extension;
type Extension struct {
	Type uint16
	Data []byte
}

// The registered extension types. Report extensions and collection job
// extensions have none; for our own see candor.go.
const (
	// TaskExtensionTaskInterval confines the times of a task's reports; its data
	// is an [Interval].
	TaskExtensionTaskInterval uint16 = 1
	// JobExtensionLeaderSelectedBatchID names the batch of an aggregation job; its
	// data is a [BatchID].
	JobExtensionLeaderSelectedBatchID uint16 = 1
)

func (e Extension) marshal(b *cryptobyte.Builder) {
	b.AddUint16(e.Type)
	addOpaque16(b, e.Data, 0)
}

func (e *Extension) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint16(&e.Type) && readOpaque16(s, &e.Data, 0)
}

// ExtensionsIncrease reports whether the types of list are strictly
// increasing, as they must be in every list. The codec does not insist,
// because the answer to a violation differs from list to list.
func ExtensionsIncrease(list []Extension) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1].Type >= list[i].Type {
			return false
		}
	}
	return true
}

// FindExtension returns the data of the first extension of type t in list.
func FindExtension(list []Extension, t uint16) (data []byte, found bool) {
	for _, e := range list {
		if e.Type == t {
			return e.Data, true
		}
	}
	return nil, false
}

// UnknownExtensions returns the types in list that are not among known, in the
// list's order.
func UnknownExtensions(list []Extension, known ...uint16) []uint16 {
	var unknown []uint16
next:
	for _, e := range list {
		for _, k := range known {
			if e.Type == k {
				continue next
			}
		}
		unknown = append(unknown, e.Type)
	}
	return unknown
}

// NewTaskIntervalExtension returns the task extension that confines reports to
// i. Its data is read with Parse[Interval].
//
//	struct {
//	  Interval task_interval;
//	} TaskIntervalTaskExtension;
func NewTaskIntervalExtension(i Interval) Extension {
	var b cryptobyte.Builder
	i.marshal(&b)
	return Extension{TaskExtensionTaskInterval, b.BytesOrPanic()}
}

// NewBatchIDExtension returns the aggregation job extension that puts all
// reports of the job into the batch id. Its data is read with Parse[BatchID].
func NewBatchIDExtension(id BatchID) Extension {
	return Extension{JobExtensionLeaderSelectedBatchID, id[:]}
}

func (id BatchID) marshal(b *cryptobyte.Builder) { b.AddBytes(id[:]) }

func (id *BatchID) unmarshal(s *cryptobyte.String) bool { return s.CopyBytes(id[:]) }
