package figures

import "strings"

// ReadCSV returns the rows of text, for comparison with another reader.
func ReadCSV(text string) (rows [][]string, problems int) {
	list := &problemList{}
	c, err := newCSVReader(strings.NewReader(text), list)
	if err != nil {
		return nil, len(list.list)
	}
	for {
		row, err := c.next()
		if err != nil {
			return rows, len(list.list)
		}
		rows = append(rows, row.fields)
	}
}

// Separator returns the separator found in text.
func Separator(text string) byte {
	c, err := newCSVReader(strings.NewReader(text), &problemList{})
	if err != nil {
		return ','
	}
	return c.comma
}
