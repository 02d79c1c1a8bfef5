package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const deploy = "../../../../deploy"

// accepted returns an error unless the command line parses: the command exists, and its flags and arguments are what it takes. Nothing is run.
func accepted(args []string) error {
	cmd, rest, err := newRootCmd().Find(args)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	for _, name := range []string{"help", "version"} {
		if asked, err := cmd.Flags().GetBool(name); err == nil && asked {
			return nil
		}
	}
	if cmd.HasSubCommands() {
		return errors.New(cmd.CommandPath() + " is not a command by itself")
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return cmd.ValidateRequiredFlags()
}

func TestAcceptedCanRefuse(t *testing.T) {
	for _, line := range []string{"leader", "leader --confg x", "router --config x", "status x", "keys generate identity", "keys", "config check leader"} {
		if accepted(strings.Fields(line)) == nil {
			t.Errorf("candor %s is accepted", line)
		}
	}
}

// checkCommand checks a command line in a file of the deployment.
func checkCommand(t *testing.T, where string, args []string) {
	t.Helper()
	if err := accepted(args); err != nil {
		t.Errorf("%s: candor %s: %v", where, strings.Join(args, " "), err)
	}
}

// words splits a command line as a shell does, single quotes included.
func words(line string) (out []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}

// directives are those that the units may use, by section, as systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5),
// systemd.resource-control(5) and systemd.timer(5) name them.
var directives = map[string]string{
	"Unit": "Description Documentation Wants After StartLimitIntervalSec StartLimitBurst",
	"Service": "Type ExecStartPre ExecStart Restart RestartSec SuccessExitStatus KillSignal TimeoutStopSec User Group UMask StateDirectory StateDirectoryMode " +
		"ConfigurationDirectory ConfigurationDirectoryMode WorkingDirectory LimitNOFILE LimitCORE MemoryMax TasksMax AmbientCapabilities CapabilityBoundingSet " +
		"NoNewPrivileges ProtectSystem ReadWritePaths ProtectHome PrivateTmp PrivateDevices PrivateUsers PrivateMounts ProtectClock ProtectHostname ProtectKernelLogs " +
		"ProtectKernelModules ProtectKernelTunables ProtectControlGroups ProtectProc ProcSubset RestrictAddressFamilies RestrictNamespaces RestrictRealtime " +
		"RestrictSUIDSGID LockPersonality MemoryDenyWriteExecute RemoveIPC KeyringMode SystemCallArchitectures SystemCallFilter SystemCallErrorNumber",
	"Timer":   "OnBootSec OnUnitActiveSec RandomizedDelaySec",
	"Install": "WantedBy",
}

func TestUnits(t *testing.T) {
	files, err := filepath.Glob(deploy + "/systemd/*@.*")
	if err != nil || len(files) != 5 {
		t.Fatalf("units %v, %v", files, err)
	}
	for _, f := range files {
		text := read(t, f)
		section := ""
		set := map[string]string{}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			if line[0] == '[' {
				section = strings.Trim(line, "[]")
				if directives[section] == "" {
					t.Errorf("%s: there is no section %s", f, line)
				}
				continue
			}
			name, value, ok := strings.Cut(line, "=")
			if !ok || !slices.Contains(strings.Fields(directives[section]), name) {
				t.Errorf("%s: %q is no directive of section %s", f, line, section)
			}
			set[name] = value
			if strings.HasPrefix(name, "Exec") {
				args := words(strings.ReplaceAll(value, "%i", "leader"))
				if args[0] != "/usr/bin/candor" {
					t.Errorf("%s: runs %s", f, args[0])
				}
				checkCommand(t, f, args[1:])
			}
		}
		if !strings.HasSuffix(f, ".service") {
			continue
		}
		for name, want := range map[string]string{"User": "candor", "NoNewPrivileges": "true", "ProtectSystem": "strict", "ProtectHome": "true", "PrivateTmp": "true",
			"PrivateDevices": "true", "CapabilityBoundingSet": "", "MemoryDenyWriteExecute": "true", "RestrictNamespaces": "true", "UMask": "0077"} {
			if got, ok := set[name]; !ok || got != want {
				t.Errorf("%s: %s is %q, must be %q", f, name, got, want)
			}
		}
	}
}

func TestDockerfile(t *testing.T) {
	set := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(read(t, deploy+"/Dockerfile")))
	known := strings.Fields("FROM WORKDIR COPY RUN USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD")
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name == "" || name[0] == '#' {
			continue
		}
		if !slices.Contains(known, name) {
			t.Errorf("%q is no instruction", lines.Text())
		}
		if name == "RUN" && strings.Contains(value, "go build") && !(strings.Contains(value, "CGO_ENABLED=0") && strings.Contains(value, "-trimpath")) {
			t.Errorf("the binary is not static and reproducible: %s", value)
		}
		set[name] = value
	}
	for name, want := range map[string]string{"FROM": "scratch", "USER": "65532:65532", "ENTRYPOINT": `["/usr/bin/candor"]`, "STOPSIGNAL": "SIGTERM"} {
		if set[name] != want {
			t.Errorf("%s is %q, must be %q", name, set[name], want)
		}
	}
	var cmd []string
	if err := json.Unmarshal([]byte(set["CMD"]), &cmd); err != nil {
		t.Fatal(err)
	}
	checkCommand(t, "Dockerfile CMD", cmd)
	_, health, _ := strings.Cut(set["HEALTHCHECK"], "CMD ")
	if err := json.Unmarshal([]byte(health), &cmd); err != nil {
		t.Fatal(err)
	}
	checkCommand(t, "Dockerfile HEALTHCHECK", cmd[1:])
}

func TestCompose(t *testing.T) {
	type service struct {
		Image, User string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Grace       string   `yaml:"stop_grace_period"`
		Pids        int      `yaml:"pids_limit"`
		Memory      string   `yaml:"mem_limit"`
		Restart     string
		Profiles    []string
		Command     []string
		Volumes     []string
		Networks    []string
		Ports       []string
	}
	var file struct {
		Name     string
		Server   service `yaml:"x-server"`
		Services map[string]service
		Networks map[string]struct{}
	}
	if err := yaml.UnmarshalWithOptions([]byte(read(t, deploy+"/compose/compose.yaml")), &file, yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		t.Fatal(err)
	}
	for name, s := range file.Services {
		checkCommand(t, "compose "+name, s.Command)
		if !s.ReadOnly || s.User != "65532:65532" || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Image != "candor" {
			t.Errorf("compose %s is not locked: %+v", name, s)
		}
		for _, n := range s.Networks {
			if _, ok := file.Networks[n]; !ok {
				t.Errorf("compose %s: there is no network %s", name, n)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("compose %s publishes %s", name, p)
			}
		}
	}
	if len(file.Services) != 3 || len(file.Networks) != 2 || slices.Equal(file.Services["leader"].Volumes, file.Services["helper"].Volumes) {
		t.Errorf("not two operators with files of their own: %+v", file)
	}
}

func TestKubernetes(t *testing.T) {
	kinds := map[string]int{}
	dec := yaml.NewDecoder(strings.NewReader(read(t, deploy+"/kubernetes/aggregator.yaml")+"---\n"+read(t, deploy+"/kubernetes/replicas.yaml")), yaml.Strict())
	for {
		var doc map[string]any
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kind, _ := doc["kind"].(string)
		kinds[kind]++
		if doc["apiVersion"] == nil || doc["metadata"] == nil {
			t.Errorf("a %s without apiVersion or metadata", kind)
		}
		containers(doc, func(c map[string]any) {
			var args []string
			for _, a := range c["args"].([]any) {
				args = append(args, a.(string))
			}
			checkCommand(t, "kubernetes "+kind, args)
			lock, _ := c["securityContext"].(map[string]any)
			if lock["readOnlyRootFilesystem"] != true || lock["allowPrivilegeEscalation"] != false || lock["capabilities"] == nil || c["resources"] == nil {
				t.Errorf("kubernetes %s: container %v is not locked", kind, c["name"])
			}
			kinds["container"]++
		})
	}
	for kind, n := range map[string]int{"Namespace": 1, "StatefulSet": 1, "Service": 2, "NetworkPolicy": 1, "CronJob": 1, "ServiceAccount": 1, "Deployment": 1, "PodDisruptionBudget": 1, "container": 4} {
		if kinds[kind] != n {
			t.Errorf("%d of kind %s, want %d", kinds[kind], kind, n)
		}
	}
}

// containers calls fn for every container below a value.
func containers(v any, fn func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			if list, ok := below.([]any); ok && (key == "containers" || key == "initContainers") {
				for _, c := range list {
					fn(c.(map[string]any))
				}
			}
			containers(below, fn)
		}
	case []any:
		for _, below := range v {
			containers(below, fn)
		}
	}
}

// Every command on the operators' pages is one that the program takes.
func TestPagesForOperators(t *testing.T) {
	for _, page := range []string{deploy + "/README.md", "../../../../docs/operations.md"} {
		n := 0
		for _, m := range regexp.MustCompile("(?m)^    candor (.*)$|`candor ([^`]*)`").FindAllStringSubmatch(read(t, page), -1) {
			line := m[1] + m[2]
			if !strings.Contains(line, " ") && !strings.HasPrefix(line, "-") {
				continue // the name of a command in a sentence
			}
			args := words(strings.NewReplacer("FINGERPRINT", "6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ", "…", "6X3KD-0M9QT-HZ72A-WV8CN-R4EBJ").Replace(line))
			if len(args) == 2 && slices.Contains([]string{"aggregator", "config", "keys", "store"}, args[0]) {
				continue // likewise
			}
			checkCommand(t, page, args)
			n++
		}
		if n < 5 {
			t.Errorf("%s: only %d commands were found", page, n)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
