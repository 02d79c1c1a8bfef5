package cli

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"candor/crypto/vectors"
)

func newVectorsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vectors",
		Short: "Check and write test vectors of the cryptography",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newVectorsVerifyCmd(), newVectorsGenerateCmd())
	return cmd
}

func newVectorsVerifyCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify PATH...",
		Short: "Check files of test vectors, or directories of them",
		Long: `Run every operation of each file with Candor's own cryptography and compare every value it yields, in the middle
as at the end. Operations that the file says fail must fail, at exactly that step.

Files are in the JSON form in which the CFRG publishes vectors for VDAF-18 and later: those of Prio3, and of
XofTurboShake128. Of a directory, all files that end in .json are checked. Nothing is skipped: a file of an unknown
kind, with an unknown field or operation, or with a value that no operation checks, has failed.`,
		Example: `  candor vectors verify testvectors
  candor vectors verify Prio3Sum_0.json Prio3Sum_1.json --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error { return verifyVectors(cmd, paths, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per file")
	return cmd
}

// A vectorResult is what `vectors verify --json` prints for a file.
type vectorResult struct {
	File   string `json:"file"`
	Passed bool   `json:"passed"`
	Error  string `json:"error,omitempty"`
}

func verifyVectors(cmd *cobra.Command, paths []string, asJSON bool) error {
	files, err := vectorFiles(paths)
	if err != nil {
		return err
	}
	out, passed := cmd.OutOrStdout(), 0
	for _, name := range files {
		r := vectorResult{File: name}
		content, err := os.ReadFile(name)
		if err == nil {
			err = vectors.Verify(name, content)
		}
		if err == nil {
			r.Passed = true
			passed++
		} else {
			r.Error = err.Error()
		}
		switch {
		case asJSON:
			line, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n", line)
		case r.Passed:
			fmt.Fprintf(out, "ok    %s\n", name)
		default:
			fmt.Fprintf(out, "FAIL  %s: %s\n", name, r.Error)
		}
	}
	failed := len(files) - passed
	if !asJSON {
		fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	}
	if failed > 0 {
		return fmt.Errorf("verifying vectors: %d of %d files failed", failed, len(files))
	}
	return nil
}

// vectorFiles returns the files that paths name, directories replaced by their .json files.
func vectorFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("looking for vectors: %w", err)
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("looking for vectors: %w", err)
		}
		before := len(files)
		for _, e := range entries {
			if filepath.Ext(e.Name()) == ".json" {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("looking for vectors: %s holds no .json file", path)
		}
	}
	return files, nil
}

type generateOptions struct {
	seed  string
	count int
}

func newVectorsGenerateCmd() *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate DIR",
		Short: "Write test vectors for another implementation to check",
		Long: `Write files of test vectors for all five variants of Prio3 into DIR, in the form that the verify command reads, with
random parameters and measurements. Every fourth file is of a report that must be rejected. The same seed and count give
the same bytes, so that anyone can write them again; files of the same names are replaced.`,
		Example: `  candor vectors generate vectors --seed 00ff
  candor vectors generate vectors --seed 00ff --count 60`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&o.seed, "seed", "", "what the vectors are drawn from: any bytes, in `HEX`")
	cmd.Flags().IntVar(&o.count, "count", 8, "`FILES` of each variant")
	return cmd
}

func (o *generateOptions) run(cmd *cobra.Command, dir string) error {
	seed, err := hex.DecodeString(o.seed)
	if err != nil || len(seed) == 0 {
		return withHint(usageError{errors.New("--seed must be one or more bytes in hexadecimal")}, "candor vectors generate %s --seed 00ff", dir)
	}
	if o.count < 1 || o.count > 10000 {
		return usageError{errors.New("--count must be 1 to 10000")}
	}
	files, err := vectors.Generate(seed, o.count)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing vectors: %w", err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o644); err != nil {
			return fmt.Errorf("writing vectors: %w", err)
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d files in %s\n", len(files), dir)
	return nil
}
