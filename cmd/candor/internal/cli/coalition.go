package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
	"candor/crypto/sign"
	"candor/schema/round"
)

func newCoalitionCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "coalition",
		Short: "Set up the secretariat's directory: keys, roster, rounds",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newCoalitionInitCmd())
	return cmd
}

func newCoalitionInitCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Make the secretariat's directory with new keys",
		Long: `Make a directory with the coalition's signing key, the Collector's key and token, and an empty roster. The fingerprint
that is printed is what every member and both operators pin: give it to them in a way that nobody can
change, in person or by telephone. Back the directory up; keys in it cannot be made again.`,
		Example: "  candor coalition init coalition",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config.InitCoalition(args[0])
			if err != nil {
				return fmt.Errorf("making the coalition's directory: %w", err)
			}
			key, err := c.Identity()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "fingerprint of the coalition: %s\n", key.PublicKey().Fingerprint())
			fmt.Fprintf(cmd.ErrOrStderr(), "Give the Leader's operator a copy of %s.\n", c.Path("collector.token"))
			return nil
		},
	}
}

// coalitionFlag adds --coalition to a command and returns where its value will be.
func coalitionFlag(cmd *cobra.Command) *config.Coalition {
	c := new(config.Coalition)
	cmd.Flags().StringVar(&c.Dir, "coalition", "coalition", "the secretariat's `DIR`")
	return c
}

func newRosterCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "roster", Short: "Add, remove and list members", Args: cobra.NoArgs}
	cmd.AddCommand(newRosterAddCmd(), newRosterRemoveCmd(), newRosterReplaceKeyCmd(), newRosterShowCmd())
	return cmd
}

func newRosterAddCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add FILE",
		Short: "Add the member of an enrolment line",
		Long: `Add the member whose enrolment line is in FILE (- is standard input). A member makes the line with candor member keygen.
Before a round is signed, compare the fingerprint that is printed with the member, by telephone or in person.
Rounds that exist already are not changed.`,
		Example: "  candor roster add --coalition coalition member-1.enrolment",
		Args:    cobra.ExactArgs(1),
	}
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, line, err := readEnrolment(cmd, args[0])
		if err != nil {
			return err
		}
		roster, err := c.Roster()
		if err != nil {
			return err
		}
		for _, other := range roster {
			switch {
			case other.ID == m.ID:
				return withHint(fmt.Errorf("adding %s: the roster has a member %s already", m.Name, m.ID), "candor roster replace-key FILE")
			case other.Key == m.Key:
				return fmt.Errorf("adding %s: member %s (%s) has this key already", m.Name, other.ID, other.Name)
			case other.Name == m.Name:
				return fmt.Errorf("adding %s: member %s has this legal name already", m.ID, other.ID)
			}
		}
		lines, err := c.Enrolments()
		if err != nil {
			return err
		}
		if err := c.WriteRoster(append(lines, line)); err != nil {
			return fmt.Errorf("writing the roster: %w", err)
		}
		return printMember(cmd, "added", m)
	}
	return cmd
}

func newRosterRemoveCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove ID",
		Short:   "Remove a member from the rounds to come",
		Long:    "Remove a member from the roster. Rounds that exist already are not changed.",
		Example: "  candor roster remove --coalition coalition member-1",
		Args:    cobra.ExactArgs(1),
	}
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		lines, at, m, err := findMember(c, args[0])
		if err != nil {
			return err
		}
		if err := c.WriteRoster(slices.Delete(lines, at, at+1)); err != nil {
			return fmt.Errorf("writing the roster: %w", err)
		}
		return printMember(cmd, "removed", m)
	}
	return cmd
}

func newRosterReplaceKeyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replace-key FILE",
		Short: "Give a member a new key, after one was lost or stolen",
		Long: `Replace a member's key by that of a new enrolment line in FILE (- is standard input); id, legal name and group must be the same.
Rounds that exist already are not changed: for one whose window is open, use candor round replace-key too.`,
		Example: "  candor roster replace-key --coalition coalition member-1-new.enrolment",
		Args:    cobra.ExactArgs(1),
	}
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, line, err := readEnrolment(cmd, args[0])
		if err != nil {
			return err
		}
		lines, at, old, err := findMember(c, m.ID)
		if err != nil {
			return err
		}
		if old.Name != m.Name || old.Group != m.Group {
			return fmt.Errorf("replacing the key of %s: the line says %q in group %s, the roster %q in group %s", m.ID, m.Name, m.Group, old.Name, old.Group)
		}
		if old.Key == m.Key {
			return fmt.Errorf("replacing the key of %s: the line has the key that the roster has", m.ID)
		}
		lines[at] = line
		if err := c.WriteRoster(lines); err != nil {
			return fmt.Errorf("writing the roster: %w", err)
		}
		return printMember(cmd, "new key of", m)
	}
	return cmd
}

func newRosterShowCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "List the members",
		Example: "  candor roster show --coalition coalition --json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		roster, err := c.Roster()
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(roster)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tGROUP\tLEGAL NAME\tKEY FINGERPRINT")
		for _, m := range roster {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.ID, m.Group, m.Name, fingerprintOf(m.Key))
		}
		return w.Flush()
	}
	return cmd
}

// fingerprintOf returns the fingerprint of a key that was parsed before.
func fingerprintOf(key string) sign.Fingerprint {
	k, err := sign.ParsePublicKey(key)
	if err != nil {
		return "?"
	}
	return k.Fingerprint()
}

func findMember(c *config.Coalition, id string) (lines []string, at int, m round.Member, err error) {
	roster, err := c.Roster()
	if err != nil {
		return nil, 0, m, err
	}
	at = slices.IndexFunc(roster, func(m round.Member) bool { return m.ID == id })
	if at < 0 {
		return nil, 0, m, withHint(fmt.Errorf("the roster has no member %q", id), "candor roster show --coalition %s", c.Dir)
	}
	lines, err = c.Enrolments()
	return lines, at, roster[at], err
}

// readEnrolment reads one enrolment line from a file or standard input.
func readEnrolment(cmd *cobra.Command, path string) (round.Member, string, error) {
	text, err := readInput(cmd, path)
	if err != nil {
		return round.Member{}, "", fmt.Errorf("reading an enrolment: %w", err)
	}
	m, err := round.ParseEnrolment(text)
	if err != nil {
		return m, "", err
	}
	line, err := trimmed(text)
	return m, line, err
}

func trimmed(text []byte) (string, error) {
	canonical, err := round.Canonicalize(text)
	return string(canonical), err
}

// maxInput bounds what is read from a file or standard input.
const maxInput = 16 << 20

// readInput reads a file, or standard input if path is "-".
func readInput(cmd *cobra.Command, path string) ([]byte, error) {
	in := cmd.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err == nil && len(text) > maxInput {
		err = fmt.Errorf("%s has more than %d bytes", path, maxInput)
	}
	return text, err
}

func printMember(cmd *cobra.Command, what string, m round.Member) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s (%s, group %s), key fingerprint %s\n", what, m.Name, m.ID, m.Group, fingerprintOf(m.Key))
	return err
}
