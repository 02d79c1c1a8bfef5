package config

// ParseText reads a file of a kind by form alone, without the files that it names.
func ParseText(kind, path string, text []byte) error {
	switch kind {
	case "round":
		return parse(path, text, new(RoundPlan))
	case "member":
		return parse(path, text, new(Member))
	case "task":
		return parse(path, text, new(TaskFile))
	}
	panic("config: internal error: no such kind: " + kind)
}
