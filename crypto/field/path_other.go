//go:build !amd64 || purego

package field

func fastest() path { return pathGo }

// These do nothing and say so: their callers do all in Go.

func validIFMA([]byte) (below uint64, n int) { return 1, 0 }

func (*wide128) addIFMA([]Elem128, []byte, int) (n int) { return 0 }

func (*wide128) addInnerIFMA(_, _ []Elem128) (n int) { return 0 }

func weighManyIFMA(_, _ []byte, _ int, _ uint64) bool { return false }

func rangeWiresIFMA(_, _, _ []byte, _, _ []Elem128, _ Elem128, _ []Elem128) bool { return false }

func (F64) GatedSums([]Elem64, Elem64, []Elem64, []byte) bool { return false }

func pairSumsIFMA(_, _ []Elem128, _, _ []byte, _ []Elem128) bool { return false }

func sumAllEitherAVX2(_, _ []Elem128, _ []byte, _ int, _ []Elem128) bool { return false }
