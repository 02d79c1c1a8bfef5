package sign

// Statement is what Sign signs.
func Statement(label string, parts ...[]byte) []byte { return statement(label, parts) }
