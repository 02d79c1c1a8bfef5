package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// object is a JSON object.
type object = map[string]any

// An interopParty is a party of an interoperability test, in a process of its own.
type interopParty struct{ url string }

// startInterop starts `candor interop ARGS…` and waits until it is ready.
func startInterop(t *testing.T, args ...string) interopParty {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	logs := t.TempDir()
	cmd := exec.Command(exe, append([]string{"interop", args[0], "--listen", "127.0.0.1:0", "--logs", logs}, args[1:]...)...)
	cmd.Env = append(os.Environ(), asCandor+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", args[0], err)
		}
		if log, _ := os.ReadFile(logs + "/" + args[0] + ".log"); t.Failed() {
			t.Logf("log of %v:\n%s", args, log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address, says := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !says {
		t.Fatalf("%v prints %q, %v", args, line, err)
	}
	p := interopParty{"http://" + address + "/"}
	if got := p.post(t, "ready", nil); len(got) != 0 {
		t.Errorf("%v: ready answers %v", args, got)
	}
	return p
}

// post makes a call and checks what runners check of every answer.
func (p interopParty) post(t *testing.T, name string, request any) object {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if request == nil {
		body = nil
	}
	return p.send(t, name, body)
}

func (p interopParty) send(t *testing.T, name string, body []byte) object {
	t.Helper()
	resp, err := http.Post(p.url+"internal/test/"+name, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s answers %s, %q: %s", name, resp.Status, resp.Header.Get("Content-Type"), text)
	}
	var answer object
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s answers %s: %v", name, text, err)
	}
	return answer
}

// call is post for a call that must succeed.
func (p interopParty) call(t *testing.T, name string, request object) object {
	t.Helper()
	answer := p.post(t, name, request)
	if answer["status"] != "success" {
		t.Fatalf("%s answers %v", name, answer)
	}
	return answer
}

// interopCases are the VDAFs, each with measurements and their aggregate as the API writes them.
var interopCases = []struct {
	vdaf         object
	measurements []any
	result       any
}{
	{object{"type": "Prio3Count"}, []any{"0", "1", "1", "0", "1"}, "3"},
	{object{"type": "Prio3Sum", "max_measurement": "255"}, []any{"0", "10", "255", "7", "1"}, "273"},
	{object{"type": "Prio3SumVec", "max_measurement": "4096", "length": "4", "chunk_length": "18"},
		[]any{[]string{"0", "1", "2", "3"}, []string{"4096", "4095", "0", "0"}, []string{"1", "1", "1", "1"}}, []any{"4097", "4097", "3", "4"}},
	{object{"type": "Prio3Histogram", "length": "6", "chunk_length": "2"}, []any{"0", "5", "5", "2"}, []any{"1", "0", "1", "0", "0", "2"}},
	{object{"type": "Prio3MultihotCountVec", "length": "4", "chunk_length": "2", "max_weight": "2"},
		[]any{[]string{"1", "0", "1", "0"}, []string{"0", "0", "0", "0"}, []string{"1", "1", "0", "0"}}, []any{"2", "1", "1", "0"}},
}

const interopPrecision = 3600

// A runner drives Client, two Aggregators and a Collector through the test API as that of another implementation would: every VDAF, both batch modes, in draft-18's
// form and in that of Janus.
func TestInteroperation(t *testing.T) {
	forms := map[string]struct{ aggregator, collector []string }{
		"draft-18": {},
		"janus-2026-08": {
			aggregator: []string{"--profile", "aggregator=janus-2026-08", "--profile", "collector=janus-2026-08", "--profile", "client=janus-2026-08"},
			collector:  []string{"--profile", "aggregator=janus-2026-08"},
		},
	}
	for form, args := range forms {
		t.Run(form, func(t *testing.T) {
			client := startInterop(t, "client")
			collector := startInterop(t, append([]string{"collector"}, args.collector...)...)
			// Each of the two is Leader of half of the tasks.
			aggregators := [2]interopParty{}
			for i := range aggregators {
				aggregators[i] = startInterop(t, append([]string{"aggregator"}, args.aggregator...)...)
			}
			var wg sync.WaitGroup
			defer wg.Wait()
			for i, c := range interopCases {
				for mode := 1; mode <= 2; mode++ {
					wg.Go(func() {
						run := interopRun{client, aggregators[i%2], aggregators[1-i%2], collector, mode, c.vdaf, c.measurements}
						if result := run.run(t); !reflect.DeepEqual(result, c.result) {
							t.Errorf("%v, batch mode %d: result %v, want %v", c.vdaf, mode, result, c.result)
						}
					})
				}
			}
		})
	}
}

// An interopRun is one task of a runner.
type interopRun struct {
	client, leader, helper, collector interopParty

	mode         int
	vdaf         object
	measurements []any
}

// task makes the members that all parties get.
func (r *interopRun) task() object {
	return object{"task_id": randomText(32), "leader": r.leader.url, "helper": r.helper.url, "vdaf": r.vdaf, "batch_mode": r.mode,
		"min_batch_size": len(r.measurements), "time_precision": interopPrecision, "a_member_that_nobody_knows": nil}
}

func with(o object, members object) object {
	all := object{}
	for _, from := range []object{o, members} {
		maps.Copy(all, from)
	}
	return all
}

func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// run is what a runner does, in its order, and returns the result.
func (r *interopRun) run(t *testing.T) any {
	task := r.task()
	for role, p := range map[string]interopParty{"leader": r.leader, "helper": r.helper} {
		if got := p.call(t, "endpoint_for_task", object{"task_id": task["task_id"], "role": role, "hostname": "x"}); got["endpoint"] != "/" {
			t.Errorf("endpoint_for_task answers %v", got)
		}
	}
	leaderToken, collectorToken := randomText(16), randomText(16)
	config := r.collector.call(t, "add_task", with(task, object{"collector_authentication_token": collectorToken}))["collector_hpke_config"]
	both := with(task, object{"leader_authentication_token": leaderToken, "vdaf_verify_key": randomText(32), "collector_hpke_config": config})
	r.leader.call(t, "add_task", with(both, object{"role": "leader", "collector_authentication_token": collectorToken}))
	r.helper.call(t, "add_task", with(both, object{"role": "helper"}))

	start := uint64(time.Now().Unix()) / interopPrecision * interopPrecision
	for _, m := range r.measurements {
		r.client.call(t, "upload", with(task, object{"measurement": m}))
	}
	query := object{"type": r.mode, "subtype": 1}
	if r.mode == 1 {
		query = object{"type": r.mode, "batch_interval_start": start, "batch_interval_duration": 2 * interopPrecision}
	}
	handle := r.collector.call(t, "collection_start", object{"task_id": task["task_id"], "agg_param": "", "query": query})["handle"]
	for deadline := time.Now().Add(3 * patience); ; time.Sleep(100 * time.Millisecond) {
		got := r.collector.post(t, "collection_poll", object{"handle": handle})
		switch got["status"] {
		case "in progress":
			if time.Now().Before(deadline) {
				continue
			}
		case "complete":
			if id, there := got["batch_id"]; !there || id != nil || got["report_count"] != float64(len(r.measurements)) ||
				got["interval_start"].(float64) < float64(start) || got["interval_duration"].(float64) < interopPrecision {
				t.Errorf("collection_poll answers %v", got)
			}
			return got["result"]
		}
		t.Errorf("%v, batch mode %d: collection_poll answers %v", r.vdaf, r.mode, got)
		return nil
	}
}

// What a runner gets wrong is answered with status 200 and the reason, and what it does next works.
func TestInteroperationRefusals(t *testing.T) {
	client, aggregator, collector := startInterop(t, "client"), startInterop(t, "aggregator"), startInterop(t, "collector")
	run := interopRun{leader: aggregator, helper: aggregator, mode: 1, vdaf: object{"type": "Prio3Count"}, measurements: []any{"1"}}
	task := run.task()
	config := collector.call(t, "add_task", with(task, object{"collector_authentication_token": "token-of-the-collector"}))["collector_hpke_config"]
	good := with(task, object{"leader_authentication_token": "token-of-the-leader", "vdaf_verify_key": randomText(32), "collector_hpke_config": config,
		"role": "leader", "collector_authentication_token": "token-of-the-collector"})
	start := object{"task_id": task["task_id"], "agg_param": "", "query": object{"type": 1, "batch_interval_start": 0, "batch_interval_duration": interopPrecision}}
	for name, c := range map[string]struct {
		party   interopParty
		call    string
		request any
		reason  string
	}{
		"not an object":          {client, "upload", []int{1}, "reading the request"},
		"no task ID":             {client, "upload", object{}, "task ID"},
		"another VDAF":           {client, "upload", with(task, object{"vdaf": object{"type": "Poplar1"}, "measurement": "1"}), `no type "Poplar1"`},
		"a number as number":     {client, "upload", with(task, object{"vdaf": object{"type": "Prio3Sum", "max_measurement": 3}, "measurement": "1"}), "decimal text"},
		"no measurement":         {client, "upload", task, "measurement is missing"},
		"a list for Count":       {client, "upload", with(task, object{"measurement": []string{"1"}}), "measurement"},
		"out of range":           {client, "upload", with(task, object{"measurement": "2"}), "measurement"},
		"no such leader":         {client, "upload", with(task, object{"measurement": "1", "leader": "http://127.0.0.1:1/"}), "connect"},
		"an unknown task":        {client, "upload", with(task, object{"measurement": "1", "task_id": randomText(32)}), "unrecognizedTask"},
		"no tokens":              {aggregator, "add_task", with(good, object{"leader_authentication_token": "", "collector_authentication_token": "a b"}), "leader_authentication_token is missing\ncollector_authentication_token has"},
		"a short verify key":     {aggregator, "add_task", with(good, object{"vdaf_verify_key": "AAAA"}), "vdaf_verify_key"},
		"not the collector's":    {aggregator, "add_task", with(good, object{"collector_hpke_config": "AAAA"}), "collector_hpke_config"},
		"another role":           {aggregator, "add_task", with(good, object{"role": "client"}), "role"},
		"half an interval":       {aggregator, "add_task", with(good, object{"task_start": 0}), "come together"},
		"batch mode 3":           {aggregator, "add_task", with(good, object{"batch_mode": 3}), "batch mode 3"},
		"no minimum":             {aggregator, "add_task", with(good, object{"min_batch_size": 0}), "minimum batch size"},
		"the collector's token":  {collector, "add_task", with(task, object{"task_id": randomText(32)}), "collector_authentication_token is missing"},
		"added twice":            {collector, "add_task", with(task, object{"collector_authentication_token": "x"}), "added before"},
		"a task never added":     {collector, "collection_start", with(start, object{"task_id": randomText(32)}), "was not added"},
		"a parameter":            {collector, "collection_start", with(start, object{"agg_param": "AA"}), "agg_param"},
		"query of a third type":  {collector, "collection_start", with(start, object{"query": object{"type": 3}}), "not a batch mode"},
		"query of another mode":  {collector, "collection_start", with(start, object{"query": object{"type": 2}}), "leader"},
		"half a unit":            {collector, "collection_start", with(start, object{"query": object{"type": 1, "batch_interval_start": 1, "batch_interval_duration": 3600}}), "whole units"},
		"collecting too early":   {collector, "collection_start", start, "status 401"},
		"an unknown handle":      {collector, "collection_poll", object{"handle": "x"}, "no handle"},
		"a measurement too long": {client, "upload", with(task, object{"measurement": strings.Repeat("1", 17<<20)}), "too large"},
	} {
		got := c.party.post(t, c.call, c.request)
		if reason, _ := got["error"].(string); got["status"] != "error" || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: %s answers %v, want an error with %q", name, c.call, got, c.reason)
		}
	}
	if got := client.send(t, "upload", []byte("{")); got["status"] != "error" {
		t.Errorf("half an object is answered %v", got)
	}
	aggregator.call(t, "add_task", good)
	if got := aggregator.post(t, "add_task", with(good, object{"role": "helper"})); got["status"] != "error" {
		t.Errorf("the other role of the same task is answered %v", got)
	}
	for path, want := range map[string]int{"internal/test/nothing": http.StatusNotFound, "internal/test/ready": http.StatusMethodNotAllowed, "hpke_config": http.StatusOK} {
		resp, err := http.Get(aggregator.url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: %s, want %d", path, resp.Status, want)
		}
	}
}
