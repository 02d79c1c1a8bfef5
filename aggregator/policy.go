package aggregator

import "candor/schema/dap"

// What a task makes of report extensions is decided here and nowhere else. DAP registers none, so that a plain task knows none; what a
// round's task knows of our own is listed by the two functions below, and judged by their callers in this file.

// knownPublic returns the types of public report extensions that the task knows.
func (t *Task) knownPublic() []uint16 {
	if t.Round != nil {
		return []uint16{dap.ReportExtensionMember}
	}
	return nil
}

// knownPrivate returns the types of private report extensions that the task knows.
func (t *Task) knownPrivate() []uint16 {
	if t.Round != nil {
		return []uint16{dap.ReportExtensionSignature}
	}
	return nil
}

// CheckPublicExtensions judges the public extensions of a report: known, and strictly increasing. The error is a [dap.ReportError].
func (t *Task) CheckPublicExtensions(public []dap.Extension) error {
	if len(dap.UnknownExtensions(public, t.knownPublic()...)) > 0 || !dap.ExtensionsIncrease(public) {
		return dap.ErrorInvalidMessage
	}
	if t.Round != nil {
		_, err := t.Round.contribution(public)
		return err
	}
	return nil
}

// checkPrivateExtensions judges the private extensions of an input share beside the public ones, which were judged before: known,
// strictly increasing, and none of a type that is among the public ones.
func (t *Task) checkPrivateExtensions(public, private []dap.Extension) error {
	if len(dap.UnknownExtensions(private, t.knownPrivate()...)) > 0 || !dap.ExtensionsIncrease(private) {
		return dap.ErrorInvalidMessage
	}
	for _, e := range private {
		if _, twice := dap.FindExtension(public, e.Type); twice {
			return dap.ErrorInvalidMessage
		}
	}
	return nil
}
