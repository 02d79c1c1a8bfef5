package config

import (
	"bytes"
	"regexp"
	"strings"
)

// IsPostgres says whether a store is named by a PostgreSQL URL.
func IsPostgres(store string) bool {
	return strings.HasPrefix(store, "postgres://") || strings.HasPrefix(store, "postgresql://")
}

// HidePassword returns the name of a store as it may be shown.
func HidePassword(store string) string { return string(hidePasswords([]byte(store))) }

// passwords finds what stands for a password in a URL: between user and host, or as a parameter.
var passwords = regexp.MustCompile(`(postgres(?:ql)?://[^\s:/@?]*:)([^\s@]+)|([?&](?:ssl)?password=)([^\s&"']+)`)

// hidePasswords makes a text that may be shown: each password in it is replaced by as many crosses, so that places in the text stay the same.
func hidePasswords(text []byte) []byte {
	return passwords.ReplaceAllFunc(text, func(found []byte) []byte {
		part := passwords.FindSubmatch(found)
		return append(append(append([]byte{}, part[1]...), part[3]...), bytes.Repeat([]byte("x"), len(part[2])+len(part[4]))...)
	})
}
