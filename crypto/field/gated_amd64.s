//go:build amd64 && !purego

#include "textflag.h"

// FOUR adds four elements of the table to their sums, and what they have above 32 bits to other sums; the mask in Y8 makes them zero
// where the gate is 0.
#define FOUR(table, sum, high) \
	VPAND  table, Y8, Y9  \
	VPADDQ Y9, sum, sum   \
	VPSRLQ $32, Y9, Y9    \
	VPADDQ Y9, high, high

// func gatedSumsAVX2(sums, high *[16]uint64, table *Elem64, gates *byte, n int)
TEXT ·gatedSumsAVX2(SB), NOSPLIT, $0-40
	MOVQ sums+0(FP), DI
	MOVQ high+8(FP), SI
	MOVQ table+16(FP), AX
	MOVQ gates+24(FP), BX
	MOVQ n+32(FP), CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7

gate:
	MOVBQZX      -1(BX)(CX*1), DX
	NEGQ         DX
	VMOVQ        DX, X8
	VPBROADCASTQ X8, Y8
	FOUR((AX), Y0, Y4)
	FOUR(32(AX), Y1, Y5)
	FOUR(64(AX), Y2, Y6)
	FOUR(96(AX), Y3, Y7)
	ADDQ         $8, AX
	DECQ         CX
	JNZ          gate

	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	VMOVDQU Y4, (SI)
	VMOVDQU Y5, 32(SI)
	VMOVDQU Y6, 64(SI)
	VMOVDQU Y7, 96(SI)
	VZEROUPPER
	RET
