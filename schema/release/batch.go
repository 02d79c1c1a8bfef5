package release

import (
	"errors"
	"fmt"
	"slices"

	"candor/crypto/sign"
	"candor/schema/dap"
)

// A Batch is what a Collector holds of one task after collection: both aggregators' statements, and both shares
// with the salts of their commitments. The leaves of one aggregator tell nothing; together they are the sums of
// all cells, those included that the release withholds. So a Batch is kept by the secretariat, and only Open
// takes out of it what the public gets.
type Batch struct {
	Task       dap.TaskID
	Reports    uint64             // aggregated; for a refused batch the members who had sent
	Statements [2]SignedStatement // of the Leader and of the Helper
	Leaves     [2][]Leaf          // in the same order

	// Members are those whose reports were aggregated, as the Leader says; nil if not known.
	Members []string

	// Refused says why the aggregators gave no share: too few groups contributed. There are no statements and
	// no leaves then.
	Refused string
}

// roles in the order of a Batch's arrays.
var roles = [2]string{Leader, Helper}

// Check reports, all at once, what keeps figures from being made of the batch: statements that are of another
// task or round, contradict each other or do not bear their aggregator's signature, and shares that are not
// those that the statements commit to.
func (b Batch) Check(round Digest, leader, helper sign.PublicKey) error {
	if b.Refused != "" {
		return nil
	}
	var errs []error
	for i, key := range [2]sign.PublicKey{leader, helper} {
		s := b.Statements[i]
		fail := func(format string, a ...any) {
			errs = append(errs, fmt.Errorf("statement of the %s on task %s: %w", roles[i], b.Task, fmt.Errorf(format, a...)))
		}
		switch root, err := Root(b.Leaves[i]); {
		case s.Role != roles[i]:
			fail("it is one of the %s", s.Role)
		case s.Task != b.Task:
			fail("it is about task %s", s.Task)
		case s.Round != round:
			fail("it is about another round document, %s", s.Round)
		case s.Reports != b.Reports:
			fail("it counts %d reports, the collection %d", s.Reports, b.Reports)
		case err != nil:
			fail("%w", err)
		case root != s.Root || int(s.Elements) != len(b.Leaves[i]):
			fail("the share that was collected is not the one that it commits to")
		}
		if err := s.Verify(key); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, Agree(b.Statements[0].Statement, b.Statements[1].Statement))...)
}

// Blanked reports whether both aggregators replaced an element by a random one.
func (b Batch) Blanked(element int) bool {
	return slices.Contains(b.Statements[0].Statement.Blanked, uint32(element))
}

// Open returns the openings of the given elements, first the Leader's, then the Helper's. A blanked element is
// an error: it is random, and nobody's figure.
func (b Batch) Open(elements []int) ([]OpenedElement, error) {
	for _, e := range elements {
		if b.Blanked(e) {
			return nil, fmt.Errorf("opening element %d of task %s: it was blanked", e, b.Task)
		}
	}
	var opened []OpenedElement
	for i, role := range roles {
		openings, err := Open(b.Leaves[i], elements)
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", b.Task, err)
		}
		for _, o := range openings {
			opened = append(opened, OpenedElement{Role: role, Task: b.Task, Opening: o})
		}
	}
	return opened, nil
}
