package field

// The scratch space of RangeWires, in elements, each of which then holds two words of limbs.
const (
	rangeSums  = 8 * 10 * 8 / 2 // of eight columns: ten limbs of eight lanes
	rangeBlock = 3 * 3 * 8 / 2  // of eight rows: three limbs of each of three factors
	rangeTile  = 32             // blocks whose products are added up before they are reduced

	rangeColumns = 4 // that Go code reads at once, a line of a cache in each row
)

// RangeScratch is the length of the scratch space for RangeWires on that many rows. It is at least rows·(1 + rangeColumns).
func RangeScratch(rows int) int {
	return max(rows*(1+rangeColumns), rangeSums+rangeBlock*min((rows+7)/8, rangeTile))
}
