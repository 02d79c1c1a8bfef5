package aggregator

import "candor/schema/dap"

// CheckCollectionExtensions judges the extensions of a collection job, of which none is registered (DAP, Collection Job Extensions).
// Both Aggregators do so, each on its own.
func CheckCollectionExtensions(list []dap.Extension) error {
	if unknown := dap.UnknownExtensions(list); len(unknown) > 0 {
		if !dap.ExtensionsIncrease(list) {
			return dap.NewProblem(dap.InvalidExtension, "the collection job extensions are not in strictly increasing order")
		}
		return dap.NewUnsupportedExtension("a collection job extension is unknown", unknown)
	}
	return nil
}
