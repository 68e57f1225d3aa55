/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory: block operations on general registers, allocation, copies from and to ioctl callers. */
#include "core/host.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include "engines/soft/vector.h"
#include "hosts/user/syscall.h"

#define ALLOC_ALIGNMENT 64
#define PAGE 4096ULL
#define HUGE_PAGE (2ULL << 20)
#define SHORT_COPY 64

/* ---- what the compiler and the core call; see the names in core/host.h ---- */

/* Short copies are most, and REP MOVSB has a start-up cost of some 30 cycles. */
static void copy_short(u8 *d, const u8 *s, size_t n)
{
	if (n >= 8) {
		u64 tail = *(const u64 *)(s + n - 8);
		size_t i;

		for (i = 0; i + 8 < n; i += 8)
			*(u64 *)(d + i) = *(const u64 *)(s + i);
		*(u64 *)(d + n - 8) = tail;
	} else if (n >= 4) {
		u32 head = *(const u32 *)s, tail = *(const u32 *)(s + n - 4);

		*(u32 *)d = head;
		*(u32 *)(d + n - 4) = tail;
	} else if (n) {
		u8 first = s[0], middle = s[n / 2], last = s[n - 1];

		d[0] = first;
		d[n / 2] = middle;
		d[n - 1] = last;
	}
}

void *memcpy(void *dst, const void *src, size_t n)
{
	void *to = dst;

	if (n <= SHORT_COPY) {
		copy_short(dst, src, n);
		return dst;
	}
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	u8 *to = (u8 *)dst + n - 1;
	const u8 *from = (const u8 *)src + n - 1;

	if ((uintptr_t)dst - (uintptr_t)src >= n) {
		/* Forwards, byte by byte as far as the result goes: the ranges may overlap. */
		void *forward = dst;

		__asm__ volatile("rep movsb" : "+D"(forward), "+S"(src), "+c"(n) : : "memory");
		return dst;
	}
	__asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *to = dst;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n >= 8 && *(const u64 *)x == *(const u64 *)y; n -= 8, x += 8, y += 8)
		;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

/* ---- allocation ---- */

void *host__alloc(size_t n)
{
	void *p;

	if (n > (size_t)PTRDIFF_MAX - ALLOC_ALIGNMENT)
		return NULL;
	soft__park_vectors();
	p = aligned_alloc(ALLOC_ALIGNMENT, ALIGN_UP_TO(n ? n : 1, ALLOC_ALIGNMENT));
	if (p)
		memset(p, 0, n);
	return p;
}

void host__free(void *p)
{
	if (!p)
		return;
	soft__park_vectors();
	free(p);
}

void *host__alloc_sparse(size_t n)
{
	/* What huge pages fit into starts where one can: the mapping is made too long, and cut. */
	size_t more = n >= HUGE_PAGE ? HUGE_PAGE : 0, head;
	long p;

	if (!n || n > (size_t)PTRDIFF_MAX - HUGE_PAGE - PAGE)
		return NULL;
	n = ALIGN_UP_TO(n, PAGE);
	p = RAW_SYSCALL(SYS_mmap, 0, n + more, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p < 0 && p > -4096)
		return NULL;
	if (!more)
		return (void *)p;
	head = -p % HUGE_PAGE;
	if (head)
		RAW_SYSCALL(SYS_munmap, p, head);
	RAW_SYSCALL(SYS_munmap, p + head + n, more - head);
	return (void *)(p + head);
}

void host__prefer_huge(void *p, size_t n)
{
	RAW_SYSCALL(SYS_madvise, p, n, MADV_HUGEPAGE);
}

void host__free_sparse(void *p, size_t n)
{
	if (p)
		RAW_SYSCALL(SYS_munmap, p, ALIGN_UP_TO(n, PAGE));
}

void host__populate(void *p, size_t n, bool write)
{
	/* Kernels before 5.14 don't know these. */
	RAW_SYSCALL(SYS_madvise, p, n, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

void host__discard(void *p, size_t n)
{
	/* For memory objects; private memory is told otherwise. */
	if (RAW_SYSCALL(SYS_madvise, p, n, MADV_REMOVE))
		RAW_SYSCALL(SYS_madvise, p, n, MADV_DONTNEED);
}

/* ---- the caller's memory: a bad address is an error there, not a signal here ---- */

static int copy_checked(long call, void *core, u64 user, size_t n)
{
	struct iovec local = { core, n }, remote = { (void *)user, n };
	long done;

	if (!n)
		return 0;
	done = RAW_SYSCALL(call, RAW_SYSCALL(SYS_getpid), &local, 1, &remote, 1, 0);
	if (done == -ENOSYS || done == -EPERM) {
		/* Forbidden by a sandbox: then the addresses are trusted. */
		if (call == SYS_process_vm_readv)
			memcpy(core, (const void *)user, n);
		else
			memcpy((void *)user, core, n);
		return 0;
	}
	return done == (long)n ? 0 : -EFAULT;
}

int host__copy_from_user(void *dst, u64 user, size_t n)
{
	return copy_checked(SYS_process_vm_readv, dst, user, n);
}

int host__copy_to_user(u64 user, const void *src, size_t n)
{
	return copy_checked(SYS_process_vm_writev, (void *)src, user, n);
}

void *host__slot_pointer(u64 hva, size_t n)
{
	return (void *)hva;
}
