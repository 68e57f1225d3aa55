/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a block's two executions came to the same. */
#include "engines/soft/soft.h"

static bool is_same_exception(const struct vcpu_exception *a, const struct vcpu_exception *b)
{
	if (!a->pending || !b->pending)
		return a->pending == b->pending;
	return a->vector == b->vector && a->has_error == b->has_error && a->trap == b->trap &&
	       (!a->has_error || a->error == b->error) && a->payload == b->payload;
}

/* Executors copy whole structures: what lies between their members is the same, too. */
static bool is_same_cpu(const struct check *check)
{
	const struct x86_cpu *a = &check->interpreted.cpu, *b = &check->translated.cpu;
	const size_t flags = offsetof(struct x86_cpu, arith);
	const size_t rest = offsetof(struct x86_cpu, sysflags);
	size_t end = check->has_system ? sizeof(*a) : CHECK_PLAIN_BYTES;
	u64 defined = RFLAGS_ARITH & ~check->undefined;

	return !memcmp(a, b, flags) && !((a->arith ^ b->arith) & defined) &&
	       !memcmp((const u8 *)a + rest, (const u8 *)b + rest, end - rest);
}

/* Not the header: which components count as in use is up to the processor. */
static bool is_same_vectors(const struct xsave_image *a, const struct xsave_image *b)
{
	return !memcmp(a, b, offsetof(struct xsave_image, mxcsr_mask)) &&
	       !memcmp(a->st, b->st, sizeof(a->st)) && !memcmp(a->xmm, b->xmm, sizeof(a->xmm)) &&
	       a->fcs == b->fcs && a->fds == b->fds &&
	       !memcmp(a->ymm_high, b->ymm_high, sizeof(a->ymm_high)) &&
	       !memcmp(a->more, b->more, sizeof(a->more));
}

bool check__is_same(struct vcpu *vcpu, const struct check *check)
{
	const struct check_outcome *a = &check->interpreted, *b = &check->translated;

	return a->result == b->result && is_same_cpu(check) &&
	       is_same_exception(&a->exception, &b->exception) &&
	       a->breakpoint_hits == b->breakpoint_hits &&
	       (!check->has_vectors || is_same_vectors(&a->vectors, &b->vectors));
}

void check__keep_written(struct check *check)
{
	u8 *to = check->written;
	unsigned i;

	for (i = 0; i < check->journal.nr_records; i++) {
		u32 size;
		const u8 *window = check__window(&check->journal.record[i], &size);

		memcpy(to, window, size);
		to += size;
	}
}

bool check__is_written_same(const struct check *check, bool *neighbour)
{
	const u8 *kept = check->written;
	unsigned i;

	if (check->journal.full)
		return false;
	for (i = 0; i < check->journal.nr_records; i++) {
		const struct journal_record *r = &check->journal.record[i];
		const u8 *window;
		u32 size, j;

		if (r->extra)
			return false;
		window = check__window(r, &size);
		for (j = 0; j < size; j++)
			if (window[j] != kept[j]) {
				*neighbour = !journal__has(&check->journal, window + j);
				return false;
			}
		kept += size;
	}
	return true;
}
