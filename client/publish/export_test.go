package publish

import "candor/schema/release"

// Exported for tests.
var (
	FormatCount   = formatCount
	FormatRounded = formatRounded
	FormatSD      = formatSD
	Determined    = determined

	RenderMarkdown = renderMarkdown
)

// AssembleWithout is Assemble with some rules switched off.
var AssembleWithout = assembleWithout

// ParseWords is parseWords.
var ParseWords = parseWords

// EncodeWords is Words.encode.
var EncodeWords = Words.encode

// CoverageWords are the words for how many members have a figure.
func CoverageWords(s Site, k release.Key) string { return s.coverage(k, "") }
