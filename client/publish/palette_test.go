package publish_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// palettes reads the colours of each scheme from the style of a rendered page.
func palettes(t *testing.T) map[string]map[string][3]float64 {
	t.Helper()
	css := document(t, render(t, one())["index.html"]).Find("style").Text()
	light, rest, ok := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	dark, print, ok2 := strings.Cut(rest, "@media print")
	if !ok || !ok2 {
		t.Fatal("the style has no dark or no print scheme")
	}
	colour := regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)
	all := map[string]map[string][3]float64{}
	for scheme, part := range map[string]string{"light": light, "dark": dark, "print": print} {
		all[scheme] = map[string][3]float64{}
		for _, m := range colour.FindAllStringSubmatch(part, -1) {
			var rgb [3]float64
			for i := range rgb {
				v, err := strconv.ParseUint(m[2][2*i:2*i+2], 16, 8)
				if err != nil {
					t.Fatal(err)
				}
				rgb[i] = linear(float64(v) / 255)
			}
			all[scheme][m[1]] = rgb
		}
	}
	if len(all["light"]) < 10 || len(all["light"]) != len(all["dark"]) || len(all["light"]) != len(all["print"]) {
		t.Fatalf("the schemes have %d, %d and %d colours", len(all["light"]), len(all["dark"]), len(all["print"]))
	}
	return all
}

func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

// contrast is the contrast ratio of WCAG 2.2, "relative luminance".
func contrast(a, b [3]float64) float64 {
	l := func(c [3]float64) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }
	x, y := l(a), l(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func TestContrast(t *testing.T) {
	if c := contrast([3]float64{}, [3]float64{1, 1, 1}); c != 21 {
		t.Fatalf("black on white has contrast %v, want 21", c)
	}
	const text, graphics = 4.5, 3 // success criteria 1.4.3 and 1.4.11
	for scheme, p := range palettes(t) {
		for _, pair := range []struct {
			fore, back string
			least      float64
		}{
			{"text", "ground", text}, {"text", "raised", text}, {"text", "notice", text},
			{"muted", "ground", text}, {"muted", "raised", text},
			{"link", "ground", text}, {"link", "raised", text}, {"link", "notice", text},
			{"truth", "ground", text},
			{"estimate", "ground", graphics}, {"line", "ground", graphics}, {"notice-line", "ground", graphics},
			{"estimate", "interval", 1.5}, // the estimate also has an outline in the ground's colour
		} {
			if c := contrast(p[pair.fore], p[pair.back]); c < pair.least {
				t.Errorf("%s: %s on %s has contrast %.2f, want %.1f", scheme, pair.fore, pair.back, c, pair.least)
			}
		}
	}
}

// deficiencies are the matrices of Machado, Oliveira and Fernandes (2009), "A Physiologically-based Model for
// Simulation of Color Vision Deficiency", at severity 1, on linear RGB.
var deficiencies = map[string][3][3]float64{
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// TestColourBlind checks that estimate and published total stay apart for readers with each colour-vision
// deficiency: a CIELAB difference of 20 is plain to see.
func TestColourBlind(t *testing.T) {
	for scheme, p := range palettes(t) {
		for name, m := range deficiencies {
			apply := func(c [3]float64) (out [3]float64) {
				for i := range out {
					for j := range c {
						out[i] += m[i][j] * c[j]
					}
					out[i] = math.Min(math.Max(out[i], 0), 1)
				}
				return out
			}
			if d := labDistance(apply(p["estimate"]), apply(p["truth"])); d < 20 {
				t.Errorf("%s, %s: estimate and published total differ by %.1f, want 20", scheme, name, d)
			}
		}
	}
	red, green := [3]float64{linear(0.8)}, [3]float64{0, linear(0.55), 0}
	if labDistance(red, green) < 20 {
		t.Error("the measure takes red and green for alike")
	}
}

func labDistance(a, b [3]float64) float64 {
	x, y := lab(a), lab(b)
	return math.Sqrt((x[0]-y[0])*(x[0]-y[0]) + (x[1]-y[1])*(x[1]-y[1]) + (x[2]-y[2])*(x[2]-y[2]))
}

// lab converts linear sRGB to CIELAB under D65.
func lab(c [3]float64) [3]float64 {
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.95047)
	y := f(0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2])
	z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}
