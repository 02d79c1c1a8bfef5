package publish

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
