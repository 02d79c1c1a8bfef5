package demo

import (
	"fmt"
	"math"
	"math/rand/v2"

	"candor/schema/metric"
)

// syntheticSeed makes every run of the demo tell the same story; the noise on top is fresh in each.
const syntheticSeed = 20260101

// syntheticMembers are the members of the coalition whose figures are made up.
const syntheticMembers = 40

// syntheticInstruments are what they are asked for.
var syntheticInstruments = []string{"hash-match", "live-design", "live-content", "live-signal", "user-report"}

// syntheticCaps are the most that one member contributes to a cell. Metrics of one instrument and cap are one part.
var syntheticCaps = map[string]int64{
	"hash-match.matched": 40000, "hash-match.confirmed": 40000, "hash-match.removed": 40000, "hash-match.reported": 40000,
	"hash-match.rejected": 400, "hash-match.appealed": 1000, "hash-match.reversed": 400,
	"live-design.requests": 400000, "live-design.held": 400000, "live-design.denied": 6000,
	"live-design.appealed": 600, "live-design.reversed": 600, "live-design.passed-then-confirmed": 600,
	"live-content.sessions": 300000, "live-content.analysed": 300000, "live-content.flagged": 5000, "live-content.rejected": 5000, "live-content.interrupted": 1200,
	"live-content.confirmed": 400, "live-content.interrupted-wrongly": 400, "live-content.appealed": 400, "live-content.reversed": 400,
	"live-signal.flagged": 15000, "live-signal.restricted": 1500,
	"live-signal.confirmed": 500, "live-signal.rejected": 500, "live-signal.appealed": 500, "live-signal.reversed": 500,
	"user-report.received": 9000, "user-report.told-outcome": 9000, "user-report.actioned": 4000, "user-report.not-actioned": 4000, "user-report.to-decision": 4000,
	"user-report.reporter-appealed": 400, "user-report.reporter-upheld": 400,
}

// synthetic makes up the figures of one member in one quarter: numbers of a size that a coalition could see, that no organisation has. The same arguments always
// give the same figures. They break no rule of the catalogue.
func synthetic(c *metric.Catalogue, member, quarter int) metric.Figures {
	who := rand.New(rand.NewPCG(syntheticSeed, uint64(member)))
	m := maker{catalogue: c, random: rand.New(rand.NewPCG(syntheticSeed+1+uint64(quarter), uint64(member))), figures: metric.Figures{}}
	// What a member is stays the same from quarter to quarter.
	m.size = min(max(math.Exp(0.8*who.NormFloat64()), 0.15), 3) * (1 + 0.07*float64(quarter)) * (1 + 0.08*m.random.NormFloat64())
	m.estimates = who.IntN(6) == 0
	live, signals, appeals, contest := member%10 < 7, member%10 < 5, member%8 != 7, member%5 != 4
	m.hashMatch(appeals)
	m.liveDesign(live, appeals)
	m.liveContent(live, appeals)
	m.liveSignal(signals, appeals)
	m.userReport(contest)
	return m.figures
}

// A maker makes up figures.
type maker struct {
	catalogue *metric.Catalogue
	random    *rand.Rand
	size      float64 // of the member, 1 being usual
	estimates bool
	figures   metric.Figures
}

// about is a count near mean for a member of the usual size.
func (m *maker) about(mean float64) int64 {
	return max(0, int64(math.Round(mean*m.size*(1+0.25*m.random.NormFloat64()))))
}

// share is about a share of n, at most n.
func (m *maker) share(n int64, of float64) int64 {
	return min(n, max(0, int64(math.Round(float64(n)*of*(1+0.1*m.random.NormFloat64())))))
}

// each is share of every element.
func (m *maker) each(list []int64, of float64) []int64 {
	out := make([]int64, len(list))
	for i, n := range list {
		out[i] = m.share(n, of)
	}
	return out
}

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

// put sets a metric that the member measures, or estimates.
func (m *maker) put(path string, values ...int64) {
	if got := m.catalogue.Metric(path); got == nil || got.Width() != len(values) {
		panic(fmt.Sprintf("demo: internal error: %d values of %s", len(values), path))
	}
	e := metric.Entry{State: metric.Measured, Values: values}
	if m.estimates && m.random.IntN(2) == 0 {
		e.State = metric.Estimated
	}
	m.figures[path] = e
}

// yes sets answers, each of which is yes with a probability.
func (m *maker) yes(path string, probabilities ...float64) {
	values := make([]int64, len(probabilities))
	for i, p := range probabilities {
		if m.random.Float64() < p {
			values[i] = 1
		}
	}
	m.put(path, values...)
	e := m.figures[path]
	e.State = metric.Measured
	m.figures[path] = e
}

// none sets all metrics of an instrument that have nothing yet.
func (m *maker) none(instrument string, state metric.State) {
	in := m.catalogue.Instrument(instrument)
	for i := range in.Metrics {
		if _, ok := m.figures[in.Metrics[i].Path()]; !ok {
			m.figures[in.Metrics[i].Path()] = metric.Entry{State: state}
		}
	}
}

func (m *maker) hashMatch(appeals bool) {
	matched := make([]int64, 0, 7)
	for _, mean := range []float64{18000, 14000, 8500, 8000, 8500, 9500, 8200} { // image, video, live, audio, text, link, other
		matched = append(matched, m.about(mean))
	}
	reviewed := m.each(matched, 0.6)
	rejected := m.each(reviewed, 0.035)
	confirmed := make([]int64, len(reviewed))
	for i := range confirmed {
		confirmed[i] = reviewed[i] - rejected[i]
	}
	removed := m.each(matched, 0.97)
	m.put("hash-match.matched", matched...)
	m.put("hash-match.confirmed", confirmed...)
	m.put("hash-match.rejected", rejected...)
	m.put("hash-match.removed", removed...)
	m.put("hash-match.reported", m.each(matched, 0.9)...)
	if appeals {
		appealed := m.each(removed, 0.03)
		m.put("hash-match.appealed", appealed...)
		m.put("hash-match.reversed", m.each(appealed, 0.4)...)
	}
	m.none("hash-match", metric.NotMeasured)
}

func (m *maker) liveDesign(live, appeals bool) {
	const in = "live-design"
	if !live {
		m.none(in, metric.NotApplicable)
		return
	}
	requests := m.about(160000)
	denied := make([]int64, 0, 7)
	for _, of := range []float64{0.006, 0.007, 0.008, 0.014, 0.009, 0.005, 0.006} {
		denied = append(denied, m.share(requests, of))
	}
	m.yes(in+".gates", 0.95, 0.4, 0.6, 0.35, 0.7, 0.5, 0.8, 0.15, 0.55, 0.3, 0.45, 0.1)
	m.put(in+".requests", requests)
	m.put(in+".held", m.share(requests, 0.38))
	m.put(in+".denied", denied...)
	if appeals {
		appealed := m.share(sum(denied), 0.03)
		m.put(in+".appealed", appealed)
		m.put(in+".reversed", m.share(appealed, 0.45))
	}
	m.put(in+".passed-then-confirmed", m.about(4))
	m.none(in, metric.NotApplicable) // no route of appeal
}

func (m *maker) liveContent(live, appeals bool) {
	const in = "live-content"
	if !live {
		m.none(in, metric.NotApplicable)
		return
	}
	sessions := m.about(120000)
	analysed := m.share(sessions, 0.46)
	var flagged, confirmed, rejected, interrupted, wrongly []int64
	for _, modality := range []struct{ mean, confirmed, rejected float64 }{
		{2800, 0.09, 0.62}, {1400, 0.1, 0.72}, {2100, 0.08, 0.75}, {1700, 0.16, 0.5}, {1500, 0.2, 0.53}, // video, audio, live text, combined, moderators
	} {
		f := min(m.about(modality.mean), analysed/5)
		c := m.share(f, modality.confirmed)
		r := min(m.share(f, modality.rejected), f-c)
		stopped := m.share(f, 0.22)
		flagged, confirmed, rejected, interrupted = append(flagged, f), append(confirmed, c), append(rejected, r), append(interrupted, stopped)
		wrongly = append(wrongly, min(m.share(stopped, 0.4), r))
	}
	m.put(in+".sessions", sessions)
	m.put(in+".analysed", analysed)
	m.put(in+".flagged", flagged...)
	m.put(in+".confirmed", confirmed...)
	m.put(in+".rejected", rejected...)
	m.put(in+".interrupted", interrupted...)
	m.put(in+".interrupted-wrongly", wrongly...)
	if appeals {
		appealed := m.share(sum(interrupted), 0.12)
		m.put(in+".appealed", appealed)
		m.put(in+".reversed", min(m.share(appealed, 0.55), sum(wrongly)))
	}
	m.none(in, metric.NotMeasured)
}

func (m *maker) liveSignal(signals, appeals bool) {
	const in = "live-signal"
	if !signals {
		m.none(in, metric.NotApplicable)
		return
	}
	flagged := m.about(9000)
	restricted := make([]int64, 0, 7)
	for _, of := range []float64{0.05, 0.07, 0.06, 0.1, 0.08, 0.05, 0.06} {
		restricted = append(restricted, m.share(flagged, of))
	}
	m.yes(in+".signals-used", 0.9, 0.8, 0.5, 0.85, 0.7, 0.4, 0.3, 0.1)
	m.put(in+".flagged", flagged)
	m.put(in+".restricted", restricted...)
	m.put(in+".confirmed", m.share(flagged, 0.03))
	m.put(in+".rejected", m.share(flagged, 0.034))
	if appeals {
		appealed := m.share(sum(restricted), 0.07)
		m.put(in+".appealed", appealed)
		m.put(in+".reversed", m.share(appealed, 0.6))
	}
	m.none(in, metric.NotMeasured) // users are not told
}

func (m *maker) userReport(contest bool) {
	const in = "user-report"
	var received, actioned, not []int64
	for _, from := range []struct{ mean, acted float64 }{
		{3600, 0.12}, {2100, 0.2}, {2000, 0.2}, {1700, 0.6}, {1600, 0.65}, {1600, 0.65}, // adult, minor, no account, trusted flagger, hotline, authority
	} {
		n := m.about(from.mean)
		a := m.share(n, from.acted)
		received, actioned, not = append(received, n), append(actioned, a), append(not, min(m.share(n, 0.95-from.acted), n-a))
	}
	decided := sum(actioned) + sum(not)
	times, left := make([]int64, 8), decided
	for i, of := range []float64{0.12, 0.15, 0.2, 0.22, 0.13, 0.08, 0.05} {
		times[i] = min(left, m.share(decided, of))
		left -= times[i]
	}
	times[7] = left
	m.put(in+".received", received...)
	m.put(in+".actioned", actioned...)
	m.put(in+".not-actioned", not...)
	m.put(in+".to-decision", times...)
	m.put(in+".told-outcome", m.share(decided, 0.6))
	if contest {
		contested := m.share(sum(not), 0.06)
		m.put(in+".reporter-appealed", contested)
		m.put(in+".reporter-upheld", m.share(contested, 0.35))
	}
	m.yes(in+".report-route", 0.5, 0.3, 0.6, 0.9, 0.85, 0.6, 0.8, 0.25, 0.3, 0.2, 0.1)
	m.yes(in+".report-without-account", 0.6)
	m.none(in, metric.NotMeasured)
}
