//go:build amd64 && !purego

#include "textflag.h"

// func interleaveAVX2(v *Elem128, groups int)
TEXT ·interleaveAVX2(SB), NOSPLIT, $0-16
	MOVQ v+0(FP), DI
	MOVQ groups+8(FP), CX

group:
	VMOVDQU    (DI), X0
	VMOVDQU    16(DI), X1
	VMOVDQU    32(DI), X2
	VMOVDQU    48(DI), X3
	VPUNPCKLBW X1, X0, X4
	VPUNPCKHBW X1, X0, X5
	VPUNPCKLBW X3, X2, X6
	VPUNPCKHBW X3, X2, X7
	VPUNPCKLWD X6, X4, X0
	VPUNPCKHWD X6, X4, X1
	VPUNPCKLWD X7, X5, X2
	VPUNPCKHWD X7, X5, X3
	VMOVDQU    X0, (DI)
	VMOVDQU    X1, 16(DI)
	VMOVDQU    X2, 32(DI)
	VMOVDQU    X3, 48(DI)
	ADDQ       $64, DI
	DECQ       CX
	JNZ        group
	VZEROUPPER
	RET

// ROW adds four columns of u and of a row v to that row's sums: the digits of u are in Y8 and Y9, its bits in Y10. As one of the two elements is
// zero wherever a bit of the mask is 1, XOR adds them; and the mask, of bytes 0 or 1, selects and adds up digits of two columns to
// a 16-bit word.
#define ROW(v, v32, bits, low, high) \
	VPBROADCASTD bits, Y11       \
	VPXOR        Y10, Y11, Y11   \
	VPXOR        v, Y8, Y12      \
	VPMADDUBSW   Y11, Y12, Y12   \
	VPADDW       Y12, low, low   \
	VPXOR        v32, Y9, Y13    \
	VPMADDUBSW   Y11, Y13, Y13   \
	VPADDW       Y13, high, high

// DIGITS makes the words of eight digits, two to a digit, four 64-bit sums of two digits, the second times 256, and stores them. Y14 has a 1 in
// each word.
#define DIGITS(words, to) \
	VPMADDWD Y14, words, Y8 \
	VPSRLQ   $32, Y8, Y9    \
	VPSLLQ   $32, Y8, Y8    \
	VPSLLQ   $8, Y9, Y9     \
	VPSRLQ   $32, Y8, Y8    \
	VPADDQ   Y9, Y8, Y8     \
	VMOVDQU  Y8, to

// func sumEitherAVX2(sums *[4][8]uint64, u, uBits, v, vBits *Elem128, stride, bitStride uintptr, groups int)
TEXT ·sumEitherAVX2(SB), NOSPLIT, $0-64
	MOVQ sums+0(FP), DI
	MOVQ u+8(FP), AX
	MOVQ uBits+16(FP), BX
	MOVQ v+24(FP), SI
	MOVQ vBits+32(FP), DX
	MOVQ stride+40(FP), R8
	LEAQ (R8)(R8*2), R9
	MOVQ bitStride+48(FP), R10
	LEAQ (R10)(R10*2), R11
	MOVQ groups+56(FP), CX

	VPXOR    Y0, Y0, Y0
	VPXOR    Y1, Y1, Y1
	VPXOR    Y2, Y2, Y2
	VPXOR    Y3, Y3, Y3
	VPXOR    Y4, Y4, Y4
	VPXOR    Y5, Y5, Y5
	VPXOR    Y6, Y6, Y6
	VPXOR    Y7, Y7, Y7
	VPCMPEQW Y14, Y14, Y14
	VPSRLW   $15, Y14, Y14

group:
	VMOVDQU      (AX), Y8
	VMOVDQU      32(AX), Y9
	VPBROADCASTD (BX), Y10
	ROW((SI), 32(SI), (DX), Y0, Y1)
	ROW((SI)(R8*1), 32(SI)(R8*1), (DX)(R10*1), Y2, Y3)
	ROW((SI)(R8*2), 32(SI)(R8*2), (DX)(R10*2), Y4, Y5)
	ROW((SI)(R9*1), 32(SI)(R9*1), (DX)(R11*1), Y6, Y7)
	ADDQ         $64, AX
	ADDQ         $4, BX
	ADDQ         $64, SI
	ADDQ         $4, DX
	DECQ         CX
	JNZ          group

	DIGITS(Y0, (DI))
	DIGITS(Y1, 32(DI))
	DIGITS(Y2, 64(DI))
	DIGITS(Y3, 96(DI))
	DIGITS(Y4, 128(DI))
	DIGITS(Y5, 160(DI))
	DIGITS(Y6, 192(DI))
	DIGITS(Y7, 224(DI))
	VZEROUPPER
	RET
