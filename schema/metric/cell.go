package metric

import "fmt"

// A CellKind says what is in a cell.
type CellKind uint8

const (
	ValueCell        CellKind = iota // a count or an answer
	AvailabilityCell                 // 1 in the cell of the metric's state
	MagnitudeCell                    // 1 in the cell of the band of the metric's total
)

// A Cell is one number that a member contributes. Cells are comparable.
type Cell struct {
	Instrument string
	Metric     string // id in the instrument
	Kind       CellKind
	Code       string // of the metric's list, of the states, or of the magnitude list; Total or Yes if the metric has one cell
}

// Codes of the one cell of a metric without codes.
const (
	Total = "total" // of a count
	Yes   = "yes"   // of a yes-no: 1 means yes
)

// Path returns the path of the cell's metric.
func (c Cell) Path() string { return c.Instrument + "." + c.Metric }

// Column returns the name of the cell within its metric: the code, "state:CODE" or "magnitude:CODE".
func (c Cell) Column() string {
	switch c.Kind {
	case AvailabilityCell:
		return "state:" + c.Code
	case MagnitudeCell:
		return "magnitude:" + c.Code
	}
	return c.Code
}

// String returns instrument.metric[column], or instrument.metric for the one cell of a metric without codes.
func (c Cell) String() string {
	if c.Kind == ValueCell && (c.Code == Total || c.Code == Yes) {
		return c.Path()
	}
	return c.Path() + "[" + c.Column() + "]"
}

// CodeList returns the list of the metric's codes, or nil if it has one cell.
func (m *Metric) CodeList() *CodeList { return m.codes }

// MagnitudeList returns the list of bands of the metric's total, or nil if none is asked for.
func (m *Metric) MagnitudeList() *CodeList { return m.magnitude }

// Width returns the number of the metric's value cells.
func (m *Metric) Width() int {
	if m.codes == nil {
		return 1
	}
	return len(m.codes.Codes)
}

// Cells returns the metric's value cells, in the order of its codes. The caller owns the slice.
func (m *Metric) Cells() []Cell {
	switch {
	case m.codes != nil:
		return m.cellsOf(m.codes, ValueCell)
	case m.Type == YesNo:
		return []Cell{{Instrument: m.instrument, Metric: m.ID, Code: Yes}}
	}
	return []Cell{{Instrument: m.instrument, Metric: m.ID, Code: Total}}
}

// AvailabilityCells returns the cells of the metric's state, in the order of States.
func (m *Metric) AvailabilityCells() []Cell {
	cells := make([]Cell, 0, 4)
	for _, s := range States() {
		cells = append(cells, Cell{Instrument: m.instrument, Metric: m.ID, Kind: AvailabilityCell, Code: string(s)})
	}
	return cells
}

// MagnitudeCells returns the cells of the band of the metric's total, or nil if none is asked for.
func (m *Metric) MagnitudeCells() []Cell {
	if m.magnitude == nil {
		return nil
	}
	return m.cellsOf(m.magnitude, MagnitudeCell)
}

func (m *Metric) cellsOf(l *CodeList, kind CellKind) []Cell {
	cells := make([]Cell, len(l.Codes))
	for i := range l.Codes {
		cells[i] = Cell{Instrument: m.instrument, Metric: m.ID, Kind: kind, Code: l.Codes[i].Code}
	}
	return cells
}

// Cells returns all value cells of the instrument, metric by metric.
func (in *Instrument) Cells() []Cell {
	var cells []Cell
	for i := range in.Metrics {
		cells = append(cells, in.Metrics[i].Cells()...)
	}
	return cells
}

// Definition says in words what a cell holds. It is an error if the catalogue has no such cell.
func (c *Catalogue) Definition(cell Cell) (string, error) {
	m := c.Metric(cell.Path())
	if m == nil {
		return "", fmt.Errorf("catalogue %s has no metric %s", c, cell.Path())
	}
	code := func(l *CodeList) (string, error) {
		i := -1
		if l != nil {
			i = l.Index(cell.Code)
		}
		if i < 0 {
			return "", fmt.Errorf("catalogue %s has no cell %s", c, cell)
		}
		return l.Codes[i].Definition, nil
	}
	switch {
	case cell.Kind == AvailabilityCell:
		for _, s := range c.Availability {
			if s.ID == cell.Code {
				return fmt.Sprintf("Availability of “%s”: %s", m.Name, s.Definition), nil
			}
		}
		return "", fmt.Errorf("catalogue %s has no cell %s", c, cell)
	case cell.Kind == MagnitudeCell:
		text, err := code(m.magnitude)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("Magnitude of the total of “%s”: %s", m.Name, text), nil
	case m.codes == nil && cell == m.Cells()[0]:
		return m.Definition, nil
	}
	text, err := code(m.codes)
	if err != nil {
		return "", err
	}
	return m.Definition + " — " + text, nil
}
