/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making stubs: re-encoding of vector instructions, and the area that holds the code. The area is
 * one memory file mapped twice, writable here and executable there; stubs are only ever added.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/decode/row.h"
#include "core/emulate/vector.h"
#include "engines/soft/vector_stub.h"

/* Stub 0 is never used, stub 1 is the spare one. */
#define SPARE_STUB 1
#define FIRST_STUB 2
#define MAX_STUBS 65536
#define AREA_SIZE (MAX_STUBS * STUB_SIZE)
#define HASH_SIZE (2 * MAX_STUBS)

u8 *stub_code;
static u8 *stub_bytes; /* the writable view */

/*
 * Open addressing by the instruction bytes. A key is written after its stub, with release order,
 * and never changes: readers need no lock, writers hold stub_lock.
 */
struct hash_entry {
	u64 key; /* 0: free */
	u32 stub;
};

static struct hash_entry *hash;
static u32 nr_stubs;
static struct host_mutex stub_lock;  /* guards adding */
static struct host_mutex spare_lock; /* guards the spare stub, held while it executes */

/* ---- re-encoding ---- */

#define REG_RCX 1
#define REG_RDI 7

struct encoding {
	u64 key; /* the bytes, little-endian; never 0 */
	unsigned length;
	u32 kind; /* STUB_FULL, STUB_X87, STUB_INIT, STUB_CLEAR */
};

static void put_byte(struct encoding *e, u8 byte)
{
	e->key |= (u64)byte << 8 * e->length++;
}

/* What stands in the fields of the new encoding. */
struct fields {
	u8 reg;
	u8 rm;
	u8 mod;
	bool has_modrm;
	bool w;
	bool full;
	u8 nr_imm;
};

static bool is_reg_gpr(u8 op)
{
	return op == OP_Gd || op == OP_Gq || op == OP_Gy;
}

static bool is_rm_gpr(u8 op)
{
	return op == OP_Eb || op == OP_Ew || op == OP_Ed || op == OP_Eq || op == OP_Ey;
}

static bool is_string(const struct insn *insn)
{
	return insn->row->exec == exec_sse_string || insn->row->exec == exec_avx_string;
}

static void choose_fields(const struct insn *insn, struct fields *f)
{
	const struct opcode_row *row = insn->row;
	unsigned i, limit = insn->code == 8 ? 31 : 7;
	bool mem = insn->flags & INSN_MEM, is_y = false;

	f->reg = row->group != GROUP_ANY ? row->group : insn->reg & limit;
	f->rm = mem ? REG_RDI : insn->rm & limit;
	f->mod = mem ? 0 : 3;
	f->has_modrm = row->group != GROUP_ANY;
	f->nr_imm = 0;
	f->full = row->reads || row->writes || is_string(insn);
	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		u8 op = row->op[i];

		f->has_modrm |= op != OP_NONE;
		f->nr_imm += op == OP_Ib || op == OP_Lx;
		is_y |= op == OP_Ey || op == OP_Gy;
		if (is_reg_gpr(op)) {
			f->reg = REG_RCX;
			f->full = true;
		} else if (is_rm_gpr(op) && !mem) {
			f->rm = REG_RCX;
			f->full = true;
		}
	}
	/* W counts where it sizes a general register or length, and in the VEX opcode space. */
	f->w = insn->flags & INSN_REX_W;
	if (!(insn->flags & INSN_VEX) && !is_y && !is_string(insn))
		f->w = false;
	if ((is_y || is_string(insn)) && insn->code != 8)
		f->w = false;
}

static void put_modrm(struct encoding *e, const struct fields *f)
{
	if (f->has_modrm)
		put_byte(e, f->mod << 6 | (f->reg & 7) << 3 | (f->rm & 7));
}

static void encode_vex(const struct insn *insn, const struct fields *f, struct encoding *e)
{
	static const u8 pp[] = { [PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3 };
	u8 vvvv = insn->code == 8 ? insn->vvvv : insn->vvvv & 7;

	put_byte(e, 0xc4);
	put_byte(e, (f->reg & 8 ? 0 : 0x80) | 0x40 | (f->rm & 8 ? 0 : 0x20) | insn->map);
	put_byte(e, (f->w ? 0x80 : 0) | (~vvvv & 15) << 3 | (insn->flags & INSN_VEX_L ? 4 : 0) |
			    pp[insn->row->prefix]);
	put_byte(e, insn->opcode);
	put_modrm(e, f);
}

/* SDM vol. 2, 2.7.1. With a memory operand at [RDI] there is no displacement. */
static void encode_evex(const struct insn *insn, const struct fields *f, struct encoding *e)
{
	static const u8 pp[] = { [PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3 };
	u8 vvvv = insn->code == 8 ? insn->vvvv : insn->vvvv & 7;

	put_byte(e, 0x62);
	put_byte(e, (f->reg & 8 ? 0 : 0x80) | (f->rm & 16 ? 0 : 0x40) | (f->rm & 8 ? 0 : 0x20) |
			    (f->reg & 16 ? 0 : 0x10) | insn->map);
	put_byte(e, (f->w ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | pp[insn->row->prefix]);
	put_byte(e, insn->evex | (vvvv & 16 ? 0 : 8));
	put_byte(e, insn->opcode);
	put_modrm(e, f);
}

static void encode_legacy(const struct insn *insn, const struct fields *f, struct encoding *e)
{
	static const u8 prefix[] = { [PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2 };
	u8 rex = (f->w ? 8 : 0) | (f->reg & 8 ? 4 : 0) | (f->rm & 8 ? 1 : 0);

	if (insn->row->prefix >= PFX_66)
		put_byte(e, prefix[insn->row->prefix]);
	if (rex)
		put_byte(e, 0x40 | rex);
	put_byte(e, 0x0f);
	if (insn->map == MAP_0F38)
		put_byte(e, 0x38);
	else if (insn->map == MAP_0F3A)
		put_byte(e, 0x3a);
	put_byte(e, insn->opcode);
	put_modrm(e, f);
}

static void encode_x87(const struct insn *insn, struct encoding *e)
{
	put_byte(e, insn->opcode);
	if (insn->flags & INSN_MEM)
		put_byte(e, (insn->modrm & 0x38) | REG_RDI);
	else
		put_byte(e, insn->modrm);
	if (insn->opcode == 0xdb && insn->modrm == 0xe3)
		e->kind |= STUB_INIT;
	else if (insn->opcode == 0xdb && insn->modrm == 0xe2)
		e->kind |= STUB_CLEAR;
	else if (!(insn->row->flags & ROW_X87_ENV))
		e->kind |= STUB_X87;
	if (insn->row->reads || insn->row->writes || insn->row->op[0] == OP_rAXv)
		e->kind |= STUB_FULL;
}

static void encode(const struct insn *insn, struct encoding *e)
{
	struct fields f;
	u8 imm = insn->imm;

	*e = (struct encoding){ 0 };
	if (insn->row->class == CLASS_X87) {
		encode_x87(insn, e);
		return;
	}
	if (insn->map == MAP_1BYTE) { /* FWAIT */
		put_byte(e, insn->opcode);
		return;
	}
	choose_fields(insn, &f);
	if (f.full)
		e->kind |= STUB_FULL;
	if (insn->flags & INSN_EVEX)
		encode_evex(insn, &f, e);
	else if (insn->flags & INSN_VEX)
		encode_vex(insn, &f, e);
	else
		encode_legacy(insn, &f, e);
	/* Outside of 64-bit code there are eight registers, the top bit of an is4 is ignored. */
	if (insn->row->op[3] == OP_Lx && insn->code != 8)
		imm &= 0x7f;
	if (f.nr_imm)
		put_byte(e, imm);
	if (f.nr_imm > 1)
		put_byte(e, insn->imm2);
}

/* ---- the area ---- */

/*
 * The code was written through another mapping than it is fetched by: only a serializing
 * instruction is sure to drop what has been prefetched (SDM vol. 3, 11.6). IRET is one that user
 * code may execute.
 */
void stub__serialize(void)
{
	u64 scratch;

	__asm__ volatile("mov %%ss, %k0\n\t"
			 "push %0\n\t"
			 "lea 8(%%rsp), %0\n\t"
			 "push %0\n\t"
			 "pushfq\n\t"
			 "mov %%cs, %k0\n\t"
			 "push %0\n\t"
			 "lea 1f(%%rip), %0\n\t"
			 "push %0\n\t"
			 "iretq\n"
			 "1:"
			 : "=&r"(scratch)
			 :
			 : "memory", "cc");
}

static void write_stub(u32 number, const struct encoding *e)
{
	u8 *p = stub_bytes + number * STUB_SIZE;

	memset(p, 0xcc, STUB_SIZE);
	memcpy(p, &e->key, e->length);
	p[e->length] = 0xc3; /* ret */
	stub__serialize();
}

static struct hash_entry *find_entry(u64 key)
{
	u32 i = (key * 0x9e3779b97f4a7c15ULL) >> 40;

	for (;; i++) {
		struct hash_entry *entry = &hash[i % HASH_SIZE];
		u64 k = __atomic_load_n(&entry->key, __ATOMIC_ACQUIRE);

		if (!k || k == key)
			return entry;
	}
}

static u32 add_stub(const struct encoding *e)
{
	struct hash_entry *entry = find_entry(e->key);
	u32 number;

	if (entry->key)
		return entry->stub;
	if (nr_stubs == MAX_STUBS)
		return 0;
	number = nr_stubs++;
	write_stub(number, e);
	entry->stub = number | e->kind;
	__atomic_store_n(&entry->key, e->key, __ATOMIC_RELEASE);
	return entry->stub;
}

u32 stub__find(const struct insn *insn)
{
	struct hash_entry *entry;
	struct encoding e;
	u32 stub;

	encode(insn, &e);
	entry = find_entry(e.key);
	if (__atomic_load_n(&entry->key, __ATOMIC_ACQUIRE) == e.key)
		return entry->stub;
	host__mutex_lock(&stub_lock);
	stub = add_stub(&e);
	host__mutex_unlock(&stub_lock);
	return stub;
}

u32 stub__lock_spare(const struct insn *insn)
{
	struct encoding e;

	encode(insn, &e);
	host__mutex_lock(&spare_lock);
	write_stub(SPARE_STUB, &e);
	return SPARE_STUB | e.kind;
}

void stub__unlock_spare(void)
{
	host__mutex_unlock(&spare_lock);
}

bool stub__contains(u64 address)
{
	return address - (u64)stub_code < AREA_SIZE;
}

int stub__setup(const char **why)
{
	int fd, error;

	fd = memfd_create("vector-stubs", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, AREA_SIZE)) {
		error = -errno;
		*why = "no memory file for vector code";
		goto close_file;
	}
	stub_bytes = mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (stub_bytes == MAP_FAILED) {
		error = -errno;
		*why = "can't map memory for vector code";
		goto close_file;
	}
	stub_code = mmap(NULL, AREA_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (stub_code == MAP_FAILED) {
		error = -errno;
		*why = "can't map memory for execution (is it forbidden on this host?)";
		goto unmap_bytes;
	}
	hash = host__alloc_sparse(HASH_SIZE * sizeof(*hash));
	if (!hash) {
		error = -ENOMEM;
		*why = "out of memory";
		goto unmap_code;
	}
	nr_stubs = FIRST_STUB;
	host__mutex_init(&stub_lock);
	host__mutex_init(&spare_lock);
	close(fd);
	return 0;

unmap_code:
	munmap(stub_code, AREA_SIZE);
unmap_bytes:
	munmap(stub_bytes, AREA_SIZE);
close_file:
	if (fd >= 0)
		close(fd);
	stub_code = NULL;
	return error;
}

void stub__teardown(void)
{
	host__mutex_destroy(&spare_lock);
	host__mutex_destroy(&stub_lock);
	host__free_sparse(hash, HASH_SIZE * sizeof(*hash));
	munmap(stub_code, AREA_SIZE);
	munmap(stub_bytes, AREA_SIZE);
	stub_code = NULL;
}
