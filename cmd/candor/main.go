// Command candor runs every part of a coalition: the members' client, the two aggregators, the secretariat's collection and
// releases, and the checks of a researcher. See `candor --help`.
package main

import (
	"os"

	"candor/cmd/candor/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
