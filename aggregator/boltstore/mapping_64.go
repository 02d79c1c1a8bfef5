//go:build (amd64 || arm64 || ppc64 || ppc64le || riscv64 || s390x || loong64) && !windows

package boltstore

const initialMapping = 64 << 30
