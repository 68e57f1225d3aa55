/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vCPU, its guest memory and what the code under test asks of host, memory and x86. */
#include <stdlib.h>
#include <sys/mman.h>

#include "engines/soft/vector_stub.h"
#include "tests/unit/vector/fake.h"

struct vcpu fake_vcpu;
u8 fake_memory[GUEST_PAGES * 4096] __attribute__((aligned(4096)));

static struct vm fake_vm;
static struct soft_vectors fake_vectors;
static enum page_kind page_kinds[GUEST_PAGES];
static u64 seed = 1;

const struct row_table rows_integer, rows_system;

static const struct engine_ops fake_engine = {
	.vector_exec = soft__vector_exec,
	.vector_save = soft__vector_save,
	.vector_changed = soft__vector_changed,
};

u64 soft__code_fault(struct vcpu *vcpu, u64 rip)
{
	return 0;
}

struct soft_vectors *soft__vectors(struct vcpu *vcpu)
{
	return &fake_vectors;
}

/* ---- the host ---- */

void *host__alloc(size_t n)
{
	void *p = aligned_alloc(64, ALIGN_UP_TO(n, 64));

	if (p)
		memset(p, 0, n);
	return p;
}

void host__free(void *p)
{
	free(p);
}

void *host__alloc_sparse(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void host__free_sparse(void *p, size_t n)
{
	munmap(p, n);
}

void host__mutex_init(struct host_mutex *m)
{
}

void host__mutex_destroy(struct host_mutex *m)
{
}

/* As the real ones, which call libc: guest state must survive that. */
void host__mutex_lock(struct host_mutex *m)
{
	soft__park_vectors();
}

void host__mutex_unlock(struct host_mutex *m)
{
	soft__park_vectors();
}

void host__log(const char *fmt, ...)
{
}

/* ---- exceptions and CPUID ---- */

static enum exec_result raise(struct vcpu *vcpu, unsigned vector, bool has_error, u32 error)
{
	vcpu->exception = (struct vcpu_exception){
		.pending = true, .vector = vector, .has_error = has_error, .error = error,
	};
	return EXEC_FAULT;
}

enum exec_result x86__raise(struct vcpu *vcpu, enum x86_vector vector)
{
	return raise(vcpu, vector, false, 0);
}

enum exec_result x86__raise_error(struct vcpu *vcpu, enum x86_vector vector, u32 error)
{
	return raise(vcpu, vector, true, error);
}

void cpuid__query(struct vcpu *vcpu, u32 leaf, u32 subleaf, u32 out[4])
{
	host__cpuid(leaf, subleaf, out);
}

/* ---- guest memory ---- */

static u8 *page_pointer(u64 linear, enum page_kind *kind)
{
	u64 page = (linear - GUEST_BASE) / 4096;

	*kind = page < GUEST_PAGES ? page_kinds[page] : PAGE_ABSENT;
	return page < GUEST_PAGES ? fake_memory + (linear - GUEST_BASE) : NULL;
}

static enum exec_result check(struct vcpu *vcpu, u64 linear, unsigned size, bool write)
{
	unsigned i;

	for (i = 0; i < size; i++) {
		enum page_kind kind;

		page_pointer(linear + i, &kind);
		if (kind == PAGE_ABSENT || (write && kind == PAGE_READ_ONLY)) {
			vcpu->exception.payload = linear + i;
			raise(vcpu, X86_PF, true, write ? PFERR_WRITE : 0);
			vcpu->exception.payload = linear + i;
			return EXEC_FAULT;
		}
	}
	return EXEC_NEXT;
}

enum exec_result access__read(struct vcpu *vcpu, u64 linear, void *buf, unsigned size, unsigned how)
{
	enum exec_result r = check(vcpu, linear, size, false);

	/* The real one walks page tables and may wait: libc is called meanwhile. */
	soft__park_vectors();
	if (!r)
		memcpy(buf, fake_memory + (linear - GUEST_BASE), size);
	return r;
}

enum exec_result access__write(struct vcpu *vcpu, u64 linear, const void *buf, unsigned size,
			       unsigned how)
{
	enum exec_result r = check(vcpu, linear, size, true);

	soft__park_vectors();
	if (!r)
		memcpy(fake_memory + (linear - GUEST_BASE), buf, size);
	return r;
}

enum exec_result access__probe_write(struct vcpu *vcpu, u64 linear, unsigned size, unsigned how)
{
	return check(vcpu, linear, size, true);
}

enum exec_result segment__linear_slow(struct vcpu *vcpu, enum x86_segreg seg, u64 ea, unsigned size,
				      bool write, u64 *linear)
{
	const struct x86_segment *s = &vcpu->cpu.seg[seg];

	if (ea + size - 1 > s->limit)
		return x86__raise_gp(vcpu, 0);
	*linear = (u32)(s->base + ea);
	return EXEC_NEXT;
}

void fake__set_page(unsigned page, enum page_kind kind)
{
	u64 linear = GUEST_BASE + page * 4096;
	struct tlb_entry *e = tlb__slot(fake_vcpu.view, linear);

	page_kinds[page] = kind;
	e->read = kind == PAGE_FAST ? linear : tlb__no_tag(linear >> 12);
	e->write = e->read;
	e->host = fake_memory + (linear - GUEST_BASE);
}

/* ---- the vCPU ---- */

void fake__set_code_size(unsigned code_size)
{
	struct x86_cpu *cpu = &fake_vcpu.cpu;
	unsigned i;

	cpu->code_size = code_size;
	for (i = 0; i < X86_NR_SEG; i++) {
		cpu->seg[i].flat = true;
		cpu->seg[i].limit = 0xffffffff;
		cpu->seg[i].selector = 8 * i + 8;
	}
}

void fake__hide_feature(enum x86_feature feature)
{
	fake_vcpu.cpuid.features[feature / 64] &= ~BIT64(feature % 64);
}

void fake__reset(void)
{
	struct x86_cpu *cpu = &fake_vcpu.cpu;
	struct xsave_image image = { .mxcsr = MXCSR_INIT };
	unsigned i;

	memset(cpu, 0, sizeof(*cpu));
	memset(&fake_vcpu.tlb, 0xff, sizeof(fake_vcpu.tlb));
	memset(&fake_vcpu.exception, 0, sizeof(fake_vcpu.exception));
	memset(fake_vcpu.cpuid.features, 0xff, sizeof(fake_vcpu.cpuid.features));
	fake_vcpu.cpuid.intel = index_kind == DECODE_AS_INTEL;
	memset(fake_memory, 0, sizeof(fake_memory));
	fake_vcpu.view = fake_vcpu.tlb.entry[TLB_KERNEL];
	for (i = 0; i < GUEST_PAGES; i++)
		fake__set_page(i, PAGE_FAST);
	cpu->cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_MP;
	cpu->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	cpu->xcr0 = XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;
	cpu->rip = GUEST_RIP;
	cpu->sysflags = RFLAGS_FIXED;
	fake__set_code_size(8);
	fake__set_image(&image);
}

int fake__setup(void **state)
{
	const char *why;

	decode__init();
	assert_int_equal(soft__vectors_setup(&why), 0);
	fake_vm.engine = &fake_engine;
	fake_vcpu.vm = &fake_vm;
	assert_int_equal(soft__vectors_create(&fake_vcpu), 0);
	soft__vectors_load(&fake_vcpu);
	fake__reset();
	return 0;
}

int fake__teardown(void **state)
{
	soft__vectors_put(&fake_vcpu);
	soft__vectors_destroy(&fake_vcpu);
	soft__vectors_teardown();
	return 0;
}

enum exec_result fake__execute(const u8 *bytes, unsigned length)
{
	enum exec_result r;
	struct insn insn;
	const char *why;

	/* cmocka handles SIGFPE and SIGILL for the time of each test: go before it. */
	assert_int_equal(stub_fault__setup(&why), 0);
	soft__park_vectors();
	assert_int_equal(decode__insn(bytes, length, fake_vcpu.cpu.code_size, &insn), DECODE_OK);
	assert_int_equal(insn.len, length);
	if (!cpuid__has(&fake_vcpu.cpuid, insn.row->feature))
		r = x86__raise_ud(&fake_vcpu);
	else
		r = insn.exec(&fake_vcpu, &insn);
	soft__park_vectors();
	stub_fault__teardown();
	return r;
}

void fake__assert_raised(enum exec_result r, unsigned vector, int error)
{
	assert_int_equal(r, EXEC_FAULT);
	assert_int_equal(fake_vcpu.exception.vector, vector);
	assert_int_equal(fake_vcpu.exception.has_error, error >= 0);
	if (error >= 0)
		assert_int_equal(fake_vcpu.exception.error, error);
}

struct xsave_image *fake__image(void)
{
	soft__vector_save(&fake_vcpu);
	return (struct xsave_image *)fake_vcpu.xsave;
}

void fake__set_image(const struct xsave_image *image)
{
	memcpy(fake_vcpu.xsave, image, sizeof(*image));
	soft__vector_changed(&fake_vcpu);
}

/* ---- random state ---- */

u64 fake__random(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) ^ (seed << 17);
}

static u64 random_lane(void)
{
	static const u64 special[] = {
		0, 0x8000000000000000, 0x7ff0000000000000, 0x7ff8000000000001, 0x3ff0000000000000,
		0xfff0000000000000, 1, 0x7f800000ff800000, 0x3f80000040000000, 0x0000000100000001,
		0x7fffffff80000000, 0xffffffffffffffff, 0x8000800080008000, 0x41dfffffffc00000,
	};

	switch (fake__random() % 4) {
	case 0:
		return special[fake__random() % ARRAY_LENGTH(special)];
	case 1: /* a double of ordinary size */
		return (fake__random() & 0x800fffffffffffff) | (0x3f0 + fake__random() % 64) << 52;
	case 2: /* two floats of ordinary size */
		return (fake__random() & 0x807fffff807fffff) |
		       (u64)(0x70 + fake__random() % 32) << 55 | (0x70 + fake__random() % 32) << 23;
	default:
		return fake__random() ^ fake__random() << 23;
	}
}

static void random_lanes(void *out, unsigned size)
{
	u64 *lane = out;
	unsigned i;

	for (i = 0; i < size / 8; i++)
		lane[i] = random_lane();
}

static void random_st(u8 st[16])
{
	u64 mantissa = fake__random() ^ fake__random() << 31;
	u16 exponent = 0x3fff - 8 + fake__random() % 16;

	memset(st, 0, 16);
	switch (fake__random() % 6) {
	case 0:
		return; /* zero */
	case 1:
		exponent = fake__random() % 2 ? 0x7fff : 0;
		break;
	}
	if (exponent)
		mantissa |= BIT64(63);
	exponent |= (fake__random() & 1) << 15;
	memcpy(st, &mantissa, 8);
	memcpy(st + 8, &exponent, 2);
}

void fake__random_image(struct xsave_image *image)
{
	unsigned i;

	memset(image, 0, sizeof(*image));
	image->fcw = 0x7f | (fake__random() & 0xf00);
	image->fsw = (fake__random() & 7) << 11 | (fake__random() & 0x4700);
	image->ftw = fake__random() | fake__random();
	image->mxcsr = 0x1f80 | (fake__random() & 0xe07f);
	for (i = 0; i < 8; i++)
		random_st(image->st[i]);
	random_lanes(image->xmm, sizeof(image->xmm));
	random_lanes(image->ymm_high, sizeof(image->ymm_high));
	image->xstate_bv = XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;
}

/* ---- what core/host.h renames: general registers only, guest state may be live ---- */

void *host__memcpy(void *dst, const void *src, size_t n);
void *host__memmove(void *dst, const void *src, size_t n);
void *host__memset(void *dst, int c, size_t n);
int host__memcmp(const void *a, const void *b, size_t n);

void *host__memcpy(void *dst, const void *src, size_t n)
{
	void *to = dst;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *host__memset(void *dst, int c, size_t n)
{
	void *to = dst;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int host__memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;
	size_t i;

	for (i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}
