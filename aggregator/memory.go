package aggregator

import "runtime/debug"

// A role's live heap is small, and most of what it allocates is gone with the batch of reports that it was for.
const (
	collectAt  = 400       // percent of the live heap that may be allocated before garbage is collected
	memoryFrom = 320 << 20 // bytes of the process from which on it is collected sooner
)

// TuneMemory sets Go's garbage collector for a process that is a role: with Go's own setting a quarter of the processor time per report goes into
// collecting a few megabytes again and again.
func TuneMemory() {
	debug.SetGCPercent(collectAt)
	debug.SetMemoryLimit(memoryFrom)
}
