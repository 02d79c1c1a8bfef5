package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"candor/cmd/candor/internal/config"
)

// parse reads a configuration of any kind without the files that it names.
func parse(kind, text string) error {
	switch kind {
	case "leader", "helper":
		_, err := config.ParseAggregator(kind+".yaml", []byte(text))
		return err
	default:
		path := filepath.Join(os.TempDir(), "not-read.yaml")
		return config.ParseText(kind, path, []byte(text))
	}
}

const fingerprint = "6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ"

// filled puts something where the examples want an operator's own.
func filled(kind string) string {
	return strings.ReplaceAll(config.Example(kind), "00000-00000-00000-00000-00000", fingerprint)
}

func TestExamplesLoad(t *testing.T) {
	for _, kind := range config.Examples() {
		text := filled(kind)
		if text == "" {
			t.Errorf("there is no example of %q", kind)
		}
		if err := parse(kind, text); err != nil {
			t.Errorf("the example of a %s does not load: %v", kind, err)
		}
		if !strings.HasSuffix(text, "\n") {
			t.Errorf("the example of a %s does not end with its last line", kind)
		}
		if strings.Contains(text, "ROLE") || strings.Contains(text, "\n[") {
			t.Errorf("the example of a %s holds marks that are not for its reader:\n%s", kind, text)
		}
		// What stands in comments loads too, once the comment signs are gone.
		var all []string
		for line := range strings.Lines(text) {
			if rest, ok := strings.CutPrefix(line, "# "); ok && (strings.Contains(rest, ": ") || strings.HasSuffix(rest, ":\n")) && rest[0] != ' ' && strings.ToLower(rest) == rest {
				line = rest
			} else if rest, ok := strings.CutPrefix(line, "#   "); ok && strings.Contains(rest, ": ") && strings.ToLower(rest) == rest {
				line = "  " + rest
			}
			all = append(all, line)
		}
		if kind == "leader" {
			text = strings.Join(all, "")
			if !strings.Contains(text, "\nhelper_tls:\n  ca: ") {
				t.Fatalf("the test does not uncomment:\n%s", text)
			}
			if err := parse(kind, text); err != nil {
				t.Errorf("the example of a %s does not load with everything in it: %v", kind, err)
			}
		}
	}
}

// The marks of roles sort what each sees.
func TestExamplesOfRoles(t *testing.T) {
	for _, test := range []struct {
		text           string
		leader, helper bool
	}{
		{"collector_token:", true, false}, {"helper_tls:", true, false}, {"job_size:", true, false}, {"deferred:", false, true},
		{"pair_secret:", true, true}, {"retention:", true, true},
	} {
		if got := strings.Contains(config.Example("leader"), test.text); got != test.leader {
			t.Errorf("the Leader's example has %s: %t", test.text, got)
		}
		if got := strings.Contains(config.Example("helper"), test.text); got != test.helper {
			t.Errorf("the Helper's example has %s: %t", test.text, got)
		}
	}
}

// An example as it is printed is refused where an operator has to put something of their own.
func TestExamplesAreRefusedUnfilled(t *testing.T) {
	if err := parse("leader", config.Example("leader")); err == nil || strings.Count(err.Error(), "pins no fingerprint") != 3 {
		t.Errorf("the Leader's example: %v", err)
	}
	path := filepath.Join(t.TempDir(), "task.yaml")
	if err := os.WriteFile(path, []byte(config.Example("task")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Check(t.Context(), "task", path)
	if err == nil || strings.Count(err.Error(), "is the example's") != 2 || !strings.Contains(err.Error(), "reading the verify key") {
		t.Errorf("the example of a task: %v", err)
	}
}

// Five mistakes are five messages, each with the place in the file.
func TestMistakesAreAllQuoted(t *testing.T) {
	text := "listen: \"8443\"\n" +
		"store: leader.db\n" +
		"identity: identity.key\n" +
		"hpke: []\n" +
		"pair_secret: pair.secret\n" +
		"release_key: release.key\n" +
		"peer_token: peer.token\n" +
		"rounds: rounds\n" +
		"job_size: 20000\n" +
		"limits:\n" +
		"  burst: 5\n" +
		"  upload_bytes: 10\n" +
		"trust:\n" +
		"  secretariat: " + fingerprint + "\n  leader: " + fingerprint + "\n  helper: " + fingerprint + "\n" +
		"store_key: none\n"
	_, err := config.ParseAggregator("leader.yaml", []byte(text))
	if err == nil {
		t.Fatal("no error")
	}
	const want = `leader.yaml: listen: "8443" is not host:port
>  1 | listen: "8443"
               ^
   2 | store: leader.db
   3 | identity: identity.key
   4 | hpke: []
leader.yaml: hpke: names no key: members could not encrypt to this server
   1 | listen: "8443"
   2 | store: leader.db
   3 | identity: identity.key
>  4 | hpke: []
             ^
   5 | pair_secret: pair.secret
   6 | release_key: release.key
   7 | peer_token: peer.token
   8 | 
leader.yaml: job_size: is 20000, must be from 1 to 10000
   6 | release_key: release.key
   7 | peer_token: peer.token
   8 | rounds: rounds
>  9 | job_size: 20000
                 ^
  10 | limits:
  11 |   burst: 5
  12 |   upload_bytes: 10
  13 | 
leader.yaml: limits.upload_bytes: is 10, must be from 65536 to 1073741824 bytes
   9 | job_size: 20000
  10 | limits:
  11 |   burst: 5
> 12 |   upload_bytes: 10
                       ^
  13 | trust:
  14 |   secretariat: 6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ
  15 |   leader: 6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ
  16 |   
leader.yaml: limits.burst: says nothing without a rate
   8 | rounds: rounds
   9 | job_size: 20000
  10 | limits:
> 11 |   burst: 5
                ^
  12 |   upload_bytes: 10
  13 | trust:
  14 |   secretariat: 6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ
  15 |   `
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("errors (-want +got):\n%s\nin full:\n%v", diff, err)
	}
}

// Mistakes of form stop the reading, and are quoted likewise.
func TestMistakesOfForm(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown key", "lisen: x\n", "unknown field \"lisen\"\n>  1 | lisen: x\n       ^"},
		{"twice", "listen: a:1\nlisten: b:1\n", "mapping key \"listen\" already defined at [1:1]"},
		{"no duration", "clock_skew: soon\n", `"soon" is not a duration such as 5m or 30d`},
		{"many days", "retention: 99999999d\n", `"99999999d" is not a duration`},
		{"negative", "clock_skew: -3m\n", "is negative\n>  1 | clock_skew: -3m\n                   ^"},
		{"half a certificate", "helper_tls:\n  certificate: a.pem\n", "needs both certificate and key, or neither"},
	} {
		_, err := config.ParseAggregator("leader.yaml", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %s", test.name, err, test.want)
		}
	}
}

func TestDurations(t *testing.T) {
	c, err := config.ParseAggregator("x/leader.yaml", []byte(strings.Replace(filled("leader"), "retention: 30d", "retention: 2d", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got := time.Duration(c.Retention); got != 48*time.Hour {
		t.Errorf("2d is %v", got)
	}
	if c.Store != filepath.Join("x", "leader.db") || c.HPKE[0].File != filepath.Join("x", "hpke.key") {
		t.Errorf("paths do not start at the file: %s, %s", c.Store, c.HPKE[0].File)
	}
}

func FuzzParseAggregator(f *testing.F) {
	for _, role := range []string{"leader", "helper"} {
		f.Add([]byte(filled(role)))
	}
	f.Add([]byte("limits:\n  rate: .nan\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.ParseAggregator("x.yaml", text)
		if err == nil && (c.Listen == "" || c.Store == "" || len(c.HPKE) == 0) {
			t.Errorf("a configuration without what is required passes: %q", text)
		}
	})
}
