package metric

// ParseRule parses the text of a rule without resolving names.
func ParseRule(text string) error {
	_, err := parseRelation(text)
	return err
}
