/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ownership of the thread's vector registers, and running an instruction on guest state in them. */
#include "core/emulate/vector.h"
#include "core/vm/vcpu.h"
#include "engines/soft/vector.h"
#include "engines/soft/vector_stub.h"

#define XSAVE_BYTES 4096

/* What the host has; set up once. */
static struct {
	bool xsave;
	bool avx;
	bool xsaveopt;
	/* x87 pointers: see soft__x87_has_selectors() and its neighbours */
	bool selectors;
	bool keeps_opcode;
	bool keeps_data;
	u64 mask; /* components that guests can have */
	u32 mxcsr_mask;
} host;

/* The vCPU loaded on this thread. */
static __thread struct vcpu *current;

static struct xsave_image *image_of(struct vcpu *vcpu)
{
	return (struct xsave_image *)vcpu->xsave;
}

/* ---- registers ---- */

static void load_registers(const struct xsave_image *image)
{
	if (host.xsave)
		__asm__ volatile("xrstor64 %0" : : "m"(*image), "a"((u32)host.mask), "d"(0));
	else
		__asm__ volatile("fxrstor64 %0" : : "m"(*image));
}

/* Control words as libc expects them, and nothing on the x87 stack. */
static void give_to_host(const struct soft_vectors *v)
{
	if (host.avx)
		__asm__ volatile("vzeroupper");
	__asm__ volatile("fninit\n\t"
			 "fldcw %0\n\t"
			 "ldmxcsr %1"
			 :
			 : "m"(v->host_fcw), "m"(v->host_mxcsr));
}

/* ---- the image ---- */

static void init_component(struct xsave_image *image, u64 component)
{
	if (component == XSTATE_X87) {
		memset(image, 0, offsetof(struct xsave_image, mxcsr));
		image->fcw = FCW_INIT;
		image->fcs = 0;
		image->fds = 0;
		memset(image->st, 0, sizeof(image->st));
	} else if (component == XSTATE_SSE) {
		memset(image->xmm, 0, sizeof(image->xmm));
	} else {
		const struct xstate_component *c = xstate__components() + __builtin_ctzll(component);

		memset((u8 *)image + c->offset, 0, c->size);
	}
}

static void init_components(struct xsave_image *image, u64 components)
{
	u64 component;

	for (component = 1; component <= components; component <<= 1)
		if (components & component)
			init_component(image, component);
}

/* XSAVEOPT leaves what is in its initial state as it was in memory. */
static void store_registers(struct xsave_image *image)
{
	u64 before = image->xstate_bv;

	if (host.xsaveopt) {
		__asm__ volatile("xsaveopt64 %0" : "+m"(*image) : "a"((u32)host.mask), "d"(0));
		init_components(image, before & ~image->xstate_bv & host.mask);
	} else if (host.xsave) {
		__asm__ volatile("xsave64 %0" : "+m"(*image) : "a"((u32)host.mask), "d"(0));
	} else {
		__asm__ volatile("fxsave64 %0" : "+m"(*image));
		image->xstate_bv = host.mask;
	}
}

/* XRSTOR faults on a header or an MXCSR that isn't right. */
static void make_loadable(struct xsave_image *image)
{
	image->xstate_bv &= host.mask;
	image->xcomp_bv = 0;
	memset(image->reserved3, 0, sizeof(image->reserved3));
	image->mxcsr &= host.mxcsr_mask;
	image->mxcsr_mask = host.mxcsr_mask;
}

/*
 * With an unmasked exception pending, and an opcode or data pointer in the registers, which are loaded without, an
 * instruction has raised it (FLDCW may unmask an old one). That was the last one: what generated code has written
 * of it by the time that somebody looks at it. No other can follow before the exception is cleared.
 */
static void note_raised(struct soft_vectors *v, const struct xsave_image *image)
{
	if (!(image->fsw & FSW_ES)) {
		v->raised = v->raised_by_memory = false;
		return;
	}
	v->raised |= image->fop || (host.keeps_data && image->fdp);
	v->raised_by_memory |= image->fdp;
	if (v->raised)
		v->raised_fop = v->fop;
	if (v->raised_by_memory)
		v->raised_fdp = v->fdp;
}

static void save_state(struct vcpu *vcpu, struct soft_vectors *v)
{
	struct xsave_image *image = image_of(vcpu);

	if (v->live) {
		/* As they were loaded, if XSAVEOPT finds nothing changed and writes nothing. */
		image->fop = 0;
		image->fdp = 0;
		store_registers(image);
		note_raised(v, image);
	}
	image->fop = host.keeps_opcode ? v->raised_fop : v->fop;
	image->fip = v->fip;
	image->fdp = host.keeps_data ? v->raised_fdp : v->fdp;
	image->fcs = v->fcs;
	image->fds = v->fds;
}

static void make_live(struct vcpu *vcpu, struct soft_vectors *v)
{
	struct xsave_image *image = image_of(vcpu);

	make_loadable(image);
	image->fop = 0;
	image->fdp = 0;
	load_registers(image);
	v->live = true;
}

void soft__vectors_make_live(struct vcpu *vcpu)
{
	struct soft_vectors *v = soft__vectors(vcpu);

	if (!v->live)
		make_live(vcpu, v);
}

void soft__vector_save(struct vcpu *vcpu)
{
	save_state(vcpu, soft__vectors(vcpu));
}

void soft__vector_changed(struct vcpu *vcpu)
{
	struct soft_vectors *v = soft__vectors(vcpu);
	struct xsave_image *image = image_of(vcpu);

	make_loadable(image);
	init_components(image, host.mask & ~image->xstate_bv);
	v->fop = image->fop;
	v->fip = image->fip;
	v->fdp = image->fdp;
	v->fcs = host.selectors ? image->fcs : 0;
	v->fds = host.selectors ? image->fds : 0;
	v->raised = v->raised_by_memory = false;
	v->raised_fop = image->fop;
	v->raised_fdp = image->fdp;
	if (v->live) {
		v->live = false;
		give_to_host(v);
	}
}

void soft__vectors_put_pointers(struct vcpu *vcpu, const struct soft_vectors *from)
{
	struct soft_vectors *v = soft__vectors(vcpu);
	bool live = v->live;

	*v = *from;
	v->live = live;
}

static void park(struct vcpu *vcpu)
{
	struct soft_vectors *v = soft__vectors(vcpu);

	if (!v->live)
		return;
	save_state(vcpu, v);
	v->live = false;
	give_to_host(v);
}

void soft__park_vectors(void)
{
	if (current)
		park(current);
}

void soft__vectors_load(struct vcpu *vcpu)
{
	struct soft_vectors *v = soft__vectors(vcpu);

	__asm__ volatile("stmxcsr %0\n\t"
			 "fnstcw %1"
			 : "=m"(v->host_mxcsr), "=m"(v->host_fcw));
	current = vcpu;
}

void soft__vectors_put(struct vcpu *vcpu)
{
	park(vcpu);
	current = NULL;
}

u64 soft__vectors_fault(u64 rip)
{
	return current ? soft__code_fault(current, rip) : 0;
}

bool soft__x87_has_selectors(void)
{
	return host.selectors;
}

bool soft__x87_keeps_opcode(void)
{
	return host.keeps_opcode;
}

bool soft__x87_keeps_data(void)
{
	return host.keeps_data;
}

/* ---- execution ---- */

static void track_x87(struct vcpu *vcpu, struct soft_vectors *v, const struct insn *insn)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	v->fop = (insn->opcode & 7) << 8 | insn->modrm;
	v->fip = cpu->rip;
	v->fcs = host.selectors ? cpu->seg[X86_CS].selector : 0;
	if (insn->flags & INSN_MEM) {
		v->fdp = insn__effective_address(cpu, insn);
		v->fds = host.selectors ? cpu->seg[insn->seg].selector : 0;
	}
}

static void forget_x87(struct soft_vectors *v)
{
	v->fop = 0;
	v->fip = 0;
	v->fdp = 0;
	v->fcs = 0;
	v->fds = 0;
	v->raised = v->raised_by_memory = false;
	v->raised_fop = 0;
	v->raised_fdp = 0;
}

/* In the registers. */
static bool exception_is_pending(void)
{
	u16 status;

	__asm__ volatile("fnstsw %0" : "=a"(status));
	return status & FSW_ES;
}

static __always_inline u32 enter_stub(struct vcpu *vcpu, struct soft_vectors *v,
				      const struct insn *insn, struct vector_call *call, u32 stub)
{
	u32 vector;

	if (unlikely(!v->live)) {
		make_live(vcpu, v);
	} else if (unlikely(stub & STUB_CLEAR) && host.keeps_opcode && exception_is_pending()) {
		/* It can still be told who has raised what is pending. */
		save_state(vcpu, v);
		v->raised = v->raised_by_memory = false;
		make_live(vcpu, v);
	}
	if (likely(!(stub & STUB_FULL))) {
		vector = stub__call_plain(call->mem, stub__address(stub));
	} else {
		if (insn->row->reads)
			call->arith = (call->arith & RFLAGS_ARITH) | RFLAGS_FIXED | RFLAGS_IF;
		else
			call->arith = 0;
		vector = stub__call_full(call, stub__address(stub));
	}
	if ((stub & (STUB_X87 | STUB_INIT)) && !vector) {
		if (stub & STUB_X87)
			track_x87(vcpu, v, insn);
		else
			forget_x87(v);
	}
	return vector;
}

/* No stub is left: one is filled, used under its lock and given back. */
static __attribute__((noinline)) u32 enter_spare_stub(struct vcpu *vcpu, struct soft_vectors *v,
						      const struct insn *insn,
						      struct vector_call *call)
{
	u32 stub = stub__lock_spare(insn), vector;

	vector = enter_stub(vcpu, v, insn, call, stub);
	stub__unlock_spare();
	return vector;
}

/* The thread has not loaded this vCPU (completion of an instruction outside of KVM_RUN). */
static __attribute__((noinline)) enum exec_result
exec_unloaded(struct vcpu *vcpu, struct insn *insn, struct vector_call *call)
{
	struct vcpu *before = current;
	enum exec_result r;

	soft__park_vectors();
	soft__vectors_load(vcpu);
	r = soft__vector_exec(vcpu, insn, call);
	soft__vectors_put(vcpu);
	current = before;
	return r;
}

enum exec_result soft__vector_exec(struct vcpu *vcpu, struct insn *insn, struct vector_call *call)
{
	struct soft_vectors *v = soft__vectors(vcpu);
	u32 vector;

	if (unlikely(!v->live && current != vcpu))
		return exec_unloaded(vcpu, insn, call);
	if (unlikely(!insn->engine))
		insn->engine = stub__find(insn);
	if (likely(insn->engine))
		vector = enter_stub(vcpu, v, insn, call, insn->engine);
	else
		vector = enter_spare_stub(vcpu, v, insn, call);
	if (likely(!vector))
		return EXEC_NEXT;
	call->exception = vector;
	return EXEC_FAULT;
}

/* ---- set-up ---- */

/* By what an instruction leaves: a hypervisor may hide CPUID.7:EBX[6] and [13], which say the same to guests. */
static void look_at_x87(void)
{
	static const float one = 1;
	u32 env[7];
	u16 control;

	__asm__ volatile("fnstcw %1\n\t"
			 "fninit\n\t"
			 "flds %2\n\t"
			 "fnstenv %0\n\t"
			 "fninit\n\t"
			 "fldcw %1"
			 : "=m"(env), "=m"(control)
			 : "m"(one));
	host.selectors = env[4] & 0xffff;
	host.keeps_opcode = !(env[4] >> 16);
	host.keeps_data = !env[5];
}

static void look_at_host(void)
{
	u8 area[512] __attribute__((aligned(16)));
	u32 regs[4], mask;

	host__cpuid(1, 0, regs);
	host.xsave = regs[2] & 1u << 27; /* OSXSAVE */
	host.mask = XSTATE_X87 | XSTATE_SSE;
	if (host.xsave)
		host.mask = xstate__supported();
	host.avx = host.mask & XSTATE_AVX;
	if (host.xsave) {
		host__cpuid(CPUID_XSTATE, 1, regs);
		host.xsaveopt = regs[0] & 1;
	}
	look_at_x87();
	memset(area, 0, sizeof(area));
	__asm__ volatile("fxsave64 %0" : "+m"(area));
	memcpy(&mask, area + offsetof(struct xsave_image, mxcsr_mask), sizeof(mask));
	host.mxcsr_mask = mask ? mask : 0xffbf;
}

int soft__vectors_setup(const char **why)
{
	int error;

	look_at_host();
	error = stub__setup(why);
	if (error)
		return error;
	error = stub_fault__setup(why);
	if (error)
		stub__teardown();
	return error;
}

void soft__vectors_teardown(void)
{
	stub_fault__teardown();
	stub__teardown();
}

int soft__vectors_create(struct vcpu *vcpu)
{
	vcpu->xsave = host__alloc(XSAVE_BYTES);
	if (!vcpu->xsave)
		return -ENOMEM;
	image_of(vcpu)->mxcsr = MXCSR_INIT;
	soft__vector_changed(vcpu);
	return 0;
}

void soft__vectors_destroy(struct vcpu *vcpu)
{
	host__free(vcpu->xsave);
	vcpu->xsave = NULL;
}
