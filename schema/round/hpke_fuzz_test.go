package round_test

import (
	"testing"

	"candor/schema/dap"
	"candor/schema/round"
)

// What is read as an HPKE configuration is written the same way.
func FuzzParseHPKE(f *testing.F) {
	f.Add("AQAgAAEAAQAgCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := round.ParseHPKE(text)
		if err != nil {
			return
		}
		if again, err := round.EncodeHPKE(c); err != nil || again != text {
			t.Errorf("%q was read as %v and written as %q, %v", text, dap.HpkeConfig(c), again, err)
		}
	})
}
