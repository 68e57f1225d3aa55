/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU around the vector executors: the real decoder with the vector rows only, the real stubs,
 * and a small guest memory whose pages are reached directly, by the slow way, or not at all.
 */
#ifndef TESTS_UNIT_VECTOR_FAKE_H
#define TESTS_UNIT_VECTOR_FAKE_H

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "core/decode/index.h"
#include "core/emulate/emulate.h"
#include "core/emulate/vector.h"
#include "core/vm/vm.h"
#include "engines/soft/vector.h"

#define GUEST_BASE 0x10000000ULL /* linear address of the first page */
#define GUEST_PAGES 4
#define GUEST_RIP 0x400000ULL

enum page_kind { PAGE_FAST, PAGE_SLOW, PAGE_READ_ONLY, PAGE_ABSENT };

extern struct vcpu fake_vcpu;
extern u8 fake_memory[GUEST_PAGES * 4096];

/* Group set-up: decoder, engine, and the vCPU loaded on this thread. */
int fake__setup(void **state);
int fake__teardown(void **state);

/* Everything allowed: long mode, all features, all pages fast and zero, initial vector state. */
void fake__reset(void);
void fake__set_page(unsigned page, enum page_kind kind);
void fake__set_code_size(unsigned code_size);
void fake__hide_feature(enum x86_feature feature);

/* Decodes and executes one instruction. Fails the test if it does not decode. */
enum exec_result fake__execute(const u8 *bytes, unsigned length);
#define EXECUTE(...) fake__execute((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

/* Asserts that the last instruction raised this exception (error: -1 for none). */
void fake__assert_raised(enum exec_result r, unsigned vector, int error);

/* The state image, up to date, and its replacement. */
struct xsave_image *fake__image(void);
void fake__set_image(const struct xsave_image *image);

/* Pseudo-random numbers, the same in each run. */
u64 fake__random(void);
/* Registers with numbers of all kinds in all formats. */
void fake__random_image(struct xsave_image *image);

#endif
