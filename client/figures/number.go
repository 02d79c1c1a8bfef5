package figures

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseCount reads a whole number from 0 to limit, written in plain ASCII digits. Anything that could
// be read in two ways is refused with a hint, never guessed. complaint is "" if n is good; otherwise it
// continues a sentence that begins with the name of the field.
func parseCount(text string, limit int64) (n int64, complaint string) {
	s := strings.TrimSpace(text)
	if s == "" {
		return 0, "is blank; write 0 for a count of zero"
	}
	if isDigits(s) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > limit {
			return 0, fmt.Sprintf("%s is above the largest value allowed here, %d", quote(s), limit)
		}
		return n, ""
	}
	return 0, quote(s) + " " + explainNumber(s)
}

// explainNumber says why s, which is not plain digits, is no count.
func explainNumber(s string) string {
	switch {
	case strings.HasPrefix(s, "#"):
		return "is an error value of a spreadsheet; repair the cell it came from"
	case strings.HasPrefix(s, "="):
		return "is a formula; write the number it gives"
	}
	if rest, ok := cutSign(s, "-−–"); ok && startsWithDigit(rest) {
		return "is negative; a count starts at 0"
	}
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") && startsWithDigit(s[1:]) {
		return "is negative as accountants write it; a count starts at 0"
	}
	if rest, ok := cutSign(s, "+"); ok && isDigits(rest) {
		return "has a sign; write " + clip(rest)
	}
	if digits, ok := cutGroups(s); ok {
		return "has a thousands separator or a fraction; write plain digits, " + clip(digits) + " if that is meant"
	}
	if i := strings.IndexAny(s, "eE"); i > 0 && startsWithDigit(s) {
		if exp, _ := cutSign(s[i+1:], "+-"); isDigits(exp) {
			return "is in scientific notation and may be rounded; show the column as a number with all digits"
		}
	}
	if strings.HasSuffix(s, "%") {
		return "is a percentage; write the count"
	}
	if whole, fraction, ok := cutDecimal(s); ok {
		if strings.Trim(fraction, "0") == "" {
			return "has a decimal part; write " + clip(whole)
		}
		return "is not a whole number; a count has no fraction"
	}
	if startsWithDigit(s) {
		return "is not a number; write digits only, without unit or note"
	}
	return "is not a number; write digits only"
}

// cutGroups removes the separators of a number grouped in threes (1,234,567 or 1.234 or 1 234).
func cutGroups(s string) (digits string, ok bool) {
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i < 1 || i > 3 {
		return "", false
	}
	sep, size := utf8.DecodeRuneInString(s[i:])
	if !strings.ContainsRune(",.'’_ \u00a0\u2009\u202f", sep) {
		return "", false
	}
	groups := strings.Split(s, s[i:i+size])
	for _, g := range groups[1:] {
		if len(g) != 3 || !isDigits(g) {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}

// cutDecimal splits 12.5 or 12,5, with separators between the digits of the whole part ignored.
func cutDecimal(s string) (whole, fraction string, ok bool) {
	i := strings.LastIndexAny(s, ".,")
	if i < 1 || !isDigits(s[i+1:]) {
		return "", "", false
	}
	whole = strings.Map(func(r rune) rune {
		if strings.ContainsRune(",.'’_ \u00a0\u2009\u202f", r) {
			return -1
		}
		return r
	}, s[:i])
	return whole, s[i+1:], isDigits(whole)
}

func cutSign(s, signs string) (string, bool) {
	r, size := utf8.DecodeRuneInString(s)
	if size > 0 && strings.ContainsRune(signs, r) {
		return strings.TrimSpace(s[size:]), true
	}
	return s, false
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// quote returns s in double quotes, short enough for one line of an error, with whatever would not print escaped.
func quote(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// plainName reports whether s can name something: valid UTF-8 that prints on one line.
func plainName(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\u00a0' }) < 0
}
