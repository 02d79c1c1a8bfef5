// Package round turns a signed round document into DAP tasks, and a task configuration into what the roles work with.
//
// Floor 3: it knows messages (schema/dap) and the VDAF (crypto/prio3), and does no I/O. A round covers one reporting period; its document
// is canonical JSON (RFC 8785) and holds everything that changes the meaning of a figure. Each of its tasks carries
// the SHA-256 of the document in an extension, so that every report is bound to the whole of it.
package round
