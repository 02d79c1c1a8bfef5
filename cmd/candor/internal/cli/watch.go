package cli

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"time"

	"candor/aggregator"
	"candor/cmd/candor/internal/config"
)

// watchInterval is how often a server looks for new rounds, tasks and keys.
const watchInterval = time.Second

// A watcher takes up what operators put beside a running server: rounds, plain tasks, and HPKE keys. It is used by one goroutine.
type watcher struct {
	configPath string
	cfg        *config.Aggregator
	runner     *config.Runner
	role       role
	log        *slog.Logger
	seen       map[string]time.Time // files of rounds and tasks by path: modification time
	keys       map[string]time.Time // the configuration and the key files that it named when it was read last
}

func newWatcher(configPath string, cfg *config.Aggregator, runner *config.Runner, r role, log *slog.Logger) *watcher {
	return &watcher{configPath: configPath, cfg: cfg, runner: runner, role: r, log: log, seen: map[string]time.Time{}, keys: keyStamps(configPath, cfg.HPKE)}
}

func (w *watcher) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchInterval):
			if err := w.scan(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			w.scanKeys(ctx)
		}
	}
}

// scan adds the tasks of every round and task file that is new or changed. A file that is refused is logged and does not stop the others; only a directory that cannot
// be read is an error.
func (w *watcher) scan(ctx context.Context) error {
	rounds, err := config.RoundFiles(w.cfg.Rounds)
	if err != nil {
		return err
	}
	for _, f := range rounds {
		w.take(ctx, f, "round refused", func(text []byte) ([]*aggregator.Task, error) { return w.runner.RoundTasks(f, text) })
	}
	tasks, err := config.TaskFiles(w.cfg.Tasks)
	if err != nil {
		return err
	}
	for _, f := range tasks {
		w.take(ctx, f, "task refused", func(text []byte) ([]*aggregator.Task, error) {
			t, err := w.runner.PlainTask(ctx, f, text)
			return []*aggregator.Task{t}, err
		})
	}
	return nil
}

// take adds the tasks of a file, unless it was taken before as it is now.
func (w *watcher) take(ctx context.Context, file, refused string, read func([]byte) ([]*aggregator.Task, error)) {
	text, modified, err := config.ReadRound(file)
	if err == nil && w.seen[file].Equal(modified) {
		return
	}
	w.seen[file] = modified
	var tasks []*aggregator.Task
	if err == nil {
		tasks, err = read(text)
	}
	if err != nil {
		w.log.ErrorContext(ctx, refused, "file", file, "err", err)
		return
	}
	for _, t := range tasks {
		if err := w.role.AddTask(ctx, t); err != nil {
			w.log.ErrorContext(ctx, "task refused", "file", file, "task_id", t.ID, "err", err)
		} else {
			w.log.InfoContext(ctx, "task added", "task_id", t.ID, "task_info", string(t.Config.TaskInfo))
		}
	}
}

// scanKeys replaces the HPKE keys when the configuration or one of their files has changed. What does not load is logged, and the keys in use stay.
func (w *watcher) scanKeys(ctx context.Context) {
	stamps := keyStamps(w.configPath, w.cfg.HPKE)
	if maps.EqualFunc(stamps, w.keys, time.Time.Equal) {
		return
	}
	w.keys = stamps
	cfg, err := config.LoadAggregator(w.configPath)
	var ring *aggregator.Keyring
	if err == nil {
		ring, err = cfg.Keyring(ctx)
	}
	if err != nil {
		w.log.ErrorContext(ctx, "HPKE keys not reloaded: those in use stay", "file", w.configPath, "err", err)
		return
	}
	w.role.SetKeys(ring)
	w.cfg.HPKE = cfg.HPKE
	w.keys = keyStamps(w.configPath, cfg.HPKE)
	w.keys[w.configPath] = stamps[w.configPath] // what was edited while it was read is read again
	ids := make([]int, 0, len(ring.Configs()))
	for _, c := range ring.Configs() {
		ids = append(ids, int(c.ID))
	}
	w.log.InfoContext(ctx, "HPKE keys reloaded; other changes of the configuration need a restart", "advertised_ids", ids)
}

// keyStamps returns when the configuration and each key file were last modified; the zero time for those that cannot be seen.
func keyStamps(configPath string, keys []config.HPKEKey) map[string]time.Time {
	stamps := make(map[string]time.Time, len(keys)+1)
	for _, path := range append(keyPaths(keys), configPath) {
		info, err := os.Stat(path)
		if err != nil {
			stamps[path] = time.Time{}
			continue
		}
		stamps[path] = info.ModTime()
	}
	return stamps
}

func keyPaths(keys []config.HPKEKey) []string {
	paths := make([]string, len(keys))
	for i, k := range keys {
		paths[i] = k.File
	}
	return paths
}

// errNoPrivate is what `candor status` says of a configuration without a private listener.
var errNoPrivate = errors.New("the configuration names no private_listen, where a server tells its status")
