package collect

import "encoding/json"

// ParseKept parses the file of a task and writes it again.
func ParseKept(text []byte) ([]byte, error) {
	var k kept
	if err := strict(text, &k); err != nil {
		return nil, err
	}
	return json.Marshal(k)
}

// ParseAnswer parses what an aggregator answers to the request for its statement and writes it again.
func ParseAnswer(text []byte) ([]byte, error) {
	var a answer
	if err := strict(text, &a); err != nil {
		return nil, err
	}
	return json.Marshal(a)
}
