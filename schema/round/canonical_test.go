package round_test

import (
	"bytes"
	"testing"

	"candor/schema/round"
)

// The sorting example is that of RFC 8785, section 3.2.3; the others follow its rules for integers and strings.
func TestCanonicalize(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"sorts by UTF-16 units", `{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{"escapes", `"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"`, `"€$\u000f\nA'B\"\\\\\"/"`},
		{"no escaping for HTML", `"<&>"`, `"<&>"`},
		{"white space", " { \"b\" : [ 1 , -2, 9007199254740991 ] , \"a\" : { } } ", `{"a":{},"b":[1,-2,9007199254740991]}`},
		{"literals", `[null,true,false]`, `[null,true,false]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := round.Canonicalize([]byte(c.in))
			if err != nil || string(got) != c.want {
				t.Fatalf("got %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
	for _, bad := range []string{``, `{`, `{"a":1,"a":2}`, `1.5`, `1e3`, `9007199254740992`, `[1] 2`, "\"\xff\"", `{"a":[}`, `[` + string(bytes.Repeat([]byte("["), 100))} {
		if got, err := round.Canonicalize([]byte(bad)); err == nil {
			t.Errorf("Canonicalize(%q) = %s, want an error", bad, got)
		}
	}
}

func FuzzCanonicalize(f *testing.F) {
	f.Add([]byte(`{"b":[1,{"c":null}],"a":"\u20ac"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := round.Canonicalize(in)
		if err != nil {
			return
		}
		twice, err := round.Canonicalize(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q is not a fixed point: %q, %v", once, twice, err)
		}
	})
}
