//go:build amd64 && !purego

#include "textflag.h"

// Blocks of 21 words move between four neighbouring lanes of interleaved states and four byte strings by transposing
// four words of four lanes at a time, five times, and one word more.
//
// AX is the next word of the states, DX the number of bytes from a word of them to the next, BX three times that;
// R8-R11 are the four byte strings, CX counts down.

// TRANSPOSE reads 16 bytes at each of a, b, c and d, two words each; first becomes their first words, second their
// second ones. It uses registers xa and xb, which are the lower halves of ya and yb.
#define TRANSPOSE(a, b, c, d, xa, ya, xb, yb, first, second) \
	VMOVDQU     a, xa         \
	VMOVDQU     b, xb         \
	VINSERTI128 $1, c, ya, ya \
	VINSERTI128 $1, d, yb, yb \
	VPUNPCKLQDQ yb, ya, first \
	VPUNPCKHQDQ yb, ya, second

// func readBlocksAVX2(words *uint64, stride uintptr, p0, p1, p2, p3 *byte)
TEXT ·readBlocksAVX2(SB), NOSPLIT, $0-48
	MOVQ words+0(FP), AX
	MOVQ stride+8(FP), DX
	LEAQ (DX)(DX*2), BX
	MOVQ p0+16(FP), R8
	MOVQ p1+24(FP), R9
	MOVQ p2+32(FP), R10
	MOVQ p3+40(FP), R11
	MOVQ $5, CX

four:
	TRANSPOSE(0(AX), 0(AX)(DX*1), 0(AX)(DX*2), 0(AX)(BX*1), X0, Y0, X1, Y1, Y2, Y3)
	TRANSPOSE(16(AX), 16(AX)(DX*1), 16(AX)(DX*2), 16(AX)(BX*1), X4, Y4, X5, Y5, Y6, Y7)
	VMOVDQU Y2, (R8)
	VMOVDQU Y3, (R9)
	VMOVDQU Y6, (R10)
	VMOVDQU Y7, (R11)
	LEAQ    (AX)(DX*4), AX
	ADDQ    $32, R8
	ADDQ    $32, R9
	ADDQ    $32, R10
	ADDQ    $32, R11
	DECQ    CX
	JNZ     four

	MOVQ 0(AX), CX
	MOVQ CX, (R8)
	MOVQ 8(AX), CX
	MOVQ CX, (R9)
	MOVQ 16(AX), CX
	MOVQ CX, (R10)
	MOVQ 24(AX), CX
	MOVQ CX, (R11)
	VZEROUPPER
	RET

// func xorBlocksAVX2(words *uint64, stride uintptr, p0, p1, p2, p3 *byte)
TEXT ·xorBlocksAVX2(SB), NOSPLIT, $0-48
	MOVQ words+0(FP), AX
	MOVQ stride+8(FP), DX
	LEAQ (DX)(DX*2), BX
	MOVQ p0+16(FP), R8
	MOVQ p1+24(FP), R9
	MOVQ p2+32(FP), R10
	MOVQ p3+40(FP), R11
	MOVQ $5, CX

four:
	TRANSPOSE(0(R8), 0(R9), 0(R10), 0(R11), X0, Y0, X1, Y1, Y2, Y3)
	TRANSPOSE(16(R8), 16(R9), 16(R10), 16(R11), X4, Y4, X5, Y5, Y6, Y7)
	VPXOR   (AX), Y2, Y2
	VPXOR   (AX)(DX*1), Y3, Y3
	VPXOR   (AX)(DX*2), Y6, Y6
	VPXOR   (AX)(BX*1), Y7, Y7
	VMOVDQU Y2, (AX)
	VMOVDQU Y3, (AX)(DX*1)
	VMOVDQU Y6, (AX)(DX*2)
	VMOVDQU Y7, (AX)(BX*1)
	LEAQ    (AX)(DX*4), AX
	ADDQ    $32, R8
	ADDQ    $32, R9
	ADDQ    $32, R10
	ADDQ    $32, R11
	DECQ    CX
	JNZ     four

	MOVQ (R8), CX
	XORQ CX, 0(AX)
	MOVQ (R9), CX
	XORQ CX, 8(AX)
	MOVQ (R10), CX
	XORQ CX, 16(AX)
	MOVQ (R11), CX
	XORQ CX, 24(AX)
	VZEROUPPER
	RET
