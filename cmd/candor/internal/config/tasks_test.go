package config_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"candor/aggregator"
	"candor/cmd/candor/internal/config"
	"candor/crypto/prio3"
	"candor/schema/dap"
	"candor/schema/round"
)

const taskID = "Y2FuZG9yLXRlc3QtdGFzay0wMDAwMDAwMDAwMDAwMDE"

// newTask writes what a task names into a new directory and returns the text of a task file, the path it has, and the Collector's configuration.
func newTask(t *testing.T) (text, path string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"verify.key", "own.token"} {
		if err := config.WriteSecret(filepath.Join(dir, name), config.GenerateToken()); err != nil {
			t.Fatal(err)
		}
	}
	_, hpke, err := config.GenerateHPKE("x25519", 7)
	if err != nil {
		t.Fatal(err)
	}
	collector, err := round.EncodeHPKE(hpke)
	if err != nil {
		t.Fatal(err)
	}
	text = strings.NewReplacer("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", taskID+"\n", "AQAgAAEAAQAgCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", collector,
		"# collector_token: collector.token", "collector_token: own.token").Replace(config.Example("task"))
	return text, filepath.Join(dir, "task.yaml")
}

func TestPlainTask(t *testing.T) {
	text, path := newTask(t)
	task, err := (&config.Runner{Peer: aggregator.NewToken("the-server's-peer-token"), Collector: aggregator.NewToken("the-server's-collector-token")}).PlainTask(t.Context(), path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cfg := task.Config
	if task.ID.String() != taskID || string(cfg.TaskInfo) != "example" || cfg.TimePrecision != 3600 || cfg.MinBatchSize != 100 || cfg.BatchMode != dap.TimeInterval ||
		cfg.VDAF != (dap.VDAFConfig{Type: uint32(prio3.Histogram), Length: 10, ChunkLength: 4}) || cfg.LeaderEndpoint != "https://leader.example/" || task.IsRound() {
		t.Errorf("the task is %+v", cfg)
	}
	if task.PeerToken.Reveal() != "the-server's-peer-token" || task.CollectorToken.Reveal() == "the-server's-collector-token" {
		t.Error("tokens are not the server's where none is named, and the task's own where one is")
	}

	// The same task, as its encoding: the bytes are kept.
	encoded := base64.RawURLEncoding.EncodeToString(task.Encoded)
	before, rest, _ := strings.Cut(text, "configuration:\n")
	_, after, _ := strings.Cut(rest, "\nverify_keys:")
	again, err := (&config.Runner{Peer: aggregator.NewToken("the-server's-peer-token")}).PlainTask(t.Context(), path, []byte(before+"encoded: "+encoded+"\nverify_keys:"+after))
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest() != task.Digest() {
		t.Error("the encoded form is another task")
	}
}

func TestPlainTaskInterval(t *testing.T) {
	text, path := newTask(t)
	text = strings.Replace(text, "  vdaf:\n", "  interval: {start: 100, duration: 24}\n  vdaf:\n", 1)
	task, err := (&config.Runner{}).PlainTask(t.Context(), path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if task.Interval == nil || *task.Interval != (dap.Interval{Start: 100, Duration: 24}) {
		t.Errorf("interval %v", task.Interval)
	}
}

func TestPlainTaskRefuses(t *testing.T) {
	text, path := newTask(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "short.key"), []byte("abcd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"both forms", "verify_keys:\n", "encoded: AAAA\nverify_keys:\n", "needs configuration or encoded, one of them"},
		{"no precision", "time_precision: 1h", "time_precision: 0s", "the time precision is zero"},
		{"no batch size", "min_batch_size: 100", "min_batch_size: 0", "the minimum batch size is zero"},
		{"key twice", "  - id: 0\n", "  - id: 0\n    file: verify.key\n  - id: 0\n", "verify key 0 is there twice"},
		{"short key", "file: verify.key", "file: short.key", "does not hold one line of 32 bytes"},
		{"key not there to use", "collector_token:", "use_key: 3\ncollector_token:", "verify key 3 is chosen for new jobs and is not among its keys"},
		{"no such token", "own.token", "no.token", "no.token"},
		{"unknown key", "id: " + taskID, "id: " + taskID + "\nname: x", `unknown field "name"`},
		{"VDAF without parameters", "    length: 10\n", "", "Prio3Histogram"},
	} {
		changed := strings.Replace(text, test.old, test.new, 1)
		if changed == text {
			t.Fatalf("%s changes nothing", test.name)
		}
		if _, err := (&config.Runner{}).PlainTask(t.Context(), path, []byte(changed)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}

// The task of a round comes from its document alone.
func TestPlainTaskRefusesRounds(t *testing.T) {
	text, path := newTask(t)
	task, err := (&config.Runner{}).PlainTask(t.Context(), path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	interval, err := dap.Marshal(dap.Interval{Start: 1, Duration: 1})
	if err != nil {
		t.Fatal(err)
	}
	cfg := task.Config
	cfg.Extensions = []dap.Extension{{Type: dap.TaskExtensionTaskInterval, Data: interval}, {Type: dap.TaskExtensionRoundHash, Data: make([]byte, 32)}}
	encoded, err := dap.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(text, "configuration:\n")
	_, after, _ := strings.Cut(rest, "\nverify_keys:")
	text = before + "encoded: " + base64.RawURLEncoding.EncodeToString(encoded) + "\nverify_keys:" + after
	if _, err := (&config.Runner{}).PlainTask(t.Context(), path, []byte(text)); err == nil || !strings.Contains(err.Error(), "this is the task of a round") {
		t.Errorf("error %v", err)
	}
}

func FuzzPlainTask(f *testing.F) {
	f.Add([]byte(config.Example("task")))
	f.Add([]byte("id: " + taskID + "\nencoded: AAAA\nverify_keys: [{id: 1, file: x}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		task, err := (&config.Runner{}).PlainTask(t.Context(), filepath.Join("no", "such", "directory", "x.yaml"), text)
		if err == nil {
			t.Errorf("a task without a verify key passes: %v", task.ID)
		}
	})
}
