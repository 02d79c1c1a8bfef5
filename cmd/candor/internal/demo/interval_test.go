package demo_test

import (
	"bytes"
	"math/big"
	"os"
	"testing"

	"candor/client/figures"
	"candor/client/publish"
	"candor/crypto/dp"
	"candor/schema/round"
)

// The published lists: how many organisations and the total that each states.
var published = map[string]struct {
	organisations int
	total         int64
	halfWidth     int64 // of the 95 % interval at ε = 1, from the exact law of the sum
}{
	"2019": {148, 16836694, 34}, "2020": {168, 21447786, 37}, "2021": {230, 29157083, 43}, "2022": {236, 31802525, 43}, "2023": {247, 35944826, 44},
}

func realFigures(t *testing.T, period string) *figures.Tidy {
	t.Helper()
	text, err := os.ReadFile("data/provider-reports.csv")
	if err != nil {
		t.Fatal(err)
	}
	table, err := figures.ReadTidy(bytes.NewReader(text), figures.TidyOptions{Period: period})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestBuiltInFiguresAreThePublishedOnes(t *testing.T) {
	for period, want := range published {
		table := realFigures(t, period)
		if n, total := len(table.Organisations), table.Totals()["cybertipline_reports"]; n != want.organisations || total != want.total {
			t.Errorf("%s: %d organisations with a total of %d, published are %d and %d", period, n, total, want.organisations, want.total)
		}
		if got := laplace(t).SumHalfWidth(want.organisations, 0.95); got != want.halfWidth {
			t.Errorf("%s: half-width %d, want %d", period, got, want.halfWidth)
		}
	}
}

func laplace(t *testing.T) dp.Laplace {
	t.Helper()
	noise, err := round.Privacy{Mechanism: "laplace", Place: "member", Epsilon: "1/1", Delta1: 1}.MemberNoise()
	if err != nil {
		t.Fatal(err)
	}
	return noise.(dp.Laplace)
}

// 40 rounds of all members of 2023 through noise, offset, encoding, both halves of the sum, decoding and the interval: between 34 and 40 intervals contain the published total. The
// intervals cover with probability 0.9505, so a good build misses that with probability 0.0032; the test fails if it does so twice in a row, once in 100,000 runs.
func TestIntervalsContainThePublishedTotal(t *testing.T) {
	table := realFigures(t, "2023")
	noise := laplace(t)
	offset := noise.Offset()
	half := noise.SumHalfWidth(len(table.Organisations), 0.95)
	truth := published["2023"].total
	contained := func(rounds int) (n int) {
		for range rounds {
			sum := new(big.Int)
			for _, org := range table.Organisations {
				noised, err := noise.AddVector(org.Values)
				if err != nil {
					t.Fatal(err)
				}
				sum.Add(sum, big.NewInt(noised[0]+offset))
			}
			total := throughShares(t, sum, uint64(offset))
			if total-half <= truth && truth <= total+half {
				n++
			}
		}
		return n
	}
	if first := contained(40); first < 34 {
		if second := contained(40); second < 34 {
			t.Errorf("of 40 intervals only %d, then %d contain the published total", first, second)
		}
	}
	t.Run("without the offset none does", func(t *testing.T) {
		if total := throughShares(t, big.NewInt(truth), uint64(offset)); total+half >= truth {
			t.Error("a sum from which offsets are missing decodes to the truth all the same")
		}
	})
}

// throughShares splits a sum as two aggregate shares, and joins them again and takes the offsets of 247 reports off, as the release does.
func throughShares(t *testing.T, sum *big.Int, offset uint64) int64 {
	t.Helper()
	little := func(x *big.Int) []byte {
		b := new(big.Int).Mod(x, field128).FillBytes(make([]byte, 16))
		for i := range 8 {
			b[i], b[15-i] = b[15-i], b[i]
		}
		return b
	}
	mask := new(big.Int).Lsh(big.NewInt(0x1234567890abcdef), 60)
	total, err := publish.SumOfShares(little(mask), little(new(big.Int).Sub(sum, mask)), 247, offset)
	if err != nil {
		t.Fatal(err)
	}
	return total
}
