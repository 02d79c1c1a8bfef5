package cli

import (
	"errors"
	"testing"
)

func TestCollectNamesOneRound(t *testing.T) {
	for _, args := range [][]string{{}, {"2026q1", "--round", "2026q2"}, {"2026q1", "2026q2"}} {
		_, _, err := execute(newRootCmd(), append([]string{"collect"}, args...)...)
		if _, usage := errors.AsType[usageError](err); !usage {
			t.Errorf("arguments %q give error %v, not one of usage", args, err)
		}
	}
	for _, args := range [][]string{{"2026q1"}, {"--round", "2026q1"}, {"2026q1", "--round", "2026q1"}} {
		_, _, err := execute(newRootCmd(), append([]string{"collect", "--coalition", t.TempDir()}, args...)...)
		if _, usage := errors.AsType[usageError](err); usage || err == nil {
			t.Errorf("arguments %q give error %v, want that there is no such round", args, err)
		}
	}
}
