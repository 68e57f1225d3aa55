/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fetching and executing one instruction at RIP, exactly. */
#include "core/emulate/emulate.h"
#include "core/vm/vm.h"

/* All EVEX encodings are AVX-512's; vectors shorter than 512 bits are an extension of their own. */
static bool has_evex(const struct x86_cpuid *cpuid, const struct insn *insn)
{
	bool is_short = insn->vector_bytes < 64 && (insn->row->evex & EVEX_512);

	return cpuid__has(cpuid, FEAT_AVX512F) && (!is_short || cpuid__has(cpuid, FEAT_AVX512VL));
}

enum exec_result emulate__check(struct vcpu *vcpu, const struct insn *insn)
{
	const struct opcode_row *row = insn->row;

	if (unlikely(!insn->exec))
		return EXEC_FAIL;
	if (unlikely(!cpuid__has(&vcpu->cpuid, row->feature)))
		return x86__raise_ud(vcpu);
	if (unlikely(insn->flags & INSN_EVEX) && !has_evex(&vcpu->cpuid, insn))
		return x86__raise_ud(vcpu);
	if (insn->code != 8 && (row->flags & ROW_PROT || insn->flags & INSN_VEX) &&
	    x86__is_real_like(&vcpu->cpu))
		return x86__raise_ud(vcpu);
	return EXEC_NEXT;
}

/*
 * The linear address of the next instruction byte, and how many bytes may follow before the end of
 * the code segment (SDM vol. 3, 5.3). Code is not fetched beyond it, nor from a non-canonical
 * address: #GP(0).
 */
static enum exec_result code_address(struct vcpu *vcpu, u64 offset, u64 *linear, u64 *room)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	const struct x86_segment *cs = &cpu->seg[X86_CS];
	unsigned shift = cpu->cr4 & CR4_LA57 ? 7 : 16;

	if (likely(cpu->code_size == 8)) {
		*linear = offset;
		*room = ~0ULL;
		if (unlikely((u64)((s64)(offset << shift) >> shift) != offset))
			return x86__raise_gp(vcpu, 0);
		return EXEC_NEXT;
	}
	if (unlikely(offset > cs->limit))
		return x86__raise_gp(vcpu, 0);
	*linear = (u32)(cs->base + offset);
	*room = cs->limit - offset + 1;
	return EXEC_NEXT;
}

/*
 * Copies up to size instruction bytes at offset within CS, not beyond their page. *got is how many;
 * they are copied so that another vCPU can't change them while they are decoded.
 */
static enum exec_result fetch_bytes(struct vcpu *vcpu, u64 offset, unsigned size, u8 *bytes,
				    unsigned *got)
{
	enum exec_result result;
	u64 linear = 0, room = 0, gpa;
	const u8 *host;
	u64 n;

	result = code_address(vcpu, offset, &linear, &room);
	if (result != EXEC_NEXT)
		return result;
	result = access__fetch_page(vcpu, linear, &gpa, &host);
	if (result != EXEC_NEXT)
		return result;
	if (unlikely(!host))
		return EXEC_FAIL;
	n = PAGE_SIZE_4K - (linear & (PAGE_SIZE_4K - 1));
	n = MIN_OF(n, room);
	*got = MIN_OF(n, size);
	memcpy(bytes, host, *got);
	return EXEC_NEXT;
}

enum exec_result emulate__fetch(struct vcpu *vcpu, struct insn *insn)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	enum decode_result decoded = DECODE_SHORT;
	u8 bytes[INSN_MAX_LENGTH];
	unsigned have = 0, got;

	/* The second page is looked at only if the first one's bytes make no instruction. */
	while (decoded == DECODE_SHORT && have < sizeof(bytes)) {
		enum exec_result result;

		result = fetch_bytes(vcpu, cpu->rip + have, sizeof(bytes) - have, bytes + have,
				     &got);
		if (result != EXEC_NEXT)
			return result;
		have += got;
		decoded = decode__insn(bytes, have, cpu->code_size, insn);
	}
	switch (decoded) {
	case DECODE_OK:
		return EXEC_NEXT;
	case DECODE_UNDEFINED:
		return x86__raise_ud(vcpu);
	default:
		return x86__raise_gp(vcpu, 0);
	}
}

enum exec_result emulate__one(struct vcpu *vcpu)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result result;
	struct insn insn;

	result = emulate__fetch(vcpu, &insn);
	if (result == EXEC_NEXT)
		result = emulate__check(vcpu, &insn);
	if (result != EXEC_NEXT)
		return result;
	result = insn.exec(vcpu, &insn);
	if (result == EXEC_NEXT || result == EXEC_STOP) {
		cpu->rip += insn.len;
		if (insn.code != 8)
			cpu->rip = (u32)cpu->rip;
	}
	return result;
}
