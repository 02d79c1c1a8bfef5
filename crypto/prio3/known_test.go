package prio3_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"candor/crypto/prio3"
)

// counting returns the bytes 0, 1, 2 …
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// taskContext is the application context of a DAP task whose id is 0, 1, 2 …
var taskContext = append([]byte("dap-18"), counting(32)...)

// known are answers that an implementation independent of this one gave, for task id, verify key, nonce and random bytes all counting up.
// A digest is the SHA-256 of the bytes it stands for.
var known = []struct {
	name    string
	config  prio3.Config
	m       []uint64
	size    int // of the Leader's input share
	public  string
	leader  string
	v0, v1  string // verifier shares
	out0    string
	message string // in full
}{
	{
		"Count", prio3.Config{Algorithm: prio3.Count}, []uint64{1}, 48, "",
		digest("f10c2f6dfa77cd9f836a28a426d280a548da863c6efd7ababcfbd58c9708c542360e1ea66b5a7a64dbdcfcfe05f62a1d"),
		digest("ebcfcd910a7e5d7df1a5abe293d25ad4dbbd7f9d2006ee03d6300844cd9f3dd3"),
		digest("1630326ef481a2829e203ba4553b44078b1a15af25f86e45e4bccc7c8357d0f5"),
		digest("f10c2f6dfa77cd9f"), "",
	},
	{
		"Histogram(4, 2)", prio3.Config{Algorithm: prio3.Histogram, Length: 4, ChunkLength: 2}, []uint64{2}, 272,
		digest("45780b8518b7ca3b77f002b1e9a90e95e644eead8a0dd61f36c52bddf471f519b9ac454c9d2987a650dc5694cda85c32bb1f5f13196c46cf1ff66a6b12950726"),
		"7df0b2d6205920a78fbe38dae05e33760af2368a86dfb87fe14d79d4f1ed2ac9",
		"8c279d32e5f448ce8123011fa964b0b78735ccb9a9f022668b1d9769ac2246e9",
		"a61010b91a3721f30c39ec5a9e9d9b0a182152b4836265408fb53c03e8892876", "",
		"c6bbc99f9b3ebfcbc2a5365ab8170ccc5598577f61143c894a909a2566ce613b",
	},
	{
		"Sum(255)", prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 255}, []uint64{100}, 320, "",
		"5f6d4c95e1f401c4ecb09633221949d0d4e2d502e4ff86c7c13f9777905c8ca7",
		"d00912f3557809e46b7d9d20934a46a1eaca5dae70387aa27a2a787823f3b16e",
		"a62fc0a6b9ffbf065cbbf12e1da8c328da541755d3bd45b8b75dfbf05438c2b0",
		"4c3d451ce676875daa609fc08d8992b161b481b0ee7805f3c58ba74d2171f391", "",
	},
	{
		"Sum(10)", prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 10}, []uint64{9}, 160, "",
		"e0ce4c82f9ae339f997de25a52014aaeeb937f7769701cdeb599871223285846",
		"d42fe79954072a8cb30afc167ded7c3c20005d2f6fbc751b25356269c58097b0",
		"8ad256ba0735340878fbd8865424fa40f8b92c5f7c03dd5a8a8abb947739d1b4",
		"3ce5ad98dbe1bf4f980ea720932f0877bc31e27ee17f7e0e746d77848c99f2f5", "",
	},
	{
		"SumVec(4, 4096, 18)", prio3.Config{Algorithm: prio3.SumVec, Length: 4, MaxMeasurement: 4096, ChunkLength: 18}, []uint64{0, 1, 4095, 4096}, 1552,
		"02e7bed236f2b2acfe4f2cf22acf698849b98694b34cf4b933e27204395f609a",
		"5d73d9311908ce1c99e0386dd45e588a272181543a1390eede3816c8e0aad183",
		"c6c30a3a679e04200a28316243303552e15b0a2d979f2593833ff23a30aa38e7",
		"498eabd2ffc26f7cb74f34bdde0e58cf6ef43fe1b3c079059a85857390468a1b",
		"d92a9fa5d25e170d3ec61fa7b35fbf7d4305701e00c20be7a04aea15b8a82579",
		"48f8109cffc6791a54c840f0800e6915445232ba337badfb37e9b60fdd7730f7",
	},
	{
		"MultihotCountVec(4, 2, 2)", prio3.Config{Algorithm: prio3.MultihotCountVec, Length: 4, MaxWeight: 2, ChunkLength: 2}, []uint64{0, 1, 1, 0}, 304,
		"09749f857735a328826abbe656a012dfbc9ffd95796c2db633e667cb755e0821",
		"93beac8e074463629998e6e0a74fef79764e2998ec995b8a3dfa8f63c90308d8",
		"7fd42f8c14dbbda1ef16d89daea061c4857129d3b984c4ed34090d85eb11e9f0",
		"262e385431c39f192797ffc832a941cd7756e5cf21b7cb28b4587683cd3a97e2",
		"d2f0dc6301e361a0342438000fd6208c591c1786c64eabac5a5a04a62ff78428",
		"65db1c9f9a122394e0577d19263397792f6e1a89dd18419fb05c051775194984",
	},
}

// digest is the SHA-256 of bytes given in hexadecimal.
func digest(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return sha(b)
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestKnownAnswers(t *testing.T) {
	for _, k := range known {
		t.Run(k.name, func(t *testing.T) {
			v, err := prio3.New(k.config)
			if err != nil {
				t.Fatal(err)
			}
			nonce, key := [16]byte(counting(16)), [32]byte(counting(32))
			public, input, err := v.Shard(taskContext, nonce, counting(v.RandSize()), k.m)
			if err != nil {
				t.Fatal(err)
			}
			check := func(what string, got []byte, want string) {
				if want == "" {
					return
				}
				if sha(got) != want {
					t.Errorf("%s: %d bytes with digest %s, want %s", what, len(got), sha(got), want)
				}
			}
			if len(input[0]) != k.size {
				t.Errorf("leader's input share has %d bytes, want %d", len(input[0]), k.size)
			}
			if k.public == "" && len(public) != 0 {
				t.Errorf("public share has %d bytes", len(public))
			}
			check("public share", public, k.public)
			check("leader's input share", input[0], k.leader)
			if want := counting(len(input[1])); string(input[1]) != string(want) {
				t.Errorf("helper's input share: %x", input[1])
			}
			began := v.NewVerifier(prio3.Leader, key, taskContext).LeaderInit([]prio3.Report{{Nonce: nonce, PublicShare: public, InputShare: input[0]}})[0]
			if began.Err != nil {
				t.Fatal(began.Err)
			}
			size := v.VerifierShareSize()
			if want := []byte{0, 0, 0, byte(size >> 8), byte(size)}; string(began.Outbound[:5]) != string(want) {
				t.Errorf("initialize begins with %x, want %x", began.Outbound[:5], want)
			}
			check("leader's verifier share", began.Outbound[5:], k.v0)
			_, share1, err := v.VerifyInit(prio3.Helper, key, taskContext, nonce, public, input[1])
			if err != nil {
				t.Fatal(err)
			}
			check("helper's verifier share", share1, k.v1)
			helper := v.NewVerifier(prio3.Helper, key, taskContext)
			done := helper.HelperInit([]prio3.Report{{Nonce: nonce, PublicShare: public, InputShare: input[1], Inbound: began.Outbound}})[0]
			if done.Err != nil {
				t.Fatal(done.Err)
			}
			finish := "0200000000"
			if k.message != "" {
				finish = "0200000020" + k.message
			}
			if got := hex.EncodeToString(done.Outbound); got != finish {
				t.Errorf("finish is %s, want %s", got, finish)
			}
			out, err := v.NewVerifier(prio3.Leader, key, taskContext).LeaderContinued(began.State, done.Outbound)
			if err != nil {
				t.Fatal(err)
			}
			check("leader's output share", out, k.out0)
			if k.name == "Count" && hex.EncodeToString(done.OutShare) != "11f3d09204883260" {
				t.Errorf("helper's output share: %x", done.OutShare)
			}
		})
	}
}

// TestSizes is the table of sizes: instance, measurement, proof, verifier, joint and query randomness in elements; Leader's, Helper's
// and public share, verifier share, message, aggregate share and random bytes in bytes.
func TestSizes(t *testing.T) {
	sumVec := func(n uint32, max uint64, chunk uint32) prio3.Config {
		return prio3.Config{Algorithm: prio3.SumVec, Length: n, MaxMeasurement: max, ChunkLength: chunk}
	}
	sum := func(max uint64) prio3.Config { return prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: max} }
	histogram := func(n, chunk uint32) prio3.Config {
		return prio3.Config{Algorithm: prio3.Histogram, Length: n, ChunkLength: chunk}
	}
	multihot := func(n uint32, weight uint64, chunk uint32) prio3.Config {
		return prio3.Config{Algorithm: prio3.MultihotCountVec, Length: n, MaxWeight: weight, ChunkLength: chunk}
	}
	tests := []struct {
		config                                                             prio3.Config
		leader, helper, public, verifierShare, message, aggShare, randSize int
	}{
		{prio3.Config{Algorithm: prio3.Count}, 48, 32, 0, 32, 0, 8, 64},
		{sum(1), 40, 32, 0, 24, 0, 8, 64},
		{sum(10), 160, 32, 0, 24, 0, 8, 64},
		{sum(255), 320, 32, 0, 24, 0, 8, 64},
		{sum(4096), 360, 32, 0, 24, 0, 8, 64},
		{sumVec(4, 4096, 18), 1552, 64, 64, 640, 32, 64, 128},
		{sumVec(10, 255, 9), 2096, 64, 64, 352, 32, 160, 128},
		{sumVec(15, 65536, 16), 5632, 64, 64, 576, 32, 240, 128},
		{histogram(4, 2), 272, 64, 64, 128, 32, 64, 128},
		{histogram(6, 2), 304, 64, 64, 128, 32, 96, 128},
		{histogram(100, 10), 2448, 64, 64, 384, 32, 1600, 128},
		{histogram(256, 32), 5648, 64, 64, 1088, 32, 4096, 128},
		{multihot(4, 2, 2), 304, 64, 64, 128, 32, 64, 128},
		{multihot(10, 3, 3), 560, 64, 64, 160, 32, 160, 128},
		{multihot(100, 7, 11), 2528, 64, 64, 416, 32, 1600, 128},
	}
	for _, tt := range tests {
		v, err := prio3.New(tt.config)
		if err != nil {
			t.Fatal(err)
		}
		got := []int{
			v.InputShareSize(0), v.InputShareSize(1), v.PublicShareSize(), v.VerifierShareSize(), v.MessageSize(),
			v.OutputShareSize(), v.RandSize(), len(v.ZeroShare()),
		}
		want := []int{tt.leader, tt.helper, tt.public, tt.verifierShare, tt.message, tt.aggShare, tt.randSize, tt.aggShare}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%+v: sizes %d, want %d", tt.config, got, want)
				break
			}
		}
		if v.Config() != tt.config {
			t.Errorf("config %+v became %+v", tt.config, v.Config())
		}
	}
}
