/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest-linear memory accesses of an executing instruction: translation, faults, device memory.
 *
 * All functions return EXEC_NEXT (done), EXEC_FAULT (exception recorded), EXEC_EXIT (device memory
 * in user space: the instruction will be executed again when the data is there) or EXEC_FAIL. On
 * anything but EXEC_NEXT nothing was written. Addresses are linear: segment base added, limits
 * checked (see core/x86/segment.h). They check canonical form: #GP(0), or #SS(0) with ACCESS_STACK.
 *
 * Owner thread of the vCPU only.
 */
#ifndef CORE_MEMORY_ACCESS_H
#define CORE_MEMORY_ACCESS_H

#include "core/decode/insn.h"
#include "core/memory/tlb.h"

struct vcpu;

/* how */
#define ACCESS_IMPLICIT 1 /* system structure: supervisor whatever the CPL (GDT, IDT, TSS, LDT) */
#define ACCESS_STACK 2	  /* non-canonical is #SS(0) */
#define ACCESS_AS_USER 4  /* as CPL 3, whatever the CPL now (pushes to an outer stack) */
#define ACCESS_AS_KERNEL 8 /* as CPL 0 with implicit SMAP rules (inner stack of a gate) */

/* Reads / writes 1 to 4096 bytes; may cross a page; both pages are checked before any write. */
enum exec_result access__read(struct vcpu *vcpu, u64 linear, void *buf, unsigned size,
			      unsigned how);
enum exec_result access__write(struct vcpu *vcpu, u64 linear, const void *buf, unsigned size,
			       unsigned how);
/* Checks that a write would succeed, and sets accessed and dirty bits, without writing. */
enum exec_result access__probe_write(struct vcpu *vcpu, u64 linear, unsigned size, unsigned how);
enum exec_result access__probe_read(struct vcpu *vcpu, u64 linear, unsigned size, unsigned how);

/*
 * For read-modify-write: a host pointer to size bytes (1 to 64) that the caller may read and then
 * write at once, with host atomics for LOCK. *ptr is NULL on EXEC_NEXT when no single pointer
 * exists (page crossing, device memory): the caller reads with access__read(), then writes with
 * access__write(), between vm__stop_all() and vm__resume_all() if it is locked. The write is already
 * announced.
 */
enum exec_result access__rmw(struct vcpu *vcpu, u64 linear, unsigned size, void **ptr);

/*
 * Fetches up to size instruction bytes at a linear address within one page, for execution at the
 * current privilege. On EXEC_NEXT *gpa is the address of the first byte and *host points at it
 * (NULL for device memory, then bytes can't be fetched: the caller reports EXEC_FAIL).
 */
enum exec_result access__fetch_page(struct vcpu *vcpu, u64 linear, u64 *gpa, const u8 **host);

/* KVM_TRANSLATE: 0 and the gpa, or -EFAULT. Sets no accessed bits. */
int access__translate(struct vcpu *vcpu, u64 linear, u64 *gpa, bool *writable, bool *user);

#define DEFINE_ACCESS(bits)                                                                        \
	static __always_inline enum exec_result access__read##bits(struct vcpu *vcpu,              \
								   struct tlb_entry *view,         \
								   u64 linear, u##bits *out)       \
	{                                                                                          \
		const void *p = tlb__read(view, linear, bits / 8);                                 \
                                                                                                   \
		if (unlikely(!p))                                                                  \
			return access__read(vcpu, linear, out, bits / 8, 0);                       \
		*out = *(const volatile u##bits *)p;                                               \
		return EXEC_NEXT;                                                                  \
	}                                                                                          \
	static __always_inline enum exec_result access__write##bits(struct vcpu *vcpu,             \
								    struct tlb_entry *view,        \
								    u64 linear, u##bits value)     \
	{                                                                                          \
		void *p = tlb__write(view, linear, bits / 8);                                      \
                                                                                                   \
		if (unlikely(!p))                                                                  \
			return access__write(vcpu, linear, &value, bits / 8, 0);                   \
		*(volatile u##bits *)p = value;                                                    \
		return EXEC_NEXT;                                                                  \
	}

/* access__read8() ... access__write64(): one naturally sized access through the current view. */
DEFINE_ACCESS(8)
DEFINE_ACCESS(16)
DEFINE_ACCESS(32)
DEFINE_ACCESS(64)

#endif
