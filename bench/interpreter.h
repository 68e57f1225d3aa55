/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code full of indirect branches, calls and returns, for bench/micro.c. */
#ifndef BENCH_INTERPRETER_H
#define BENCH_INTERPRETER_H

#include <stdint.h>

/* Bytecodes that are executed in one turn of the program's loop. */
#define INTERPRETER_TURN 16

/* Executes the program's loop `turns` times, at least once. Returns what it computed. */
uint32_t interpreter__switch(uint32_t turns);
uint32_t interpreter__goto(uint32_t turns);

/* The same result, computed without bytecode. */
uint32_t interpreter__expected(uint32_t turns);

/* The n-th Fibonacci number by two calls for each n above 1. */
uint32_t interpreter__fib(uint32_t n);

#endif
