/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the decoder, the emulator and the engine's blocks, in any state of the processor.
 *
 * Input: the state, then code (emulate_guest.c). It runs twice, in the engine's blocks and one
 * instruction at a time by the emulator, and both must come to the same state, by the same device
 * accesses. The engine stops where it likes: the state it stopped in must be one that the other way
 * goes through.
 */
#include "tests/fuzz/emulate_guest.h"
#include "engines/soft/soft.h"

#define MAX_EXITS 12
#define MAX_LOOKS 4 /* exits of an engine whose budget is spent */
#define MAX_STEPS 1500

/* Where a run has come to. */
struct outcome {
	struct x86_cpu cpu;
	u64 mp_state;
	u64 accesses; /* a hash of all device accesses */
	bool shutdown;
	u8 vectors[832];
	u8 memory[MEMORY_SIZE];
};

static u64 accesses;

/* ---- invariants ---- */

static void check_derived_state(struct vcpu *vcpu)
{
	struct x86_cpu before = vcpu->cpu;
	struct tlb_entry *view = vcpu->view;
	unsigned i;

	x86__mode_changed(vcpu);
	FUZZ_CHECK(vcpu->view == view);
	FUZZ_CHECK(vcpu->cpu.cpl == before.cpl && vcpu->cpu.code_size == before.code_size);
	FUZZ_CHECK(vcpu->cpu.long_mode == before.long_mode);
	for (i = 0; i < X86_NR_SEG && before.code_size != 8; i++)
		FUZZ_CHECK(vcpu->cpu.seg[i].flat == before.seg[i].flat);
	vcpu->cpu = before;
}

static void check_state(struct vcpu *vcpu)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	const u64 known = RFLAGS_FIXED | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL |
			  RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP |
			  RFLAGS_ID;

	FUZZ_CHECK(!cpu->zero);
	FUZZ_CHECK((cpu->sysflags & RFLAGS_FIXED) && !(cpu->sysflags & ~known));
	FUZZ_CHECK(!(cpu->cr0 & CR0_PG) || (cpu->cr0 & CR0_PE));
	FUZZ_CHECK(!(cpu->cr0 & CR0_NW) || (cpu->cr0 & CR0_CD));
	FUZZ_CHECK(!(cpu->efer & EFER_LMA) == !((cpu->efer & EFER_LME) && (cpu->cr0 & CR0_PG)));
	FUZZ_CHECK(!(cpu->efer & EFER_LMA) || (cpu->cr4 & CR4_PAE));
	FUZZ_CHECK(!(cpu->sysflags & RFLAGS_VM) || !(cpu->efer & EFER_LMA));
	FUZZ_CHECK(cpu->xcr0 & 1);
	check_derived_state(vcpu);
	FUZZ_CHECK(vcpu->io.nr_answers <= VCPU_IO_FRAGMENTS);
	FUZZ_CHECK(vcpu->io.nr_writes <= VCPU_IO_FRAGMENTS);
}

/* ---- device accesses ---- */

static void note(u64 value)
{
	accesses = (accesses ^ value) * 0x100000001b3ULL;
	accesses ^= accesses >> 29;
}

/* What a device answers follows from the address only. */
static void fill_answer(u8 *data, unsigned size, u64 address)
{
	unsigned i;

	for (i = 0; i < size; i++)
		data[i] = (address + i) * 37 >> 1;
}

static void answer(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	unsigned size, i;

	note(run->exit_reason);
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		size = run->io.size * run->io.count;
		FUZZ_CHECK(size && size <= 4096);
		FUZZ_CHECK(run->io.size == 1 || run->io.size == 2 || run->io.size == 4);
		note(run->io.port << 16 | run->io.direction << 8 | run->io.size);
		if (run->io.direction == KVM_EXIT_IO_OUT)
			for (i = 0; i < size; i++)
				note(vcpu->pio_data[i]);
		else
			fill_answer(vcpu->pio_data, size, run->io.port);
		break;
	case KVM_EXIT_MMIO:
		FUZZ_CHECK(run->mmio.len >= 1 && run->mmio.len <= 8);
		note(run->mmio.phys_addr);
		note(run->mmio.len << 8 | run->mmio.is_write);
		if (run->mmio.is_write)
			for (i = 0; i < run->mmio.len; i++)
				note(run->mmio.data[i]);
		else
			fill_answer(run->mmio.data, 8, run->mmio.phys_addr);
		break;
	case KVM_EXIT_HYPERCALL:
	case KVM_EXIT_INTERNAL_ERROR:
	case KVM_EXIT_DEBUG:
	case KVM_EXIT_SHUTDOWN:
		break;
	default:
		FUZZ_CHECK(!"an exit that nobody asked for");
	}
}

/*
 * Hands out and completes accesses until the vCPU can go on. False if it can't, or has had enough.
 * `r` is what the last function of run_io.c returned.
 */
static bool complete(struct vcpu *vcpu, int r)
{
	unsigned left = 4 * VCPU_IO_FRAGMENTS;

	while (r == 0) {
		if (vcpu->run->exit_reason != KVM_EXIT_IO &&
		    vcpu->run->exit_reason != KVM_EXIT_MMIO)
			return false;
		answer(vcpu);
		FUZZ_CHECK(left--); /* an instruction that never ends */
		r = run__complete(vcpu);
	}
	FUZZ_CHECK(r == 1);
	return true;
}

static bool look_at_requests(struct vcpu *vcpu)
{
	vcpu->leave = 0;
	return run__requests(vcpu) > 0;
}

/* ---- the two ways ---- */

static void take_outcome(struct vcpu *vcpu, struct outcome *o, bool shutdown)
{
	unsigned i;

	vcpu->vm->engine->vector_save(vcpu);
	o->cpu = vcpu->cpu;
	o->cpu.arith &= RFLAGS_ARITH;
	for (i = 0; i < X86_NR_SEG; i++)
		o->cpu.seg[i].flat = false;
	o->mp_state = vcpu->mp_state;
	o->accesses = accesses;
	o->shutdown = shutdown;
	memcpy(o->vectors, vcpu->xsave, sizeof(o->vectors));
	memcpy(o->memory, guest_memory, MEMORY_SIZE);
}

/* Returns how many instructions retired. */
static u64 run_in_blocks(struct vcpu *vcpu, struct outcome *o)
{
	unsigned exits, looks = 0;
	bool shutdown = false;

	accesses = 0;
	vcpu->stats.insns = 0;
	vm__enter_guest(vcpu);
	vcpu->vm->engine->vcpu_load(vcpu);
	for (exits = 0; exits < MAX_EXITS && !shutdown; exits++) {
		struct engine_exit exit = { 0 };
		int r = 1;

		soft__run(vcpu, &exit);
		check_state(vcpu);
		if (exit.reason == ENGINE_EXIT_EVENT && ++looks == MAX_LOOKS)
			break;
		if (exit.reason == ENGINE_EXIT_SHUTDOWN) {
			shutdown = true;
			complete(vcpu, run__hand_out(vcpu));
			break;
		}
		if (exit.reason == ENGINE_EXIT_FAIL)
			r = run__emulation_failed(vcpu);
		else if (exit.reason != ENGINE_EXIT_HALT)
			r = run__hand_out(vcpu);
		if (exit.reason == ENGINE_EXIT_HALT || !complete(vcpu, r) ||
		    !look_at_requests(vcpu))
			break;
	}
	vcpu->vm->engine->vcpu_put(vcpu);
	vm__leave_guest(vcpu);
	take_outcome(vcpu, o, shutdown);
	return vcpu->stats.insns;
}

/* Accessed and dirty bits may be set sooner or later. */
static bool same_memory(const u8 *a, const u8 *b)
{
	u32 i;

	if (!memcmp(a, b, MEMORY_SIZE))
		return true;
	for (i = 0; i < MEMORY_SIZE; i += 4) {
		u32 x, y;

		memcpy(&x, a + i, 4);
		memcpy(&y, b + i, 4);
		if ((x ^ y) & ~0x60u)
			return false;
	}
	return true;
}

static bool has_come_to(struct vcpu *vcpu, const struct outcome *o, bool shutdown)
{
	static struct outcome now;

	if (vcpu->cpu.rip != o->cpu.rip || accesses != o->accesses || shutdown != o->shutdown ||
	    memcmp(vcpu->cpu.gpr, o->cpu.gpr, sizeof(vcpu->cpu.gpr)))
		return false;
	take_outcome(vcpu, &now, shutdown);
	return !memcmp(&now.cpu, &o->cpu, sizeof(now.cpu)) && now.mp_state == o->mp_state &&
	       !memcmp(now.vectors, o->vectors, sizeof(now.vectors)) &&
	       same_memory(now.memory, o->memory);
}

/* Data breakpoints that the delivery of an event has met. */
static void raise_breakpoints(struct vcpu *vcpu)
{
	u64 hits = vcpu->breakpoint_hits;

	if (!hits || (vcpu->cpu.shadow & X86_SHADOW_MOV_SS))
		return;
	vcpu->breakpoint_hits = 0;
	x86__raise_debug(vcpu, hits);
	vcpu->exception.trap = true;
}

/* One instruction, or the delivery of its exception. False: nothing more happens. */
static bool step(struct vcpu *vcpu, bool *shutdown)
{
	if (vcpu->exception.pending) {
		switch (x86__deliver_exception(vcpu)) {
		case EXEC_EXIT:
			return complete(vcpu, run__hand_out(vcpu));
		case EXEC_FAIL:
			*shutdown = true;
			return false;
		default:
			raise_breakpoints(vcpu);
			return complete(vcpu, run__hand_out(vcpu));
		}
	}
	if (vcpu->mp_state != KVM_MP_STATE_RUNNABLE)
		return false;
	return complete(vcpu, run__emulate(vcpu)) && look_at_requests(vcpu);
}

/* One instruction at a time. Returns whether it came through the outcome of the other way. */
static bool run_stepwise(struct vcpu *vcpu, const struct outcome *o, u64 insns)
{
	unsigned steps;
	bool found = false, shutdown = false;

	accesses = 0;
	vcpu->stats.insns = 0;
	vm__enter_guest(vcpu);
	vcpu->vm->engine->vcpu_load(vcpu);
	for (steps = 0; !found && steps < MAX_STEPS; steps++) {
		bool more = step(vcpu, &shutdown);

		check_state(vcpu);
		found = has_come_to(vcpu, o, shutdown);
		if (!more)
			break;
	}
	vcpu->vm->engine->vcpu_put(vcpu);
	vm__leave_guest(vcpu);
	/* A loop of faults or of string instructions: not to be judged. */
	return found || steps == MAX_STEPS;
}

/* ---- when they may differ ---- */

static bool has_execution_breakpoint(const struct vcpu *vcpu)
{
	u64 dr7 = vcpu->cpu.dr7;
	unsigned i;

	for (i = 0; i < 4; i++)
		if ((dr7 >> (2 * i) & 3) && !(dr7 >> (16 + 4 * i) & 3))
			return true;
	return false;
}

/* Translations that the guest has changed may or may not be seen before it flushes. */
static bool has_changed_translation(const struct outcome *o)
{
	static struct outcome before;
	u32 i;

	guest__restore();
	take_outcome(guest_vcpu, &before, false);
	if (before.cpu.cr3 != o->cpu.cr3 || before.cpu.cr0 != o->cpu.cr0)
		return true;
	for (i = RAM_SIZE; i < RAM_SIZE + TABLES_SIZE; i++)
		if ((before.memory[i] ^ o->memory[i]) & ~0x60)
			return before.cpu.cr0 & CR0_PG;
	return false;
}

/* RDTSC, RDRAND and the like come out differently, if only in a flag and now and then. */
static bool is_random(const struct outcome *o)
{
	static struct outcome again;
	unsigned tries = 16;

	while (tries--) {
		guest__restore();
		run_in_blocks(guest_vcpu, &again);
		if (again.accesses != o->accesses || memcmp(&again.cpu, &o->cpu, sizeof(o->cpu)) ||
		    memcmp(again.vectors, o->vectors, sizeof(o->vectors)) ||
		    memcmp(again.memory, o->memory, MEMORY_SIZE))
			return true;
	}
	return false;
}

static void show(const char *name, const struct x86_cpu *cpu)
{
	unsigned i;

	fprintf(stderr,
		"%s: rip %llx flags %llx cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx cpl %u "
		"code %u shadow %u dr6 %llx dr7 %llx\n", name,
		(unsigned long long)cpu->rip, (unsigned long long)x86__rflags(cpu),
		(unsigned long long)cpu->cr0, (unsigned long long)cpu->cr2,
		(unsigned long long)cpu->cr3, (unsigned long long)cpu->cr4,
		(unsigned long long)cpu->efer, cpu->cpl, cpu->code_size, cpu->shadow,
		(unsigned long long)cpu->dr6, (unsigned long long)cpu->dr7);
	for (i = 0; i < 16; i++)
		fprintf(stderr, " %llx", (unsigned long long)cpu->gpr[i]);
	for (i = 0; i < 6; i++)
		fprintf(stderr, "%s seg %u: %04x %llx %x type %x dpl %u%s", i ? "" : "\n", i,
			cpu->seg[i].selector, (unsigned long long)cpu->seg[i].base,
			cpu->seg[i].limit, cpu->seg[i].type, cpu->seg[i].dpl,
			cpu->seg[i].unusable ? " null" : "");
	fputc('\n', stderr);
}

/* Prints the steps that one instruction at a time takes. */
static void explain(const struct outcome *o, u64 insns)
{
	struct vcpu *vcpu = guest_vcpu;
	bool shutdown = false, more = true;
	unsigned steps;
	char text[100];

	guest__restore();
	show("at first", &vcpu->cpu);
	show("blocks", &o->cpu);
	accesses = 0;
	vm__enter_guest(vcpu);
	vcpu->stats.insns = 0;
	for (steps = 0; steps < 400 && vcpu->stats.insns <= insns && more; steps++) {
		struct insn insn;

		text[0] = 0;
		if (vcpu->cpu.rip == o->cpu.rip && accesses == o->accesses &&
		    !has_come_to(vcpu, o, shutdown))
			show("not the same", &vcpu->cpu);
		if (!vcpu->exception.pending && emulate__fetch(vcpu, &insn) == EXEC_NEXT)
			decode__print(&insn, vcpu->cpu.rip, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "exception %u", vcpu->exception.vector);
		if (vcpu->stats.insns + 20 > insns)
			fprintf(stderr, "%llx: %s\n", (unsigned long long)vcpu->cpu.rip, text);
		more = step(vcpu, &shutdown);
	}
	vm__leave_guest(vcpu);
	show("stepwise", &vcpu->cpu);
	fprintf(stderr, "%llu instructions; shutdown %d/%d, accesses %d\n",
		(unsigned long long)insns, shutdown, o->shutdown, accesses == o->accesses);
	for (u32 i = 0, shown = 0; i < MEMORY_SIZE && shown < 16; i++)
		if (guest_memory[i] != o->memory[i]) {
			fprintf(stderr, " [%x] %02x/%02x", i, guest_memory[i], o->memory[i]);
			shown++;
		}
	vcpu->vm->engine->vector_save(vcpu);
	for (u32 i = 0; i < sizeof(o->vectors); i++)
		if (vcpu->xsave[i] != o->vectors[i])
			fprintf(stderr, " xsave[%u] %02x/%02x", i, vcpu->xsave[i], o->vectors[i]);
	fputc('\n', stderr);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct outcome blocks;
	struct fuzz_input in = { data, size };
	bool comparable;
	u64 insns;

	if (!guest_vcpu)
		guest__create();
	guest__set_up(&in);
	/* Interpreted, or translated from the first time on: by half of the inputs each. */
	guest_vcpu->soft->heat_limit = size & 1 ? ~0u : 0;
	check_state(guest_vcpu);
	guest__snapshot();
	comparable = !has_execution_breakpoint(guest_vcpu);
	insns = run_in_blocks(guest_vcpu, &blocks);
	if (has_execution_breakpoint(guest_vcpu))
		comparable = false;
	guest__restore();
	if (run_stepwise(guest_vcpu, &blocks, insns) || !comparable ||
	    has_changed_translation(&blocks) || is_random(&blocks))
		return 0;
	explain(&blocks, insns);
	FUZZ_CHECK(!"blocks and single instructions agree");
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	/* Code to begin with; the state before it is the plainest of each mode. */
	static const char codes[][17] = {
		"\xb8\x34\x12\x00\x00\x50\x5b\x01\xd8\x75\x00\xf4",
		"\x31\xc9\xb1\x10\xbf\x00\x70\x00\x00\xf3\xaa\xf4",
		"\xa2\x00\x90\x00\x00\x90\x90\x90\x90\xf4",
		"\x0f\x01\x05\x00\x60\x00\x00\x0f\x20\xc0\x0f\x22\xc0\xf4",
		"\xcd\x03\xcc\x0f\x0b\xf7\xf1\xf4",
		"\x0f\x28\xc1\x66\x0f\xef\xc0\xd9\xe8\xde\xc1\xc5\xfc\x58\xc1\xf4",
		"\xe4\x60\xe6\x80\xec\x66\xed\x6c\xf4",
		"\x9a\x00\x40\x00\x00\x08\x00\xea\x00\x40\x00\x00\x58\x00",
		"\x8e\xd8\x8e\xc0\x8e\xe0\x1e\x1f\x0f\xa0\x0f\xa1\xf4",
		"\xf0\x0f\xb1\x0d\x00\x80\x01\x00\x0f\xc7\x0d\x00\x70\x00\x00\xf4",
		"\x9c\x58\x0d\x00\x01\x00\x00\x50\x9d\x90\x90\xf4",
		"\x0f\xae\x05\x00\x60\x00\x00\x0f\xae\x0d\x00\x60\x00\x00\xf4",
		"\x0f\x05\x0f\x34\x0f\xa2\x0f\x31\xf4",
	};
	u8 mode = n / ARRAY_LENGTH(codes);
	const char *code = codes[n % ARRAY_LENGTH(codes)];
	unsigned i;

	if (mode >= 16 || size < 64)
		return 0;
	memset(buf, 0, 64);
	buf[0] = mode;
	/* state: 3 bytes of features, 2 which registers, 3 flags, 1 RIP, 1 rest, 1 patches */
	for (i = 0; i < 24; i++)
		buf[12 + i] = code[i % 16];
	return 12 + 24;
}
