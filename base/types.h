/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixed-width integers and the compiler's words that all freestanding code uses. */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/errno.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <asm/errno.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#ifdef __SIZEOF_INT128__ /* not in 32-bit code */
typedef unsigned __int128 u128;
#endif

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define BIT64(n) (1ULL << (n))
#define ALIGN_DOWN_TO(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP_TO(x, a) (((x) + ((__typeof__(x))(a)-1)) & ~((__typeof__(x))(a)-1))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define container_of_type(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
