package publish

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// formatCount writes v for people: thousands separated by commas, a true minus sign.
func formatCount(v int64) string {
	s := strconv.FormatInt(v, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "−", s[1:]
	}
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return sign + b.String()
}

// formatSigned is formatCount with a plus sign for positive numbers.
func formatSigned(v int64) string {
	if v > 0 {
		return "+" + formatCount(v)
	}
	return formatCount(v)
}

// formatRounded writes a large v in three significant digits and words, "about 35.9 million", and a small one
// as it is.
func formatRounded(v int64) string {
	f := math.Abs(float64(v))
	if f < 10_000 {
		return formatCount(v)
	}
	// The unit is picked for the rounded number, so that 999,999 is 1 million and not 1000 thousand.
	exp := math.Floor(math.Log10(f))
	f = math.Round(f/math.Pow(10, exp-2)) * math.Pow(10, exp-2)
	unit, name := 1e3, "thousand"
	for _, u := range []struct {
		size float64
		name string
	}{{1e6, "million"}, {1e9, "billion"}, {1e12, "trillion"}} {
		if f >= u.size {
			unit, name = u.size, u.name
		}
	}
	s := strconv.FormatFloat(f/unit, 'g', 3, 64)
	if strings.Contains(s, "e") {
		s = strconv.FormatFloat(f/unit, 'f', 0, 64)
	}
	if v < 0 {
		s = "−" + s
	}
	return "about " + s + " " + name
}

// formatSD writes a standard deviation in three significant digits.
func formatSD(sd float64) string {
	if sd >= 999.5 {
		return formatCount(int64(math.Round(sd)))
	}
	return strconv.FormatFloat(sd, 'g', 3, 64)
}

// plural writes n and the word for it.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%s %s", formatCount(int64(n)), many)
}
