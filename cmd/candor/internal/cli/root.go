// Package cli is the command line: one source file per subcommand, each a constructor that returns a cobra command.
//
// Floor 8: it reads flags, picks the store, wires the roles together, and is the only place that writes to standard output or
// knows exit codes. Results go to standard output and nothing else does; talk goes to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotReady = 3 // asked too early: nothing is wrong, try again later
)

// A hintError carries, beside what went wrong, what to do next.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// withHint adds to err a hint that Main prints on a line of its own, preferably a command that would work.
func withHint(err error, format string, args ...any) error {
	return &hintError{err, fmt.Sprintf(format, args...)}
}

// errNotReady marks an answer of "not yet": exit code 3.
var errNotReady = errors.New("not ready yet")

// usageError marks a mistake in how a command was called: exit code 2.
type usageError struct{ error }

// Main runs the command line and returns the exit code. An interrupt or SIGTERM cancels the command's context.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := newRootCmd()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "candor: error: %v\n", err)
	if hint, ok := errors.AsType[*hintError](err); ok {
		fmt.Fprintf(stderr, "candor: hint: %s\n", hint.hint)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if errors.Is(err, errNotReady) {
		return exitNotReady
	}
	return exitFailed
}

const (
	groupStart       = "start"
	groupMember      = "member"
	groupSecretariat = "secretariat"
	groupOperator    = "operator"
	groupResearcher  = "researcher"
)

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "candor",
		Short: "Industry-wide child-safety figures that reveal no member's own",
		Long: `Candor lets the members of a child-safety coalition publish industry-wide figures without anyone,
the coalition's own secretariat included, ever seeing one member's counts.

Members add noise to their counts and split them into two shares; two aggregators run by organisations
that do not collude each add up one half; the secretariat collects only the sums.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("candor {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return withHint(usageError{err}, "%s --help", cmd.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "Start here:"},
		&cobra.Group{ID: groupMember, Title: "Members:"},
		&cobra.Group{ID: groupSecretariat, Title: "Secretariat:"},
		&cobra.Group{ID: groupOperator, Title: "Aggregator operators:"},
		&cobra.Group{ID: groupResearcher, Title: "Researchers:"},
	)
	add(root, groupStart, newDemoCmd())
	add(root, groupMember, newMemberCmd(), newCatalogueCmd())
	add(root, groupSecretariat, newCoalitionCmd(), newRosterCmd(), newRoundCmd(), newCollectCmd())
	add(root, groupOperator, newLeaderCmd(), newHelperCmd(), newAggregatorGroupCmd(), newStatusCmd(), newStoreCmd(), newKeysCmd(), newConfigCmd(), newInteropCmd())
	add(root, groupResearcher, newReleaseCmd(), newVectorsCmd())
	judgeUsage(root)
	return root
}

// judgeUsage makes every mistake in how root and the commands below it are called one of usage: arguments, missing flags, and a
// word after a group of commands that is none of them.
func judgeUsage(root *cobra.Command) {
	usage := func(cmd *cobra.Command, err error) error {
		if err == nil {
			return nil
		}
		return withHint(usageError{err}, "%s --help", cmd.CommandPath())
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		return usage(cmd, errors.Join(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()))
	}
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		if !cmd.Runnable() {
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		if check := cmd.Args; check != nil {
			cmd.Args = func(cmd *cobra.Command, args []string) error { return usage(cmd, check(cmd, args)) }
		}
		for _, c := range cmd.Commands() {
			each(c)
		}
	}
	each(root)
}

// add puts commands into a group of root's help.
func add(root *cobra.Command, group string, cmds ...*cobra.Command) {
	for _, c := range cmds {
		c.GroupID = group
		root.AddCommand(c)
	}
}

// version is what the build recorded: a tag, or a pseudo-version of the commit.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
