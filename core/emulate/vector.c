/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMX, SSE and AVX instructions with at most one memory operand, run as they are by the engine
 * (exceptions and their order: APM vol. 4, 1.3; SDM vol. 2, 2.4).
 */
#include "core/emulate/emulate.h"
#include "core/emulate/vector.h"
#include "core/vm/vm.h"

/* ---- may it execute? ---- */

/* No MMX while CR0.EM; a pending x87 exception is reported by the instruction itself. */
static __always_inline enum exec_result check_mmx(struct vcpu *vcpu)
{
	u64 cr0 = vcpu->cpu.cr0;

	if (likely(!(cr0 & (CR0_EM | CR0_TS))))
		return EXEC_NEXT;
	return x86__raise(vcpu, cr0 & CR0_EM ? X86_UD : X86_NM);
}

static __always_inline enum exec_result check_sse(struct vcpu *vcpu)
{
	u64 cr0 = vcpu->cpu.cr0;

	if (unlikely((cr0 & CR0_EM) || !(vcpu->cpu.cr4 & CR4_OSFXSR)))
		return x86__raise_ud(vcpu);
	return likely(!(cr0 & CR0_TS)) ? EXEC_NEXT : x86__raise(vcpu, X86_NM);
}

static __always_inline enum exec_result check_avx(struct vcpu *vcpu)
{
	const u64 need = XSTATE_SSE | XSTATE_AVX;

	if (unlikely(!(vcpu->cpu.cr4 & CR4_OSXSAVE) || (vcpu->cpu.xcr0 & need) != need))
		return x86__raise_ud(vcpu);
	return likely(!(vcpu->cpu.cr0 & CR0_TS)) ? EXEC_NEXT : x86__raise(vcpu, X86_NM);
}

enum exec_result vector__check_evex(struct vcpu *vcpu)
{
	const u64 need = XSTATE_SSE | XSTATE_AVX | XSTATE_AVX512;

	if (unlikely(!(vcpu->cpu.cr4 & CR4_OSXSAVE) || (vcpu->cpu.xcr0 & need) != need))
		return x86__raise_ud(vcpu);
	return likely(!(vcpu->cpu.cr0 & CR0_TS)) ? EXEC_NEXT : x86__raise(vcpu, X86_NM);
}

enum exec_result vector__check_mmx(struct vcpu *vcpu)
{
	return check_mmx(vcpu);
}

enum exec_result vector__check_sse(struct vcpu *vcpu)
{
	return check_sse(vcpu);
}

enum exec_result vector__check_avx(struct vcpu *vcpu)
{
	return check_avx(vcpu);
}

/* ---- the state image ---- */

struct xsave_image *vector__image(struct vcpu *vcpu)
{
	vcpu->vm->engine->vector_save(vcpu);
	return (struct xsave_image *)vcpu->xsave;
}

void vector__image_changed(struct vcpu *vcpu)
{
	vcpu->vm->engine->vector_changed(vcpu);
}

/* A part of a register that stands by itself: n bytes at from are copied, or 0 to all of it. */
static void read_part(u8 **out, unsigned *left, const u8 *part, unsigned bytes)
{
	bytes = MIN_OF(bytes, *left);
	memcpy(*out, part, bytes);
	*out += bytes;
	*left -= bytes;
}

static void write_part(const u8 **in, unsigned *left, u8 *part, unsigned bytes)
{
	unsigned n = MIN_OF(bytes, *left);

	memcpy(part, *in, n);
	memset(part + n, 0, bytes - n);
	*in += n;
	*left -= n;
}

static u8 *zmm_high(const struct xsave_image *image, unsigned reg)
{
	return xsave_image__at(image, XSTATE_ZMM_HIGH_NUMBER) + 32 * reg;
}

static u8 *zmm_more(const struct xsave_image *image, unsigned reg)
{
	return xsave_image__at(image, XSTATE_ZMM_MORE_NUMBER) + 64 * (reg - 16);
}

void vector__read_register(const struct xsave_image *image, unsigned reg, void *out, unsigned size)
{
	u8 *to = out;

	if (reg >= 16) {
		memcpy(out, zmm_more(image, reg), size);
		return;
	}
	read_part(&to, &size, image->xmm[reg], 16);
	read_part(&to, &size, image->ymm_high[reg], 16);
	if (size)
		read_part(&to, &size, zmm_high(image, reg), 32);
}

void vector__write_register(struct xsave_image *image, unsigned reg, const void *in, unsigned size)
{
	const u8 *from = in;

	if (reg >= 16) {
		write_part(&from, &size, zmm_more(image, reg), 64);
		image->xstate_bv |= XSTATE_ZMM_MORE;
		return;
	}
	write_part(&from, &size, image->xmm[reg], 16);
	write_part(&from, &size, image->ymm_high[reg], 16);
	image->xstate_bv |= XSTATE_SSE | XSTATE_AVX;
	if (size)
		image->xstate_bv |= XSTATE_ZMM_HIGH;
	if (image->xstate_bv & XSTATE_ZMM_HIGH)
		write_part(&from, &size, zmm_high(image, reg), 32);
}

void vector__merge_register(struct xsave_image *image, unsigned reg, const void *in, unsigned size)
{
	const u8 *from = in;

	memcpy(image->xmm[reg], from, MIN_OF(size, 16u));
	image->xstate_bv |= XSTATE_SSE;
	if (size <= 16)
		return;
	memcpy(image->ymm_high[reg], from + 16, size - 16);
	image->xstate_bv |= XSTATE_AVX;
}

u32 vector__mxcsr_mask(struct vcpu *vcpu)
{
	u32 mask = ((const struct xsave_image *)vcpu->xsave)->mxcsr_mask;

	/* A mask of 0 means the oldest one (SDM vol. 1, 11.6.6). */
	if (!mask)
		mask = 0xffbf;
	if (!cpuid__has(&vcpu->cpuid, FEAT_MISALIGNSSE))
		mask &= ~(u32)MXCSR_MM;
	return mask;
}

bool vector__is_amd(struct vcpu *vcpu)
{
	return !vcpu->cpuid.intel;
}

/* ---- the memory operand ---- */

unsigned vector__access_how(const struct insn *insn)
{
	return insn->seg == X86_SS ? ACCESS_STACK : 0;
}

/* An exception that was met by the engine. #XM needs CR4.OSXMMEXCPT (APM vol. 2, 8.2.20). */
static enum exec_result raise_met(struct vcpu *vcpu, const struct vector_call *call)
{
	if (call->exception == X86_XM && !(vcpu->cpu.cr4 & CR4_OSXMMEXCPT))
		return x86__raise_ud(vcpu);
	return x86__raise(vcpu, call->exception);
}

static __always_inline enum exec_result run(struct vcpu *vcpu, const struct insn *insn,
					    struct vector_call *call)
{
	enum exec_result r;

	/* The engine's slot in the instruction is the one part of it that is not constant. */
	r = vcpu->vm->engine->vector_exec(vcpu, (struct insn *)insn, call);
	return likely(r == EXEC_NEXT) ? r : r == EXEC_FAULT ? raise_met(vcpu, call) : r;
}

enum exec_result vector__run(struct vcpu *vcpu, const struct insn *insn, struct vector_call *call)
{
	return run(vcpu, insn, call);
}

/* Besides its memory operand. */
static bool uses_mmx(const struct opcode_row *row)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row->op); i++)
		if (row->op[i] == OP_Pq || row->op[i] == OP_Nq)
			return true;
	return false;
}

__attribute__((noinline)) enum exec_result vector__operand_failed(struct vcpu *vcpu,
								   const struct insn *insn,
								   enum exec_result r, u32 alignment)
{
	const struct opcode_row *row = insn->row;
	u64 linear = insn__effective_address(&vcpu->cpu, insn) + vcpu->cpu.seg[insn->seg].base;
	bool reports = row->class == CLASS_X87 ? !(row->flags & ROW_NO_WAIT) : uses_mmx(row);

	if (r != EXEC_FAULT)
		return r;
	if (reports && (vector__image(vcpu)->fsw & FSW_ES))
		return x86__raise(vcpu, X86_MF);
	if (vcpu->exception.vector == X86_SS_FAULT && insn->code != 8 && (linear & (alignment - 1)))
		return x86__raise_gp(vcpu, 0);
	return r;
}

static __attribute__((noinline)) enum exec_result
run_load_bounced(struct vcpu *vcpu, const struct insn *insn, struct vector_call *call, u64 linear,
		 unsigned size)
{
	u8 buffer[64] __attribute__((aligned(64)));
	enum exec_result r;

	r = access__read(vcpu, linear, buffer, size, vector__access_how(insn));
	if (r)
		return vector__operand_failed(vcpu, insn, r, 1);
	call->mem = buffer;
	return run(vcpu, insn, call);
}

/* An x87 store that has met an unmasked exception has written nothing (APM vol. 5, 1.2). */
static bool store_was_suppressed(struct vcpu *vcpu, const struct insn *insn, const u8 *buffer,
				 const u8 *untouched, unsigned size)
{
	return insn->row->class == CLASS_X87 && !(insn->row->flags & ROW_X87_ENV) &&
	       !memcmp(buffer, untouched, size) && (vector__image(vcpu)->fsw & FSW_ES);
}

/*
 * A store to where no single pointer leads. It has been probed, so the write after the execution
 * fails only if another processor has changed the page tables meanwhile; x87 stores pop, so their
 * state must then be put back.
 */
static __attribute__((noinline)) enum exec_result
run_store_bounced(struct vcpu *vcpu, const struct insn *insn, struct vector_call *call, u64 linear,
		  unsigned size)
{
	static const u8 untouched[64] = { 0x5a, 0xa5, 0x3c, 0xc3, 0x69, 0x96, 0x0f, 0xf1, 0x2d };
	u8 buffer[64] __attribute__((aligned(64)));
	bool x87 = insn->row->class == CLASS_X87;
	unsigned how = vector__access_how(insn);
	struct xsave_image before;
	enum exec_result r;

	r = access__probe_write(vcpu, linear, size, how);
	if (r)
		return vector__operand_failed(vcpu, insn, r, 1);
	if (x87)
		memcpy(&before, vector__image(vcpu), sizeof(before));
	memcpy(buffer, untouched, sizeof(buffer));
	call->mem = buffer;
	r = run(vcpu, insn, call);
	if (r || store_was_suppressed(vcpu, insn, buffer, untouched, size))
		return r;
	r = access__write(vcpu, linear, buffer, size, how);
	if (r && x87) {
		memcpy(vector__image(vcpu), &before, sizeof(before));
		vector__image_changed(vcpu);
	}
	return r;
}

/* MXCSR.MM lifts the alignment check of legacy SSE operands (APM vol. 1, 4.3.2). */
static __attribute__((noinline)) bool misaligned_allowed(struct vcpu *vcpu)
{
	return cpuid__has(&vcpu->cpuid, FEAT_MISALIGNSSE) &&
	       (vector__image(vcpu)->mxcsr & MXCSR_MM);
}

/* must: the operand must be aligned; unless_mm: but not while MXCSR.MM. */
static __always_inline enum exec_result run_memory(struct vcpu *vcpu, const struct insn *insn,
						   struct vector_call *call, unsigned size,
						   bool must, bool unless_mm)
{
	bool write = insn->row->flags & ROW_WRITES_MEM;
	enum exec_result r;
	u64 linear;
	void *p;

	r = emulate__operand(vcpu, insn, size, write, &linear);
	if (unlikely(r))
		return vector__operand_failed(vcpu, insn, r, must ? size : 1);
	if (unlikely(must && (linear & (size - 1)))) {
		if (!unless_mm || !misaligned_allowed(vcpu))
			return vector__operand_failed(vcpu, insn, x86__raise_gp(vcpu, 0), 1);
	}
	p = write ? tlb__write(vcpu->view, linear, size) : tlb__read(vcpu->view, linear, size);
	if (likely(p)) {
		call->mem = p;
		return run(vcpu, insn, call);
	}
	return write ? run_store_bounced(vcpu, insn, call, linear, size) :
		       run_load_bounced(vcpu, insn, call, linear, size);
}

enum exec_result vector__run_memory(struct vcpu *vcpu, const struct insn *insn,
				    struct vector_call *call, unsigned size, bool aligned)
{
	return run_memory(vcpu, insn, call, size, aligned, false);
}

/* Runs with the row's memory operand, or none. vex: the alignment rules of VEX encodings. */
static __always_inline enum exec_result run_any(struct vcpu *vcpu, const struct insn *insn,
						struct vector_call *call, bool vex)
{
	u32 flags = insn->row->flags;
	unsigned size;
	bool explicit;

	if (!(insn->flags & INSN_MEM)) {
		call->mem = NULL;
		return run(vcpu, insn, call);
	}
	size = operands__vector_size(insn);
	explicit = flags & ROW_ALIGNED;
	if (vex)
		return run_memory(vcpu, insn, call, size, explicit, false);
	return run_memory(vcpu, insn, call, size, size == 16 && !(flags & ROW_UNALIGNED),
			  !explicit);
}

enum exec_result exec_mmx(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_mmx(vcpu);
	struct vector_call call;

	return unlikely(r) ? r : run_any(vcpu, insn, &call, false);
}

enum exec_result exec_sse(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_sse(vcpu);
	struct vector_call call;

	return unlikely(r) ? r : run_any(vcpu, insn, &call, false);
}

/*
 * The SHA extensions: Intel's processors want their operands aligned (SDM vol. 2, exceptions type
 * 4), AMD's take any. The copy suits both kinds of host.
 */
enum exec_result exec_sha(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_sse(vcpu);
	struct vector_call call;
	u64 linear;

	if (unlikely(r))
		return r;
	if ((insn->flags & INSN_MEM) && vector__is_amd(vcpu)) {
		r = emulate__operand(vcpu, insn, 16, false, &linear);
		if (unlikely(r))
			return r;
		if (unlikely(linear & 15))
			return run_load_bounced(vcpu, insn, &call, linear, 16);
	}
	return run_any(vcpu, insn, &call, false);
}

enum exec_result exec_avx(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_avx(vcpu);
	struct vector_call call;

	return unlikely(r) ? r : run_any(vcpu, insn, &call, true);
}

/* Outside of 64-bit code registers 8 to 15 keep what they have; the host would clear them, too. */
enum exec_result exec_avx_zero(struct vcpu *vcpu, const struct insn *insn)
{
	struct xsave_image *image;
	enum exec_result r;
	u8 low[16];
	unsigned i;

	if (insn->code == 8)
		return exec_avx(vcpu, insn);
	r = check_avx(vcpu);
	if (r)
		return r;
	image = vector__image(vcpu);
	for (i = 0; i < 8; i++) {
		vector__read_register(image, i, low, 16);
		vector__write_register(image, i, low, insn->flags & INSN_VEX_L ? 0 : 16);
	}
	vector__image_changed(vcpu);
	return EXEC_NEXT;
}

/* ---- general registers and flags ---- */

static bool is_modrm_gpr(u8 op)
{
	return op == OP_Ey || op == OP_Eq || op == OP_Ed || op == OP_Ew || op == OP_Eb;
}

int vector__gpr_written(const struct insn *insn)
{
	u8 op = insn->row->op[0];

	if (op == OP_Gd || op == OP_Gq || op == OP_Gy)
		return insn->reg;
	return is_modrm_gpr(op) && !(insn->flags & INSN_MEM) ? insn->rm : -1;
}

u64 vector__gpr_read(struct vcpu *vcpu, const struct insn *insn)
{
	const u8 *op = insn->row->op;

	if (!(insn->flags & INSN_MEM) && (is_modrm_gpr(op[1]) || is_modrm_gpr(op[2])))
		return vcpu->cpu.gpr[insn->rm];
	return 0;
}

static __always_inline enum exec_result run_gpr(struct vcpu *vcpu, const struct insn *insn,
						bool vex)
{
	struct vector_call call = { .gpr_in = vector__gpr_read(vcpu, insn) };
	int out = vector__gpr_written(insn);
	enum exec_result r;

	r = run_any(vcpu, insn, &call, vex);
	if (likely(!r) && out >= 0)
		vcpu->cpu.gpr[out] = call.gpr_out;
	return r;
}

enum exec_result exec_mmx_gpr(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_mmx(vcpu);

	return unlikely(r) ? r : run_gpr(vcpu, insn, false);
}

enum exec_result exec_sse_gpr(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_sse(vcpu);

	return unlikely(r) ? r : run_gpr(vcpu, insn, false);
}

enum exec_result exec_avx_gpr(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_avx(vcpu);

	return unlikely(r) ? r : run_gpr(vcpu, insn, true);
}

static __always_inline enum exec_result run_flags(struct vcpu *vcpu, const struct insn *insn,
						  bool vex)
{
	struct vector_call call = { 0 };
	enum exec_result r;

	r = run_any(vcpu, insn, &call, vex);
	if (likely(!r))
		vcpu->cpu.arith = call.arith;
	return r;
}

enum exec_result exec_sse_flags(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_sse(vcpu);

	return unlikely(r) ? r : run_flags(vcpu, insn, false);
}

enum exec_result exec_avx_flags(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_avx(vcpu);

	return unlikely(r) ? r : run_flags(vcpu, insn, true);
}

/* PCMPxSTRx: lengths in (R|E)AX and (R|E)DX, an index to ECX, and flags. */
static enum exec_result run_string(struct vcpu *vcpu, const struct insn *insn, bool vex)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct vector_call call = { .rax = cpu->gpr[X86_RAX], .rdx = cpu->gpr[X86_RDX] };
	enum exec_result r;

	r = run_any(vcpu, insn, &call, vex);
	if (r)
		return r;
	if (insn->opcode & 1)
		cpu->gpr[X86_RCX] = call.rcx;
	cpu->arith = call.arith;
	return EXEC_NEXT;
}

enum exec_result exec_sse_string(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_sse(vcpu);

	return r ? r : run_string(vcpu, insn, false);
}

enum exec_result exec_avx_string(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_avx(vcpu);

	return r ? r : run_string(vcpu, insn, true);
}

/* ---- MXCSR ---- */

static enum exec_result load_mxcsr(struct vcpu *vcpu, const struct insn *insn)
{
	struct vector_call call = { 0 };
	enum exec_result r;
	u32 value;
	u64 linear;

	r = emulate__operand(vcpu, insn, 4, false, &linear);
	if (r)
		return r;
	r = access__read(vcpu, linear, &value, 4, vector__access_how(insn));
	if (r)
		return r;
	if (value & ~vector__mxcsr_mask(vcpu))
		return x86__raise_gp(vcpu, 0);
	call.mem = &value;
	return run(vcpu, insn, &call);
}

enum exec_result exec_ldmxcsr(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_sse(vcpu);

	return r ? r : load_mxcsr(vcpu, insn);
}

enum exec_result exec_avx_ldmxcsr(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_avx(vcpu);

	return r ? r : load_mxcsr(vcpu, insn);
}
