/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MOVS, STOS, LODS, SCAS, CMPS with their repeat prefixes.
 *
 * A repeated instruction runs over as many elements at once as lie in the pages that its pointers
 * are in, then commits them to the registers. What has no TLB entry is done one element per
 * execution, the first of it, so that an execution either faults (or waits for a device) with
 * nothing done, or makes progress.
 */
#include "core/emulate/operand.h"

/* Bytes per execution, so that events are noticed; page ends cut runs too. */
#define STRING_BUDGET 16384
/* So many elements are copied or set by a loop. */
#define STRING_FEW 8

/* One execution of a string instruction. */
struct string {
	struct vcpu *vcpu;
	const struct insn *insn;
	unsigned size; /* of an element */
	bool down;     /* RFLAGS.DF */
	/* Filled by the chunk: */
	u64 done;      /* elements */
	bool ended;    /* REPE or REPNE: the last comparison ended the loop */
};

/* One operand of it: where it is now. */
struct string_operand {
	enum x86_segreg seg;
	enum x86_gpr reg;
	bool write;
	u64 ea;
	u64 linear;
	void *host; /* NULL: no run possible */
};

struct string_kind {
	bool has_source;      /* rSI */
	bool has_destination; /* ES:rDI */
	bool writes;	      /* the destination is written, else read */
	bool compares;	      /* F3 repeats while equal, F2 while not equal */
	/* Executes n elements at host pointers; sets done (and ended), and flags. */
	void (*run)(struct string *s, void *source, void *destination, u64 n);
	/* Executes one element at linear addresses. */
	enum exec_result (*one)(struct string *s, u64 source, u64 destination);
};

static __always_inline u64 element_load(const void *p, unsigned size)
{
	switch (size) {
	case 1:
		return *(const volatile u8 *)p;
	case 2:
		return *(const volatile u16 *)p;
	case 4:
		return *(const volatile u32 *)p;
	default:
		return *(const volatile u64 *)p;
	}
}

static __always_inline void element_store(void *p, unsigned size, u64 value)
{
	switch (size) {
	case 1:
		*(volatile u8 *)p = value;
		break;
	case 2:
		*(volatile u16 *)p = value;
		break;
	case 4:
		*(volatile u32 *)p = value;
		break;
	default:
		*(volatile u64 *)p = value;
	}
}

static enum exec_result read_element(struct string *s, u64 linear, u64 *value)
{
	*value = 0;
	return access__read(s->vcpu, linear, value, s->size, 0);
}

static void set_accumulator(struct string *s, u64 value)
{
	struct x86_cpu *cpu = &s->vcpu->cpu;

	if (s->size == 4)
		SET_GPR32(cpu, OFF_RAX, value);
	else
		element_store(cpu->gpr, s->size, value);
}

/* Flags of CMP a, b, and whether a repeated comparison ends with them. */
static void compare_elements(struct string *s, u64 a, u64 b)
{
	struct x86_cpu *cpu = &s->vcpu->cpu;

	switch (s->size) {
	case 1:
		cpu->arith = flags_of_compare8(a, b);
		break;
	case 2:
		cpu->arith = flags_of_compare16(a, b);
		break;
	case 4:
		cpu->arith = flags_of_compare32(a, b);
		break;
	default:
		cpu->arith = flags_of_compare64(a, b);
	}
	s->ended = (a == b) != !(s->insn->flags & INSN_REPNE);
}

/* ---- MOVS ---- */

static void copy_upwards(void *to, const void *from, unsigned size, u64 n)
{
	/* Element by element even where the two overlap: the host's instruction is the guest's. */
	switch (size) {
	case 1:
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
		break;
	case 2:
		__asm__ volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
		break;
	case 4:
		__asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
		break;
	default:
		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	}
}

static void movs_run(struct string *s, void *source, void *destination, u64 n)
{
	unsigned size = s->size;
	u64 i;

	s->done = n;
	if (s->down) {
		for (i = 0; i < n; i++)
			element_store((u8 *)destination - i * size, size,
				      element_load((u8 *)source - i * size, size));
	} else if (n <= STRING_FEW) {
		for (i = 0; i < n; i++)
			element_store((u8 *)destination + i * size, size,
				      element_load((u8 *)source + i * size, size));
	} else {
		copy_upwards(destination, source, size, n);
	}
}

static enum exec_result movs_one(struct string *s, u64 source, u64 destination)
{
	enum exec_result result;
	u64 value;

	result = access__probe_write(s->vcpu, destination, s->size, 0);
	if (result == EXEC_NEXT)
		result = read_element(s, source, &value);
	if (result == EXEC_NEXT)
		result = access__write(s->vcpu, destination, &value, s->size, 0);
	return result;
}

/* ---- STOS ---- */

static void stos_run(struct string *s, void *source, void *destination, u64 n)
{
	u64 value = s->vcpu->cpu.gpr[X86_RAX], i;

	s->done = n;
	if (s->down) /* the same bytes from the other end */
		destination = (u8 *)destination - (n - 1) * s->size;
	if (n <= STRING_FEW) { /* the host's instruction takes long to begin */
		for (i = 0; i < n; i++)
			element_store((u8 *)destination + i * s->size, s->size, value);
		return;
	}
	switch (s->size) {
	case 1:
		__asm__ volatile("rep stosb" : "+D"(destination), "+c"(n) : "a"(value) : "memory");
		break;
	case 2:
		__asm__ volatile("rep stosw" : "+D"(destination), "+c"(n) : "a"(value) : "memory");
		break;
	case 4:
		__asm__ volatile("rep stosl" : "+D"(destination), "+c"(n) : "a"(value) : "memory");
		break;
	default:
		__asm__ volatile("rep stosq" : "+D"(destination), "+c"(n) : "a"(value) : "memory");
	}
}

static enum exec_result stos_one(struct string *s, u64 source, u64 destination)
{
	return access__write(s->vcpu, destination, &s->vcpu->cpu.gpr[X86_RAX], s->size, 0);
}

/* ---- LODS ---- */

static void lods_run(struct string *s, void *source, void *destination, u64 n)
{
	s64 last = (s64)(n - 1) * s->size;

	/* Only the last element is seen. */
	s->done = n;
	set_accumulator(s, element_load((u8 *)source + (s->down ? -last : last), s->size));
}

static enum exec_result lods_one(struct string *s, u64 source, u64 destination)
{
	enum exec_result result;
	u64 value;

	result = read_element(s, source, &value);
	if (result == EXEC_NEXT)
		set_accumulator(s, value);
	return result;
}

/* ---- SCAS, CMPS ---- */

static __always_inline u64 accumulator(struct string *s)
{
	return element_load(s->vcpu->cpu.gpr, s->size);
}

static __always_inline void scas_loop(struct string *s, const u8 *p, unsigned size, u64 n)
{
	s64 step = s->down ? -(s64)size : size;
	bool until_equal = s->insn->flags & INSN_REPNE;
	u64 value = element_load(s->vcpu->cpu.gpr, size), element, i = 0;

	do {
		element = element_load(p, size);
		p += step;
		i++;
	} while (i < n && (element == value) != until_equal);
	s->done = i;
	compare_elements(s, value, element);
}

static void scas_run(struct string *s, void *source, void *destination, u64 n)
{
	switch (s->size) {
	case 1:
		scas_loop(s, destination, 1, n);
		break;
	case 2:
		scas_loop(s, destination, 2, n);
		break;
	case 4:
		scas_loop(s, destination, 4, n);
		break;
	default:
		scas_loop(s, destination, 8, n);
	}
}

static enum exec_result scas_one(struct string *s, u64 source, u64 destination)
{
	enum exec_result result;
	u64 value;

	result = read_element(s, destination, &value);
	if (result == EXEC_NEXT)
		compare_elements(s, accumulator(s), value);
	return result;
}

static __always_inline void cmps_loop(struct string *s, const u8 *p, const u8 *q, unsigned size,
				      u64 n)
{
	s64 step = s->down ? -(s64)size : size;
	bool until_equal = s->insn->flags & INSN_REPNE;
	u64 a, b, i = 0;

	do {
		a = element_load(p, size);
		b = element_load(q, size);
		p += step;
		q += step;
		i++;
	} while (i < n && (a == b) != until_equal);
	s->done = i;
	compare_elements(s, a, b);
}

static void cmps_run(struct string *s, void *source, void *destination, u64 n)
{
	switch (s->size) {
	case 1:
		cmps_loop(s, source, destination, 1, n);
		break;
	case 2:
		cmps_loop(s, source, destination, 2, n);
		break;
	case 4:
		cmps_loop(s, source, destination, 4, n);
		break;
	default:
		cmps_loop(s, source, destination, 8, n);
	}
}

static enum exec_result cmps_one(struct string *s, u64 source, u64 destination)
{
	enum exec_result result;
	u64 a, b;

	result = read_element(s, destination, &b);
	if (result == EXEC_NEXT)
		result = read_element(s, source, &a);
	if (result == EXEC_NEXT)
		compare_elements(s, a, b);
	return result;
}

/* ---- the loop ---- */

/* Moves an index register or the counter by a number of units, as wide as addresses are. */
static void move_register(struct x86_cpu *cpu, const struct insn *insn, enum x86_gpr reg, s64 by)
{
	if (insn->adsize == 2)
		SET_GPR16(cpu, reg * 8, (u16)(cpu->gpr[reg] + by));
	else
		cpu->gpr[reg] = (cpu->gpr[reg] + by) & mask_of(insn->adsize);
}

/* Finds where an operand is. Its page is brought into the TLB if possible when `fill` is set. */
static enum exec_result locate(struct string *s, struct string_operand *o, bool fill)
{
	struct vcpu *vcpu = s->vcpu;
	enum exec_result result;

	o->ea = vcpu->cpu.gpr[o->reg] & mask_of(s->insn->adsize);
	result = segment__linear(vcpu, &vcpu->cpu, o->seg, o->ea, s->size, o->write, &o->linear);
	if (result != EXEC_NEXT)
		return result;
	o->host = o->write ? tlb__write(vcpu->view, o->linear, s->size) :
			     tlb__read(vcpu->view, o->linear, s->size);
	if (likely(o->host) || !fill)
		return EXEC_NEXT;
	if (o->write)
		result = access__probe_write(vcpu, o->linear, s->size, 0);
	else
		result = access__probe_read(vcpu, o->linear, s->size, 0);
	if (result != EXEC_NEXT)
		return result;
	o->host = o->write ? tlb__write(vcpu->view, o->linear, s->size) :
			     tlb__read(vcpu->view, o->linear, s->size);
	return EXEC_NEXT;
}

/* How many elements from here on share the page, the segment, and do not wrap. At least 1. */
static u64 elements_ahead(const struct string *s, const struct string_operand *o)
{
	const struct x86_segment *seg = &s->vcpu->cpu.seg[o->seg];
	u64 offset = o->linear & (PAGE_SIZE_4K - 1), bytes;
	bool limited = s->insn->code != 8 && !seg->flat;

	if (limited && seg->s && !(seg->type & SEG_TYPE_CODE) && seg->type & SEG_TYPE_EXPAND_DOWN)
		return 1;
	if (s->down)
		return MIN_OF(offset, o->ea) / s->size + 1;
	bytes = PAGE_SIZE_4K - offset;
	if (s->insn->adsize != 8)
		bytes = MIN_OF(bytes, mask_of(s->insn->adsize) - o->ea + 1);
	if (limited && seg->limit >= o->ea)
		bytes = MIN_OF(bytes, seg->limit - o->ea + 1);
	return MAX_OF(bytes / s->size, 1);
}

static void commit(struct string *s, const struct string_kind *kind, bool counted)
{
	struct x86_cpu *cpu = &s->vcpu->cpu;
	s64 bytes = (s64)(s->done * s->size);

	if (s->down)
		bytes = -bytes;
	if (kind->has_source)
		move_register(cpu, s->insn, X86_RSI, bytes);
	if (kind->has_destination)
		move_register(cpu, s->insn, X86_RDI, bytes);
	if (counted)
		move_register(cpu, s->insn, X86_RCX, -(s64)s->done);
}

/*
 * Executes up to max elements. The first chunk of an execution (fill set) does what it takes; later
 * ones give up with done 0 if anything is not in the TLB.
 *
 * A source pointer stays good when filling the entry of the destination evicts it: host pointers
 * are stable while the vCPU is inside an instruction.
 */
static enum exec_result execute_chunk(struct string *s, const struct string_kind *kind, u64 max,
				      bool fill)
{
	struct string_operand source = { .seg = s->insn->seg, .reg = X86_RSI };
	struct string_operand destination = { .seg = X86_ES, .reg = X86_RDI,
					      .write = kind->writes };
	enum exec_result result = EXEC_NEXT;

	s->done = 0;
	/* CMPS reads ES:rDI first on some AMD processors: that decides which of two faults is seen. */
	if (kind->compares)
		result = locate(s, &destination, fill);
	if (kind->has_source && result == EXEC_NEXT)
		result = locate(s, &source, fill);
	if (kind->has_destination && !kind->compares && result == EXEC_NEXT)
		result = locate(s, &destination, fill);
	if (result != EXEC_NEXT)
		return result;
	if ((kind->has_source && !source.host) || (kind->has_destination && !destination.host)) {
		if (!fill)
			return EXEC_NEXT;
		s->done = 1;
		return kind->one(s, source.linear, destination.linear);
	}
	if (max > 1 && kind->has_source)
		max = MIN_OF(max, elements_ahead(s, &source));
	if (max > 1 && kind->has_destination)
		max = MIN_OF(max, elements_ahead(s, &destination));
	kind->run(s, source.host, destination.host, max);
	return EXEC_NEXT;
}

/* A trap after each iteration, or a host debugger that wants to see each. */
static bool steps_singly(const struct vcpu *vcpu)
{
	return vcpu->cpu.sysflags & RFLAGS_TF || vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP;
}

/*
 * Intel's processors clear the upper halves even when the first iteration faults or there is none: RCX, and the
 * pointers of MOVS and STOS.
 */
static void halve_registers(struct string *s, const struct string_kind *kind)
{
	struct x86_cpu *cpu = &s->vcpu->cpu;

	if (s->insn->code != 8 || s->insn->adsize != 4)
		return;
	move_register(cpu, s->insn, X86_RCX, 0);
	if (kind->writes && kind->has_source)
		move_register(cpu, s->insn, X86_RSI, 0);
	if (kind->writes)
		move_register(cpu, s->insn, X86_RDI, 0);
}

static NOINLINE enum exec_result repeat(struct string *s, const struct string_kind *kind)
{
	struct vcpu *vcpu = s->vcpu;
	u64 mask = mask_of(s->insn->adsize);
	u64 budget = steps_singly(vcpu) ? 1 : STRING_BUDGET / s->size;
	u64 flags = vcpu->cpu.arith;
	bool first = true;
	u64 count;

	if (vcpu->cpuid.intel)
		halve_registers(s, kind);
	while ((count = vcpu->cpu.gpr[X86_RCX] & mask) != 0) {
		enum exec_result result;

		/* Only in 64-bit code can segmentation not fault half-way. */
		if (!first && (s->insn->code != 8 || !budget ||
			       __atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED)))
			return EXEC_AGAIN;
		result = execute_chunk(s, kind, MIN_OF(count, budget), first);
		if (result != EXEC_NEXT)
			return result;
		if (!s->done)
			return EXEC_AGAIN;
		commit(s, kind, true);
		if (kind->compares && s->ended)
			return EXEC_NEXT;
		/* SDM vol. 2, REP: a fault or an interrupt finds the flags from before the instruction. */
		if (kind->compares && vcpu->cpuid.intel && count > s->done)
			vcpu->cpu.arith = flags;
		budget -= s->done;
		first = false;
	}
	return EXEC_NEXT;
}

static __always_inline enum exec_result execute_string(struct vcpu *vcpu, const struct insn *insn,
						       unsigned size,
						       const struct string_kind *kind)
{
	struct string s = {
		.vcpu = vcpu,
		.insn = insn,
		.size = size,
		.down = vcpu->cpu.sysflags & RFLAGS_DF,
	};
	enum exec_result result;

	if (insn->flags & (INSN_REP | INSN_REPNE))
		return repeat(&s, kind);
	result = execute_chunk(&s, kind, 1, true);
	if (result == EXEC_NEXT)
		commit(&s, kind, false);
	return result;
}

static const struct string_kind kind_movs = {
	.has_source = true, .has_destination = true, .writes = true,
	.run = movs_run, .one = movs_one,
};

static const struct string_kind kind_stos = {
	.has_destination = true, .writes = true,
	.run = stos_run, .one = stos_one,
};

static const struct string_kind kind_lods = {
	.has_source = true,
	.run = lods_run, .one = lods_one,
};

static const struct string_kind kind_scas = {
	.has_destination = true, .compares = true,
	.run = scas_run, .one = scas_one,
};

static const struct string_kind kind_cmps = {
	.has_source = true, .has_destination = true, .compares = true,
	.run = cmps_run, .one = cmps_one,
};

#define DEFINE_STRING_SIZE(bits, suffix, op)                                                       \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return execute_string(vcpu, insn, bits / 8, &kind_##op);                           \
	}

#define DEFINE_STRING(op)                                                                          \
	FOR_ALL_SIZES(DEFINE_STRING_SIZE, op)                                                      \
	const struct exec_forms forms_##op = { .fn = { [FORM_RR] = SIZES_ALL(op, rr) } };

DEFINE_STRING(movs)
DEFINE_STRING(stos)
DEFINE_STRING(lods)
DEFINE_STRING(scas)
DEFINE_STRING(cmps)
