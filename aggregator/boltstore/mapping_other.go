//go:build !(amd64 || arm64 || ppc64 || ppc64le || riscv64 || s390x || loong64) || windows

package boltstore

// Small address spaces, and systems on which a mapping makes the file as large as itself.
const initialMapping = 0
