package publish

// Exported for tests.
var (
	FormatCount   = formatCount
	FormatRounded = formatRounded
	FormatSD      = formatSD
	Determined    = determined

	RenderMarkdown = renderMarkdown
)

// ParseWords is parseWords.
var ParseWords = parseWords

// EncodeWords is Words.encode.
var EncodeWords = Words.encode
