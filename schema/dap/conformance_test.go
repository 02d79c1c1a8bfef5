package dap_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"candor/schema/dap"
)

// TestConformance_028_Encoding proves the items of the conformance list that
// concern bytes alone; the other tests of this package go deeper.
func TestConformance_028_Encoding(t *testing.T) {
	t.Run("item-027 each message has its media type", func(t *testing.T) {
		if got, err := dap.MediaTypeMessage(dap.MediaTypeAggregationJobInitReq); err != nil || got != "aggregation-job-init-req" {
			t.Errorf("message %q, error %v", got, err)
		}
	})
	t.Run("item-028 the version parameter has no effect", func(t *testing.T) {
		if got, err := dap.MediaTypeMessage("application/ppm-dap;message=upload-req;version=99"); err != nil || got != dap.MessageUploadReq {
			t.Errorf("message %q, error %v", got, err)
		}
	})
	t.Run("item-029 lists without length end with the content", func(t *testing.T) {
		b := mustMarshal(t, dap.UploadRequest{fullReport, fullReport})
		if got, err := dap.Parse[dap.UploadRequest](b); err != nil || len(got) != 2 {
			t.Errorf("%d reports, error %v", len(got), err)
		}
		if _, err := dap.Parse[dap.UploadRequest](b[:len(b)-1]); err == nil {
			t.Error("a cut list parses")
		}
	})
	t.Run("item-030 trailing and missing bytes are malformed", func(t *testing.T) {
		b := mustMarshal(t, timeIntervalReq)
		for _, bad := range [][]byte{b[:len(b)-1], append(bytes.Clone(b), 0), nil} {
			if _, err := dap.Parse[dap.CollectionJobReq](bad); err == nil {
				t.Errorf("%x parses", bad)
			}
		}
	})
	t.Run("item-032 URLs are carried byte for byte", func(t *testing.T) {
		for _, url := range []string{
			"https://example.org", "https://example.org/", "HTTPS://Example.ORG:443/a/../b//c?x=%7e#f", "https://example.org/%7Euser/", " not a URL ",
		} {
			task := countTask
			task.LeaderEndpoint = url
			b := mustMarshal(t, task)
			if !bytes.Contains(b, []byte(url)) {
				t.Errorf("%q is not in %x", url, b)
			}
			if got, err := dap.Parse[dap.TaskConfiguration](b); err != nil || got.LeaderEndpoint != url {
				t.Errorf("%q comes back as %q, error %v", url, got.LeaderEndpoint, err)
			}
			if aad := dap.InputShareAAD(taskID, b, nil, nil); !bytes.Contains(aad, []byte(url)) {
				t.Errorf("%q is not in the associated data", url)
			}
		}
	})
	t.Run("item-033 roles have their numbers in HPKE info", func(t *testing.T) {
		for _, test := range []struct {
			info             []byte
			sender, receiver byte
		}{
			{dap.InputShareInfo(dap.Leader), 1, 2},
			{dap.InputShareInfo(dap.Helper), 1, 3},
			{dap.AggregateShareInfo(dap.Leader), 2, 0},
			{dap.AggregateShareInfo(dap.Helper), 3, 0},
		} {
			if end := test.info[len(test.info)-2:]; end[0] != test.sender || end[1] != test.receiver {
				t.Errorf("info ends in %x, want %02x%02x", end, test.sender, test.receiver)
			}
		}
	})
	t.Run("item-034 times and durations are counts of units", func(t *testing.T) {
		if got := mustMarshal(t, dap.Interval{Start: 480000, Duration: 24}); hex.EncodeToString(got) != "00000000000753000000000000000018" {
			t.Errorf("interval %x", got)
		}
	})
	t.Run("item-035 intervals are half-open", func(t *testing.T) {
		i := dap.Interval{Start: 480000, Duration: 24}
		if i.Contains(479999) || !i.Contains(480000) || !i.Contains(480023) || i.Contains(480024) {
			t.Error("an interval contains its start, and ends before start+duration")
		}
	})
	t.Run("item-038 the task configuration has one encoding", func(t *testing.T) {
		if got := mustMarshal(t, countTask); hex.EncodeToString(got) != countTaskHex {
			t.Errorf("task configuration %x", got)
		}
		if got := mustMarshal(t, sumVecTask); hex.EncodeToString(got) != sumVecTaskHex {
			t.Errorf("task configuration %x", got)
		}
	})
	t.Run("item-043 task_interval is extension 1 with 16 bytes", func(t *testing.T) {
		if e := dap.NewTaskIntervalExtension(dap.Interval{Start: 1, Duration: 2}); e.Type != 1 || len(e.Data) != 16 {
			t.Errorf("extension %d of %d bytes", e.Type, len(e.Data))
		}
	})
	t.Run("item-045 VDAF configurations encode by their tables", func(t *testing.T) {
		for _, test := range []struct {
			vdaf dap.VDAFConfig
			want string
		}{
			{dap.VDAFConfig{Type: dap.VDAFCount}, "00000001" + "0000"},
			{dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 255}, "00000002" + "0008" + "00000000000000ff"},
			{dap.VDAFConfig{Type: dap.VDAFSumVec, Length: 4, MaxMeasurement: 4096, ChunkLength: 18},
				"00000003" + "0010" + "00000004" + "0000000000001000" + "00000012"},
			{dap.VDAFConfig{Type: dap.VDAFHistogram, Length: 4, ChunkLength: 2}, "00000004" + "0008" + "00000004" + "00000002"},
			{dap.VDAFConfig{Type: dap.VDAFMultihotCountVec, Length: 4, ChunkLength: 2, MaxWeight: 3},
				"00000005" + "0010" + "00000004" + "00000002" + "0000000000000003"},
		} {
			b := mustMarshal(t, test.vdaf)
			if hex.EncodeToString(b) != test.want {
				t.Errorf("%+v encodes to %x, want %s", test.vdaf, b, test.want)
			}
			if got, err := dap.Parse[dap.VDAFConfig](b); err != nil || got != test.vdaf {
				t.Errorf("%s parses to %+v, error %v", test.want, got, err)
			}
		}
	})
	t.Run("item-051 IDs in a list of HPKE configurations are distinct", func(t *testing.T) {
		if _, err := dap.Marshal(dap.HpkeConfigList{hpkeConfig, hpkeConfig}); err == nil {
			t.Error("an ID twice is encoded")
		}
	})
	t.Run("item-052 a list of HPKE configurations is not empty", func(t *testing.T) {
		if _, err := dap.Parse[dap.HpkeConfigList]([]byte{0, 0}); err == nil {
			t.Error("an empty list parses")
		}
	})
}
