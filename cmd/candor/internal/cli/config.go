package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"candor/cmd/candor/internal/config"
)

func newConfigCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Print example configurations and check files", Args: cobra.NoArgs}
	cmd.AddCommand(&cobra.Command{
		Use:       "example KIND",
		Short:     "Print an annotated configuration: " + strings.Join(config.Examples(), ", "),
		Example:   "  candor config example leader > leader.yaml",
		Args:      cobra.ExactArgs(1),
		ValidArgs: config.Examples(),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := config.Example(args[0])
			if text == "" {
				return usageError{fmt.Errorf("there is no example %q; there are %s", args[0], strings.Join(config.Examples(), ", "))}
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}, &cobra.Command{
		Use:     "check KIND FILE",
		Short:   "Read a configuration and every file that it names, and start nothing",
		Example: "  candor config check leader leader.yaml",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			warnings, err := config.Check(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "Warning: "+w)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: no problems\n", args[1])
			return err
		},
	})
	return cmd
}
