// Package aggregator holds what both Aggregators do alike: they know tasks and their keys, open and judge their share of a report
// (DAP, Input Share Decryption; Input Share Validation), sum output shares into batch buckets (Batch Buckets) and seal the aggregate
// share of a batch for the Collector (Aggregate Share Encryption).
//
// Floor 5: below it lie the messages, the VDAF and the store; above it the two roles, which decide when each of these things happens.
// It opens no connection and starts no goroutine that outlives a call.
package aggregator
