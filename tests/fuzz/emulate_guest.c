/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and setting up the emulator target's guest. */
#include "tests/fuzz/emulate_guest.h"
#include <sys/mman.h>
#include "core/api/api.h"
#include "engines/soft/soft.h"

#define GUARD 0x10000u

#define GDT 0x1000u
#define LDT 0x1800u
#define IDT 0x2000u
#define TSS 0x3000u
#define TSS_2 0x3800u
#define HANDLERS 0x4000u /* 16 bytes each */
#define STACKS 0x7000u

enum guest_mode {
	MODE_REAL,
	MODE_V86,
	MODE_16,
	MODE_32,
	MODE_PAGED,
	MODE_PAE,
	MODE_LONG,
	MODE_COMPAT,
	NR_MODES,
};

struct vcpu *guest_vcpu;
u8 *guest_memory;

static struct vm *vm;
static struct engine_ops engine;
static struct api_object vm_object, vcpu_object;
static struct vcpu *fresh; /* the vCPU as it was created */
static struct vcpu *taken; /* by guest__snapshot() */
static u8 *taken_memory, *taken_xsave, *fresh_xsave;

/* ---- the machine ---- */

/*
 * The instrumentation calls libc and its own runtime everywhere, with vector registers: guest
 * state must not stay in them.
 */
static enum exec_result vector_exec(struct vcpu *vcpu, struct insn *insn, struct vector_call *call)
{
	enum exec_result result = soft_engine.vector_exec(vcpu, insn, call);

	soft__park_vectors();
	return result;
}

static s64 request(struct api_object *object, u32 number, void *arg)
{
	struct api_object created;

	return api__ioctl(object, number, (u64)arg, &created);
}

static u8 *map_between_guards(size_t size)
{
	u8 *p = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	FUZZ_CHECK(p != MAP_FAILED);
	FUZZ_CHECK(!mprotect(p + GUARD, size, PROT_READ | PROT_WRITE));
	return p + GUARD;
}

static void add_slots(void)
{
	static const struct {
		u32 gpa, size, flags;
	} slots[] = { { RAM_GPA, RAM_SIZE, 0 },
		      { TABLES_GPA, TABLES_SIZE, 0 },
		      { ROM_GPA, ROM_SIZE, KVM_MEM_READONLY },
		      { LOG_GPA, LOG_SIZE, KVM_MEM_LOG_DIRTY_PAGES } };
	u8 *host = guest_memory;
	u32 i;

	for (i = 0; i < ARRAY_LENGTH(slots); i++) {
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.flags = slots[i].flags,
			.guest_phys_addr = slots[i].gpa,
			.memory_size = slots[i].size,
			.userspace_addr = (u64)host,
		};

		FUZZ_CHECK(!request(&vm_object, KVM_SET_USER_MEMORY_REGION, &region));
		host += slots[i].size;
	}
}

static void set_cpuid(void)
{
	struct api_object system = { .kind = API_SYSTEM, .engine = &engine };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 128 * sizeof(cpuid->entries[0]));

	FUZZ_CHECK(cpuid);
	cpuid->nent = 128;
	FUZZ_CHECK(!request(&system, KVM_GET_SUPPORTED_CPUID, cpuid));
	FUZZ_CHECK(!request(&vcpu_object, KVM_SET_CPUID2, cpuid));
	free(cpuid);
}

void guest__create(void)
{
	const char *why = "";

	engine = soft_engine;
	engine.vector_exec = vector_exec;
	FUZZ_CHECK(!engine.setup(&why));
	FUZZ_CHECK(!vm__create(&engine, NULL, &vm));
	vm_object = (struct api_object){ .kind = API_VM, .engine = &engine, .vm = vm };
	guest_memory = map_between_guards(MEMORY_SIZE);
	add_slots();
	FUZZ_CHECK(!vcpu__create(vm, 0, &guest_vcpu));
	/* Generated code counts instructions as the interpreter does. */
	guest_vcpu->soft->counts = true;
	guest_vcpu->soft->inlines_vectors = false;
	vcpu_object = vm_object;
	vcpu_object.kind = API_VCPU;
	vcpu_object.vcpu = guest_vcpu;
	set_cpuid();
	fresh = malloc(sizeof(*fresh));
	taken = malloc(sizeof(*taken));
	taken_memory = malloc(MEMORY_SIZE);
	taken_xsave = malloc(4096);
	fresh_xsave = malloc(4096);
	FUZZ_CHECK(fresh && taken && taken_memory && taken_xsave && fresh_xsave);
	memcpy(fresh, guest_vcpu, sizeof(*fresh));
	memcpy(fresh_xsave, guest_vcpu->xsave, 4096);
}

/* Caches are empty and marks gone, whatever ran before. */
static void forget_caches(void)
{
	unsigned i;

	for (i = 0; i < vm->map->count; i++) {
		struct memory_slot *slot = &vm->map->slot[i];

		memset(slot->code, 0, slot->pages * sizeof(*slot->code));
		if (slot->dirty)
			memset(slot->dirty, 0, ALIGN_UP_TO(slot->pages, 64) / 8);
	}
	guest_vcpu->soft->injection = INJECT_NONE;
	guest_vcpu->soft->want_interrupt_window = false;
	guest_vcpu->soft->want_nmi_window = false;
	engine.state_changed(guest_vcpu);
	guest_vcpu->requests = 0;
	guest_vcpu->leave = 0;
}

static void put(const struct vcpu *vcpu, const u8 *xsave)
{
	memcpy(guest_vcpu, vcpu, sizeof(*vcpu));
	memcpy(guest_vcpu->xsave, xsave, 4096);
	engine.vector_changed(guest_vcpu);
	forget_caches();
}

void guest__snapshot(void)
{
	memcpy(taken, guest_vcpu, sizeof(*taken));
	memcpy(taken_memory, guest_memory, MEMORY_SIZE);
	engine.vector_save(guest_vcpu);
	memcpy(taken_xsave, guest_vcpu->xsave, 4096);
}

void guest__restore(void)
{
	memcpy(guest_memory, taken_memory, MEMORY_SIZE);
	put(taken, taken_xsave);
}

/* ---- memory contents ---- */

static u8 *at_gpa(u32 gpa)
{
	if (gpa < RAM_SIZE)
		return guest_memory + gpa;
	if (gpa - TABLES_GPA < TABLES_SIZE)
		return guest_memory + RAM_SIZE + (gpa - TABLES_GPA);
	if (gpa - ROM_GPA < ROM_SIZE)
		return guest_memory + RAM_SIZE + TABLES_SIZE + (gpa - ROM_GPA);
	if (gpa - LOG_GPA < LOG_SIZE)
		return guest_memory + RAM_SIZE + TABLES_SIZE + ROM_SIZE + (gpa - LOG_GPA);
	return NULL;
}

static void put64(u32 gpa, u64 value)
{
	memcpy(at_gpa(gpa), &value, 8);
}

static void put32(u32 gpa, u32 value)
{
	memcpy(at_gpa(gpa), &value, 4);
}

/* Selectors 08, 10: level 0; 18, 20: level 3; 28: TSS (16 bytes); 38: LDT (16 bytes). */
static u64 descriptor(u32 base, u32 limit, u64 attributes)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | attributes << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (u64)(base >> 24) << 56;
}

static u64 code_attributes(enum guest_mode mode)
{
	switch (mode) {
	case MODE_LONG:
		return 0xa09b;
	case MODE_16:
		return 0x009b;
	default:
		return 0xc09b;
	}
}

static void make_descriptors(enum guest_mode mode)
{
	u32 limit = mode == MODE_16 ? 0xffff : 0xfffff;
	u64 code = code_attributes(mode), data = mode == MODE_16 ? 0x0093 : 0xc093;
	unsigned i;

	for (i = 0; i < 2; i++) { /* the GDT, and much the same in the LDT */
		u32 table = i ? LDT : GDT;

		put64(table + 0x08, descriptor(0, limit, code));
		put64(table + 0x10, descriptor(0, limit, data));
		put64(table + 0x18, descriptor(0, limit, code | 0x60));
		put64(table + 0x20, descriptor(0, limit, data | 0x60));
		put64(table + 0x28, descriptor(TSS, 0x2ff, 0x8b));
		put64(table + 0x38, descriptor(LDT, 0x7f, 0x82));
		put64(table + 0x48, descriptor(TSS_2, 0x2ff, 0x89));
		/* A call gate, a task gate, conforming code, 16-bit code, data that grows down. */
		put64(table + 0x58, 0x0000ec0100084000ULL | (u64)HANDLERS);
		put64(table + 0x68, 0x0000e50000480000ULL);
		put64(table + 0x78, descriptor(0, limit, code | 0x64));
		put64(table + 0x80, descriptor(0, 0xffff, 0x00fb));
		put64(table + 0x88, descriptor(0, 0xfff, 0x00f7));
	}
}

static void make_gates(enum guest_mode mode)
{
	bool is_long = mode == MODE_LONG || mode == MODE_COMPAT;
	unsigned i;

	if (mode == MODE_REAL || mode == MODE_V86)
		for (i = 0; i < 64; i++)
			put32(4 * i, HANDLERS + 16 * i);
	for (i = 0; i < 64; i++) {
		u64 gate = (HANDLERS + 16 * i) | 0x8ULL << 16 | 0xee00ULL << 32;

		if (i % 16 == 7)
			gate = 0x0000e50000480000ULL; /* a task gate */
		if (mode == MODE_16)
			gate ^= 0x0800ULL << 32; /* 16-bit */
		put64(IDT + (is_long ? 16 : 8) * i, gate);
	}
	/* Handlers return, the first ones behind the error code, or stop. */
	for (i = 0; i < 64; i++) {
		u8 *code = at_gpa(HANDLERS + 16 * i);

		memcpy(code, mode == MODE_LONG ? "\x48\x83\xc4\x08\x48\xcf\xf4" :
						 "\x83\xc4\x04\x90\xcf\xf4\xf4", 7);
		if (i & 1)
			memcpy(code, mode == MODE_LONG ? "\x48\xcf" : "\xcf\xf4", 2);
	}
}

static void make_tss(enum guest_mode mode)
{
	if (mode == MODE_LONG || mode == MODE_COMPAT) {
		put64(TSS + 4, STACKS);
		put64(TSS + 0x24, STACKS + 0x800);
	} else {
		put32(TSS + 4, STACKS);
		put32(TSS + 8, 0x10);
	}
	put32(TSS + 0x64, 0x00680000); /* I/O bitmap at 68H */
	put32(TSS_2 + 0x1c, 0);
	put32(TSS_2 + 0x20, HANDLERS);
	put32(TSS_2 + 0x24, 2);
	put32(TSS_2 + 0x38, STACKS);
	put32(TSS_2 + 0x48, 0x10);
	put32(TSS_2 + 0x4c, 0x08);
	put32(TSS_2 + 0x50, 0x10);
	put32(TSS_2 + 0x54, 0x10);
}

/* Linear is physical for all there is, and once more 4 MiB (32-bit) or 2 MiB above, as one page. */
static u64 make_page_tables(enum guest_mode mode)
{
	u32 root = TABLES_GPA, directory = root + 0x2000, table = root + 0x3000, page;

	if (mode == MODE_PAGED) {
		put32(root, table | 0x67);
		put32(root + 4, 0xe7); /* with PSE */
		for (page = 0; page < MEMORY_END >> 12; page++)
			put32(table + 4 * page, page << 12 | 7);
		return root;
	}
	if (mode == MODE_PAE) {
		put64(root, directory | 1);
	} else {
		put64(root, (root + 0x1000) | 0x67);
		put64(root + 0xff8, (root + 0x1000) | 0x63);
		put64(root + 0x1000, directory | 0x67);
		put64(root + 0x1ff8, directory | 0x63);
	}
	put64(directory, table | 0x67);
	put64(directory + 8, 0xe7);
	put64(directory + 0xff8, table | 0x63);
	for (page = 0; page < MEMORY_END >> 12; page++)
		put64(table + 8 * page, page << 12 | 7);
	return root;
}

/* ---- registers ---- */

static struct kvm_segment segment(u16 selector, enum guest_mode mode, bool code)
{
	bool is_16 = mode == MODE_16 || mode == MODE_REAL || mode == MODE_V86;

	return (struct kvm_segment){
		.selector = selector,
		.limit = is_16 ? 0xffff : 0xffffffff,
		.type = code ? 11 : 3,
		.present = 1,
		.dpl = selector & 3,
		.db = !is_16 && !(code && mode == MODE_LONG),
		.l = code && mode == MODE_LONG,
		.s = 1,
		.g = !is_16,
	};
}

static void make_sregs(struct kvm_sregs *s, enum guest_mode mode, bool user)
{
	u16 code = user ? 0x1b : 0x08, data = user ? 0x23 : 0x10;

	if (mode == MODE_REAL)
		code = data = 0;
	if (mode == MODE_V86)
		code = data = 3; /* for the level; the selector itself is 0 */
	s->cs = segment(code, mode, mode != MODE_V86);
	s->ds = s->es = s->fs = s->gs = s->ss = segment(data, mode, false);
	if (mode == MODE_V86)
		s->cs.selector = s->ds.selector = s->es.selector = s->fs.selector =
			s->gs.selector = s->ss.selector = 0;
	s->gdt.base = GDT;
	s->gdt.limit = 0x8f;
	s->idt.base = mode == MODE_REAL ? 0 : IDT;
	s->idt.limit = 0x3ff;
	s->tr = (struct kvm_segment){ .base = TSS, .limit = 0x2ff, .selector = 0x28, .type = 11,
				      .present = 1 };
	s->ldt = (struct kvm_segment){ .base = LDT, .limit = 0x8f, .selector = 0x38, .type = 2,
				       .present = 1 };
	s->cr0 = CR0_ET | CR0_NE | (mode == MODE_REAL ? 0 : CR0_PE);
	s->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	if (mode >= MODE_PAGED) {
		s->cr0 |= CR0_PG;
		s->cr4 |= mode == MODE_PAGED ? CR4_PSE : CR4_PAE;
		s->cr3 = make_page_tables(mode);
	}
	if (mode >= MODE_LONG)
		s->efer = EFER_LME | EFER_LMA;
}

/* Bits that software may switch as it likes, each on its own. */
static void switch_features(struct kvm_sregs *s, u32 bits, enum guest_mode mode)
{
	static const u32 cr0[] = { CR0_WP, CR0_AM, CR0_TS, CR0_EM, CR0_MP, CR0_NE };
	static const u32 cr4[] = { CR4_SMEP, CR4_SMAP, CR4_UMIP, CR4_PGE, CR4_TSD, CR4_FSGSBASE,
				   CR4_VME,  CR4_PVI,  CR4_DE,	 CR4_OSXSAVE, CR4_OSFXSR,
				   CR4_OSXMMEXCPT };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(cr0); i++)
		if (bits >> i & 1)
			s->cr0 ^= cr0[i];
	for (i = 0; i < ARRAY_LENGTH(cr4); i++)
		if (bits >> (8 + i) & 1)
			s->cr4 ^= cr4[i];
	if (bits & 1u << 20)
		s->efer |= EFER_SCE;
	if (bits & 1u << 21)
		s->efer |= EFER_NX;
	if ((bits & 1u << 22) && mode == MODE_LONG)
		s->cr4 |= CR4_PCIDE;
}

static void change_segment(struct kvm_sregs *s, struct fuzz_input *in)
{
	struct kvm_segment *const all[] = { &s->cs, &s->ds, &s->es, &s->fs,
					    &s->gs, &s->ss, &s->tr, &s->ldt };
	struct kvm_segment *seg = all[fuzz__take(in, 1) % 8];
	u8 what = fuzz__take(in, 1);

	if (what & 1)
		seg->base = fuzz__take(in, 4) & 0xfffff;
	if (what & 2)
		seg->limit = fuzz__take(in, 3);
	if (what & 4)
		seg->type = fuzz__take(in, 1) & 15;
	if (what & 8)
		seg->selector = fuzz__take(in, 2);
	if (what & 16)
		seg->db ^= 1;
	if (what & 32)
		seg->unusable ^= 1;
	if (what & 64)
		seg->dpl = fuzz__take(in, 1) & 3;
}

/* An address that means something, most of the time. */
static u64 take_value(struct fuzz_input *in)
{
	u8 kind = fuzz__take(in, 1);

	switch (kind & 7) {
	case 0:
		return fuzz__take(in, 8);
	case 1:
		return kind >> 3;
	case 2:
		return -(u64)(kind >> 3);
	case 3:
		return RAM_SIZE - 8 + (kind >> 3); /* where device memory begins */
	case 4:
		return LOG_GPA - 8 + (kind >> 3); /* ROM before, logged behind */
	case 5:
		return (kind & 8 ? 0x800000000000 : 0x100000000) - 16 + (kind >> 4);
	case 6:
		return CODE_GPA + 0xf0 + (kind >> 3);
	default:
		return fuzz__take(in, 2);
	}
}

static void set_registers(struct fuzz_input *in, enum guest_mode mode)
{
	struct kvm_regs regs = { .rflags = RFLAGS_FIXED, .rip = CODE_GPA, .rsp = STACKS };
	__u64 *gpr = &regs.rax;
	u16 which = fuzz__take(in, 2);
	unsigned i;

	for (i = 0; i < 16; i++)
		if (which >> i & 1)
			gpr[i] = take_value(in);
	regs.rflags |= fuzz__take(in, 3) & 0x3f7fd5;
	regs.rip += fuzz__take(in, 1);
	if (mode == MODE_V86)
		regs.rflags |= RFLAGS_VM;
	else
		regs.rflags &= ~RFLAGS_VM;
	FUZZ_CHECK(!request(&vcpu_object, KVM_SET_REGS, &regs));
}

static void set_rest(struct fuzz_input *in)
{
	u8 what = fuzz__take(in, 1);
	struct kvm_debugregs debug = { .dr6 = DR6_FIXED, .dr7 = DR7_FIXED };
	struct kvm_xsave *xsave;
	struct kvm_xcrs xcrs = { .nr_xcrs = 1 };

	if (what & 1) {
		unsigned i;

		for (i = 0; i < 4; i++)
			debug.db[i] = take_value(in);
		debug.dr7 |= fuzz__take(in, 4) & 0xffff23ff;
		request(&vcpu_object, KVM_SET_DEBUGREGS, &debug);
	}
	if (what & 2) {
		xcrs.xcrs[0].value = fuzz__take(in, 1) | 1;
		request(&vcpu_object, KVM_SET_XCRS, &xcrs);
	}
	if (what & 4) {
		xsave = calloc(1, sizeof(*xsave));
		FUZZ_CHECK(xsave && !request(&vcpu_object, KVM_GET_XSAVE, xsave));
		fuzz__fill(in, xsave->region, what >> 3 & 1 ? 24 : 160);
		request(&vcpu_object, KVM_SET_XSAVE, xsave);
		free(xsave);
	}
	guest_vcpu->cpu.star = what & 16 ? fuzz__take(in, 8) : 0x0013000800000000ULL;
	guest_vcpu->cpu.lstar = HANDLERS;
	guest_vcpu->cpu.cstar = HANDLERS + 16;
	guest_vcpu->cpu.sysenter_cs = 8;
	guest_vcpu->cpu.sysenter_esp = STACKS;
	guest_vcpu->cpu.sysenter_eip = HANDLERS + 16;
}

static void patch_memory(struct fuzz_input *in)
{
	unsigned n = fuzz__take(in, 1) % 16;

	while (n--) {
		u32 gpa = fuzz__take(in, 3) % MEMORY_END;
		u8 *p = at_gpa(gpa);

		if (p && p + 8 <= guest_memory + MEMORY_SIZE)
			fuzz__fill(in, p, 1 + (gpa & 7));
	}
}

void guest__set_up(struct fuzz_input *in)
{
	u8 what = fuzz__take(in, 1);
	enum guest_mode mode = what % NR_MODES;
	struct kvm_sregs sregs, plain;
	unsigned changes = what >> 4 & 3;

	put(fresh, fresh_xsave);
	memset(guest_memory, 0, MEMORY_SIZE);
	make_descriptors(mode);
	make_gates(mode);
	make_tss(mode);
	FUZZ_CHECK(!request(&vcpu_object, KVM_GET_SREGS, &sregs));
	make_sregs(&sregs, mode, (what & 8) || mode == MODE_V86);
	plain = sregs;
	switch_features(&sregs, fuzz__take(in, 3), mode);
	while (changes--)
		change_segment(&sregs, in);
	if (request(&vcpu_object, KVM_SET_SREGS, &sregs))
		FUZZ_CHECK(!request(&vcpu_object, KVM_SET_SREGS, &plain));
	set_registers(in, mode);
	set_rest(in);
	patch_memory(in);
	fuzz__fill(in, at_gpa((CODE_GPA + (guest_vcpu->cpu.rip - CODE_GPA)) % RAM_SIZE), 0x400);
	forget_caches();
}
