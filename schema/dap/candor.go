package dap

// Code points of our own. They lie in ranges that the registries leave alone,
// and tasks without them are plain DAP.
const (
	// TaskExtensionRoundHash binds a task to its round: its data is the SHA-256,
	// 32 bytes, of the round document. Since every sealed share is bound to the
	// task configuration, it binds roster, noise and release rules too.
	TaskExtensionRoundHash uint16 = 0xFF43
	// ReportExtensionMember is public: which member sends the report, and which of
	// its corrections it is.
	ReportExtensionMember uint16 = 0xFF43
	// ReportExtensionSignature is private, one for each Aggregator: the member's
	// signature over the report and this Aggregator's share.
	ReportExtensionSignature uint16 = 0xFF44
)

// NewRoundHashExtension returns the task extension that binds a task to the
// round document with the given SHA-256.
func NewRoundHashExtension(hash [32]byte) Extension {
	return Extension{TaskExtensionRoundHash, hash[:]}
}
