package figures

import (
	"slices"
	"strconv"
	"strings"

	"candor/schema/metric"
)

// A record is one line of a figures file as it was read, of either form.
type record struct {
	instrument, metric, cell, value, reason string
	at, valueAt                             place // of the names, of the value
}

// An assembly makes a File out of records, in whatever order they come.
type assembly struct {
	file       *File
	opts       Options
	seen       map[[3]string]place
	metrics    map[string]*gathered // by path
	info       map[string]record    // lines of the file itself, by metric
	unreadable bool                 // nothing more can be said
	damaged    bool                 // lines are lost, so that what is missing is not worth a problem
}

// gathered is what the file says about one metric.
type gathered struct {
	metric *metric.Metric
	cells  []string // of its lines beside the state
	has    map[string]bool
	state  *record
	values map[string]record // by cell as written
	// partial says that lines of the metric could not be read, so that what is missing is not worth a problem
	partial bool
}

// gather returns what was gathered of a metric, to add to it.
func (a *assembly) gather(m *metric.Metric) *gathered {
	g := a.metrics[m.Path()]
	if g == nil {
		g = &gathered{metric: m, has: map[string]bool{}, values: map[string]record{}}
		for _, l := range cellLines(m) {
			g.cells = append(g.cells, l.cell)
			g.has[l.cell] = true
		}
		a.metrics[m.Path()] = g
	}
	return g
}

// Bounds of a figures file. The one for all instruments of the catalogue has 661 lines.
const (
	maxLines       = 20_000
	maxReasonBytes = 2000
)

// add takes one line. Lines without names are for people.
func (a *assembly) add(r record) {
	if r.instrument == "" && r.metric == "" && r.cell == "" {
		return
	}
	p := a.file.problems
	c := a.file.catalogue
	if len(a.seen) >= maxLines {
		if !a.damaged {
			p.at(r.at, "file has more than %d lines, the most that is read", maxLines)
		}
		a.damaged = true
		return
	}
	if first, twice := a.seen[[3]string{r.instrument, r.metric, r.cell}]; twice {
		p.at(r.at, "%s stands already in %s", lineName(r), first.String())
		a.spoil(r)
		return
	}
	a.seen[[3]string{r.instrument, r.metric, r.cell}] = r.at
	if r.instrument == fileInstrument {
		if a.info == nil {
			a.info = map[string]record{}
		}
		if !slices.Contains([]string{fileRound, fileCatalogue, fileHash}, r.metric) {
			p.at(r.at, "there is no line %s", lineName(r))
			return
		}
		a.info[r.metric] = r
		return
	}
	in := c.Instrument(r.instrument)
	if in == nil {
		p.at(r.at, "catalogue %s has no instrument %s%s", c, quote(r.instrument), didYouMean(r.instrument, allInstruments(c)))
		return
	}
	if a.opts.Instruments != nil && !slices.Contains(a.opts.Instruments, in.ID) {
		if !slices.Contains(a.file.Instruments, in.ID) {
			a.file.Instruments = append(a.file.Instruments, in.ID)
			p.at(r.at, "instrument %s is not asked for in this round; remove its lines", in.ID)
		}
		return
	}
	if !slices.Contains(a.file.Instruments, in.ID) {
		a.file.Instruments = append(a.file.Instruments, in.ID)
	}
	m := in.Metric(r.metric)
	if m == nil {
		var ids []string
		for i := range in.Metrics {
			ids = append(ids, in.Metrics[i].ID)
		}
		p.at(r.at, "instrument %s has no metric %s%s", in.ID, quote(r.metric), didYouMean(r.metric, ids))
		a.damaged = true
		return
	}
	g := a.gather(m)
	if r.cell == stateCell {
		g.state = &r
		a.file.states[m.Path()] = r.valueAt
		a.reason(m, r)
		return
	}
	if !g.has[r.cell] {
		hint := ""
		if !p.full() { // else nobody reads it
			hint = didYouMean(r.cell, g.cells)
		}
		p.at(r.at, "metric %s has no cell %s%s; it has %s", m.Path(), quote(r.cell), hint, shorten(strings.Join(append([]string{stateCell}, g.cells...), ", "), maxCellBytes))
		a.spoil(r)
		return
	}
	g.values[r.cell] = r
	a.reason(m, r)
}

// reason keeps what the member typed beside a metric's state or values.
func (a *assembly) reason(m *metric.Metric, r record) {
	if r.reason == "" {
		return
	}
	before := a.file.Reasons[m.Path()]
	if len(before)+len(r.reason) > maxReasonBytes || !plainName(r.reason) {
		a.file.problems.at(r.at, "reason for %s is longer than %d bytes or has characters that do not print", m.Path(), maxReasonBytes)
		return
	}
	a.file.Reasons[m.Path()] = strings.TrimSpace(before + " " + r.reason)
}

// spoilLine takes a line of which a part cannot be read: its metric and cell are there and their value is not known.
func (a *assembly) spoilLine(r record) {
	in := a.file.catalogue.Instrument(r.instrument)
	if in == nil || in.Metric(r.metric) == nil {
		a.damaged = true
		return
	}
	a.spoil(r)
	if !slices.Contains(a.file.Instruments, in.ID) {
		a.file.Instruments = append(a.file.Instruments, in.ID)
	}
	a.gather(in.Metric(r.metric)).partial = true
}

// spoil marks the record's metric as not to be judged further.
func (a *assembly) spoil(r record) { a.file.bad[r.instrument+"."+r.metric] = true }

func lineName(r record) string {
	var name strings.Builder
	name.WriteString(r.instrument)
	for _, part := range []string{r.metric, r.cell} {
		if part != "" {
			name.WriteString(" " + part)
		}
	}
	return quote(name.String())
}

// String names a place for the middle of a sentence.
func (p place) String() string {
	if p.sheet == "" {
		return "line " + strconv.Itoa(p.line)
	}
	return p.sheet + "!" + p.cell
}

// finish judges what was gathered.
func (a *assembly) finish() {
	f := a.file
	a.finishInfo()
	order := allInstruments(f.catalogue)
	slices.SortFunc(f.Instruments, func(x, y string) int { return slices.Index(order, x) - slices.Index(order, y) })
	if a.opts.Instruments != nil {
		f.Instruments = slices.DeleteFunc(f.Instruments, func(id string) bool { return !slices.Contains(a.opts.Instruments, id) })
	}
	if len(f.Instruments) == 0 && len(f.problems.list) == 0 {
		f.problems.at(place{}, "file has no figures")
	}
	for _, id := range f.Instruments {
		in := f.catalogue.Instrument(id)
		for i := range in.Metrics {
			m := &in.Metrics[i]
			if g := a.metrics[m.Path()]; g != nil {
				a.finishMetric(g)
			} else {
				if !a.damaged {
					f.problems.at(place{}, "metric %s has no lines; each metric of an instrument has a state, if only not-applicable", m.Path())
				}
				f.bad[m.Path()] = true
			}
		}
	}
	wanted := a.opts.Instruments
	if wanted == nil {
		return
	}
	for _, id := range wanted {
		if !slices.Contains(f.Instruments, id) {
			f.Notes = append(f.Notes, "instrument "+id+" of the round is not in the file and will not be contributed")
		}
	}
}

func (a *assembly) finishInfo() {
	f := a.file
	round, hasRound := a.info[fileRound]
	f.Round = round.value
	switch {
	case !hasRound && a.damaged:
	case !hasRound || round.value == "":
		f.problems.at(round.valueAt, "file does not say for which round it is; instrument or sheet %q needs a line with metric %q and the round as its value", fileInstrument, fileRound)
	case a.opts.Round != "" && round.value != a.opts.Round:
		f.problems.at(round.valueAt, "file is for round %s, not %s", quote(round.value), quote(a.opts.Round))
	}
	hash, hasHash := a.info[fileHash]
	switch want := f.catalogue.Hash(); {
	case !hasHash && a.damaged:
	case !hasHash || hash.value == "":
		f.problems.at(hash.valueAt, "file does not say by which catalogue it counts; instrument or sheet %q needs a line with metric %q and value %s", fileInstrument, fileHash, want)
	case hash.value != want:
		name := a.info[fileCatalogue].value
		f.problems.at(hash.valueAt, "file counts by another catalogue, %s with hash %s; this is %s with hash %s: make a new template and move the figures", quote(name), quote(hash.value), f.catalogue, want)
	}
}

// finishMetric reads state and values of a metric and keeps its entry if nothing is wrong with it.
func (a *assembly) finishMetric(g *gathered) {
	f, m := a.file, g.metric
	p := f.problems
	before := p.count()
	state := metric.State("")
	stateKnown := false
	switch {
	case g.state == nil:
		if !a.damaged && !g.partial {
			p.at(anyPlace(g), "metric %s has no line for its state; add one with %s", m.Path(), join(metric.States()))
		}
	case g.state.value == "":
		p.at(g.state.valueAt, "state of %s is blank; write one of %s", m.Path(), join(metric.States()))
	default:
		state = metric.State(strings.ToLower(g.state.value))
		if stateKnown = state.Valid(); !stateKnown {
			p.at(g.state.valueAt, "state of %s is %s; it is one of %s", m.Path(), quote(g.state.value), join(metric.States()))
		}
	}
	e := metric.Entry{State: state}
	contributes := stateKnown && state.Contributes()
	if contributes {
		e.Values = make([]int64, m.Width())
	}
	missing := false
	cells := m.Cells()
	for i, written := range g.cells {
		r, ok := g.values[written]
		if !ok {
			if !a.damaged && !g.partial && (contributes || !stateKnown) {
				p.at(placeOf(g), "%s has no line for cell %s", m.Path(), written)
			}
			missing = true
			continue
		}
		for j := range cells {
			if m.Type == metric.Choice || j == i {
				f.values[cells[j]] = r.valueAt
			}
		}
		name := m.Path() + " " + written
		switch {
		case r.value == "" && contributes:
			p.at(r.valueAt, "%s is blank; %s", name, blankHint(m))
		case r.value == "":
		case stateKnown && !state.Contributes():
			p.at(r.valueAt, "%s is %s though the state of %s is %s; clear the cell or change the state", name, quote(r.value), m.Path(), state)
		default:
			if complaint := readValue(m, i, r.value, e.Values); complaint != "" {
				p.at(r.valueAt, "%s %s", name, complaint)
			}
		}
	}
	if p.count() > before || !stateKnown || missing && contributes || f.bad[m.Path()] {
		f.bad[m.Path()] = true
		return
	}
	f.Figures[m.Path()] = e
}

func blankHint(m *metric.Metric) string {
	what := "write yes or no"
	switch {
	case m.Type.Counts():
		what = "write 0 for a count of zero"
	case m.Type == metric.Choice:
		what = "write one of its codes"
	}
	return what + ", or not-measured as the state of the metric"
}

// readValue reads the i-th value line of a metric into values, which is nil if only a complaint is wanted. The complaint continues a
// sentence that begins with the name of the cell; it is "" if the value is good.
func readValue(m *metric.Metric, i int, text string, values []int64) string {
	var n int64
	switch {
	case m.Type.Counts():
		var complaint string
		if n, complaint = parseCount(text, m.Max); complaint != "" {
			return "is wrong: " + complaint
		}
	case m.Type == metric.Choice:
		list := m.CodeList()
		if i = list.Index(strings.ToLower(text)); i < 0 {
			var codes []string
			for _, c := range list.Codes {
				codes = append(codes, c.Code)
			}
			hint := didYouMean(strings.ToLower(text), codes)
			if looksLikeDate(text) {
				hint = " (a date, into which a spreadsheet may have turned it)"
			}
			return "is " + quote(text) + hint + "; it is one of " + strings.Join(codes, ", ")
		}
		n = 1
	case strings.EqualFold(text, "yes"):
		n = 1
	case strings.EqualFold(text, "no"):
	default:
		return "is " + quote(text) + "; write yes or no"
	}
	if values != nil {
		values[i] = n
	}
	return ""
}

// looksLikeDate reports whether text has the name of a month in it, as in 02-May.
func looksLikeDate(text string) bool {
	text = strings.ToLower(text)
	return strings.ContainsAny(text, "0123456789") && slices.ContainsFunc([]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
		func(month string) bool { return strings.Contains(text, month) })
}

func placeOf(g *gathered) place {
	if g.state != nil {
		return g.state.at
	}
	return anyPlace(g)
}

// anyPlace returns the first place of a metric's values.
func anyPlace(g *gathered) place {
	for _, cell := range g.cells {
		if r, ok := g.values[cell]; ok {
			return r.at
		}
	}
	return place{}
}
