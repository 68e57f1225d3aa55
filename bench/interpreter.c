/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small bytecode interpreter, with a switch and with computed goto, and a recursive function. */
#include "bench/interpreter.h"

enum opcode { ADD, SUB, XOR, SHIFT, MULTIPLY, LOAD, STORE, NEXT, MOVE, LOOP, HALT };

struct bytecode {
	uint8_t opcode;
	uint8_t to;
	uint8_t from;
};

enum { A, B, C, D, FACTOR, COUNT, REGISTERS };

#define CELLS 256
#define SEED 0x9e3779b9u

static const struct bytecode program[] = {
	{ ADD, A, B },	 { XOR, B, A },	  { MOVE, C, A },  { SHIFT, C, 3 },
	{ ADD, B, C },	 { STORE, A, B }, { LOAD, D, B },  { MULTIPLY, A, FACTOR },
	{ SUB, A, D },	 { NEXT, D, 0 },  { XOR, A, D },   { MOVE, C, B },
	{ SHIFT, C, 7 }, { SUB, B, C },	  { STORE, B, A }, { LOOP, COUNT, 0 },
	{ HALT, 0, 0 },
};

#define SET_UP                                                                                     \
	uint32_t cells[CELLS] = { 0 };                                                             \
	uint32_t r[REGISTERS] = { [A] = 1, [B] = 2, [FACTOR] = SEED, [COUNT] = turns };            \
	const struct bytecode *at = program

__attribute__((noinline)) uint32_t interpreter__switch(uint32_t turns)
{
	SET_UP;

	for (;; at++) {
		switch (at->opcode) {
		case ADD:
			r[at->to] += r[at->from];
			break;
		case SUB:
			r[at->to] -= r[at->from];
			break;
		case XOR:
			r[at->to] ^= r[at->from];
			break;
		case SHIFT:
			r[at->to] >>= at->from;
			break;
		case MULTIPLY:
			r[at->to] *= r[at->from];
			break;
		case LOAD:
			r[at->to] = cells[r[at->from] % CELLS];
			break;
		case STORE:
			cells[r[at->to] % CELLS] = r[at->from];
			break;
		case NEXT:
			r[at->to]++;
			break;
		case MOVE:
			r[at->to] = r[at->from];
			break;
		case LOOP:
			if (--r[at->to])
				at = program - 1;
			break;
		case HALT:
			return r[A] ^ r[B];
		}
	}
}

__attribute__((noinline)) uint32_t interpreter__goto(uint32_t turns)
{
	static const void *const labels[] = { &&add,   &&sub,  &&xor_, &&shift, &&multiply, &&load,
					      &&store, &&next, &&move, &&loop,	&&halt };
	SET_UP;

#define NEXT_ONE goto *labels[(++at)->opcode]
	goto *labels[at->opcode];
add:
	r[at->to] += r[at->from];
	NEXT_ONE;
sub:
	r[at->to] -= r[at->from];
	NEXT_ONE;
xor_:
	r[at->to] ^= r[at->from];
	NEXT_ONE;
shift:
	r[at->to] >>= at->from;
	NEXT_ONE;
multiply:
	r[at->to] *= r[at->from];
	NEXT_ONE;
load:
	r[at->to] = cells[r[at->from] % CELLS];
	NEXT_ONE;
store:
	cells[r[at->to] % CELLS] = r[at->from];
	NEXT_ONE;
next:
	r[at->to]++;
	NEXT_ONE;
move:
	r[at->to] = r[at->from];
	NEXT_ONE;
loop:
	if (--r[at->to])
		at = program - 1;
	NEXT_ONE;
halt:
	return r[A] ^ r[B];
}

uint32_t interpreter__expected(uint32_t turns)
{
	uint32_t cells[CELLS] = { 0 };
	uint32_t a = 1, b = 2, d = 0;

	do {
		a += b;
		b ^= a;
		b += a >> 3;
		cells[a % CELLS] = b;
		d = cells[b % CELLS];
		a *= SEED;
		a -= d;
		a ^= d + 1;
		b -= b >> 7;
		cells[b % CELLS] = a;
	} while (--turns);
	return a ^ b;
}

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) uint32_t
interpreter__fib(uint32_t n)
{
	return n < 2 ? n : interpreter__fib(n - 1) + interpreter__fib(n - 2);
}
