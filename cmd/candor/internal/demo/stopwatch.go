package demo

import "time"

// A Lap is how long one step took.
type Lap struct {
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
}

type stopwatch struct {
	start, last time.Time
	laps        []Lap
}

func newStopwatch() *stopwatch { now := time.Now(); return &stopwatch{start: now, last: now} }

func (s *stopwatch) lap(step string) {
	now := time.Now()
	s.laps = append(s.laps, Lap{step, now.Sub(s.last).Seconds()})
	s.last = now
}
