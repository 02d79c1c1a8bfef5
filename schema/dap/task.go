package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// A BatchMode says how reports are put into batches.
//
//	enum {
//	  reserved(0),
//	  time_interval(1),
//	  leader_selected(2),
//	  (255)
//	} BatchMode;
type BatchMode uint8

const (
	TimeInterval   BatchMode = 1
	LeaderSelected BatchMode = 2
)

func (m BatchMode) String() string {
	switch m {
	case TimeInterval:
		return "time-interval"
	case LeaderSelected:
		return "leader-selected"
	}
	return fmt.Sprintf("unknown batch mode %d", uint8(m))
}

func (m BatchMode) known() bool { return m == TimeInterval || m == LeaderSelected }

func (m BatchMode) marshal(b *cryptobyte.Builder) {
	if !m.known() {
		b.SetError(fmt.Errorf("%v", m))
		return
	}
	b.AddUint8(uint8(m))
}

func (m *BatchMode) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint8((*uint8)(m)) && m.known()
}

// A TaskConfiguration is what all parties of a task agree on beforehand. It is
// never sent, but bound into what is sealed; so its encoding is made once,
// stored, and never made again from a parsed one. URLs are bytes to it.
//
// Which values make a task that can be run, is for package round to say.
//
//	uint32 VdafType;
//
//	struct {
//	    opaque task_info<1..2^8-1>;
//	    Url leader_aggregator_endpoint;
//	    Url helper_aggregator_endpoint;
//	    TimePrecision time_precision;
//	    uint64 min_batch_size;
//	    BatchMode batch_mode;
//	    opaque batch_config<0..2^16-1>;
//	    VdafType vdaf_type;
//	    opaque vdaf_configuration<0..2^16-1>;
//	    TaskExtension extensions<0..2^16-1>;
//	} TaskConfiguration;
type TaskConfiguration struct {
	TaskInfo       []byte
	LeaderEndpoint string // URL in ASCII
	HelperEndpoint string // URL in ASCII
	TimePrecision  uint64 // seconds
	MinBatchSize   uint64 // reports
	BatchMode      BatchMode
	BatchConfig    []byte // empty for both batch modes
	VDAF           VDAFConfig
	Extensions     []Extension
}

func (c TaskConfiguration) marshal(b *cryptobyte.Builder) {
	addOpaque8(b, c.TaskInfo, 1)
	addURL(b, c.LeaderEndpoint)
	addURL(b, c.HelperEndpoint)
	b.AddUint64(c.TimePrecision)
	b.AddUint64(c.MinBatchSize)
	c.BatchMode.marshal(b)
	addOpaque16(b, c.BatchConfig, 0)
	c.VDAF.marshal(b)
	addVector16(b, c.Extensions)
}

func (c *TaskConfiguration) unmarshal(s *cryptobyte.String) bool {
	return readOpaque8(s, &c.TaskInfo, 1) &&
		readURL(s, &c.LeaderEndpoint) &&
		readURL(s, &c.HelperEndpoint) &&
		s.ReadUint64(&c.TimePrecision) &&
		s.ReadUint64(&c.MinBatchSize) &&
		c.BatchMode.unmarshal(s) &&
		readOpaque16(s, &c.BatchConfig, 0) &&
		c.VDAF.unmarshal(s) &&
		readVector16(s, &c.Extensions)
}

// addURL and readURL carry a URL as it is. The draft says ASCII, so that
// anything else is malformed.
//
//	opaque Url<1..2^16-1>;
func addURL(b *cryptobyte.Builder, url string) {
	if !isASCII(url) {
		b.SetError(fmt.Errorf("URL %q is not ASCII", url))
		return
	}
	addOpaque16(b, []byte(url), 1)
}

func readURL(s *cryptobyte.String, out *string) bool {
	var raw []byte
	if !readOpaque16(s, &raw, 1) {
		return false
	}
	*out = string(raw)
	return isASCII(*out)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] > 0x7f {
			return false
		}
	}
	return true
}
