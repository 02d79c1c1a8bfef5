// Package figures reads what an organisation counted, from files that people fill in or export: tidy
// CSV tables of many organisations, and a member's own figures file as CSV or XLSX. It writes the
// templates of the latter, and finds every error before anything is sealed, because afterwards none
// can be found.
//
// The package does no network I/O and keeps no state. Its Problems quote the member's own numbers: they are for
// the member's own screen, never for a log or another party.
package figures
