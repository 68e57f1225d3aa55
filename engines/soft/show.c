/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of generated code for perf (engine option perf=map), and listings of single blocks (option
 * dump=ADDRESS). "Seeing what it does" in docs/soft-engine.md has the formats.
 */
#include "core/decode/decode.h"
#include "engines/soft/show.h"
#include "engines/soft/translate/translate.h"

#define STDERR 2
#define BYTES_PER_LINE 32

const char *show__mode(u32 mode)
{
	static const char *const names[2][3] = {
		{ "kernel16", "kernel32", "kernel64" },
		{ "user16", "user32", "user64" },
	};
	u32 size = mode & MODE_CODE_SIZE;

	/* A block's mode has the view, not the privilege. */
	return names[(mode & MODE_VIEW) >> MODE_VIEW_SHIFT == TLB_USER][size == 8 ? 2 : size == 4];
}

/* Hexadecimal, without blanks; size is at most BYTES_PER_LINE. */
static const char *hex(char *text, const u8 *bytes, u32 size)
{
	static const char digits[] = "0123456789abcdef";
	u32 i;

	for (i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * i] = 0;
	return text;
}

static const char *disassemble(char *text, unsigned size, const struct insn *insn, u64 rip)
{
	if (!insn->row)
		return "(undefined)";
	decode__print(insn, rip, text, size);
	return text;
}

void show__guest_code(int file, const struct block *block, u64 rip)
{
	s64 offset = rip & ~PAGE_MASK_4K;
	const u8 *bytes = block__code(block);
	unsigned i;

	for (i = 0; i < block->count; i++) {
		const struct insn *insn = &block->insn[i];
		char digits[2 * INSN_MAX_LENGTH + 1], text[96];

		rip = (rip & PAGE_MASK_4K) + offset;
		host__print(file, "  %16llx  %-30s  %s\n", (unsigned long long)rip,
			    hex(digits, bytes, insn->len), disassemble(text, sizeof(text), insn, rip));
		bytes += insn->len;
		offset = block__next_offset(block, i, offset);
	}
}

/* ---- perf ---- */

static int perf_file(struct vcpu *vcpu)
{
	return soft__vm(vcpu->vm)->config.perf_map;
}

void show__glue(struct vcpu *vcpu)
{
	const struct soft_vcpu *soft = vcpu->soft;
	const struct glue *glue = &soft->glue;
	/* In order of their place. */
	const struct {
		u32 start;
		const char *name;
	} parts[] = {
		{ glue->enter, "enter" },
		{ glue->execute, "execute" },
		{ glue->execute_vectors, "execute_vectors" },
		{ glue->execute_system, "execute_system" },
		{ glue->load_vectors, "load_vectors" },
		{ glue->second[0][false][0], "second" },
		{ glue->straddled, "straddled" },
		{ glue->group_missed, "group_missed" },
		{ glue->fill_stack[0][false], "fill_stack" },
		{ glue->leave, "leave" },
		{ glue->link, "link" },
		{ glue->read_link, "read_link" },
		{ glue->far_link, "far_link" },
		{ glue->find, "find" },
		{ glue->find_again, "find_again" },
		{ glue->other_stack, "other_stack" },
	};
	unsigned i;

	if (!perf_file(vcpu))
		return;
	for (i = 0; i < ARRAY_LENGTH(parts); i++) {
		u32 end = i + 1 < ARRAY_LENGTH(parts) ? parts[i + 1].start : soft->glue_size;

		host__print(perf_file(vcpu), "%llx %x trivet:%s\n",
			    (unsigned long long)(soft->area.execute + parts[i].start),
			    end - parts[i].start, parts[i].name);
	}
}

static void name_block(const struct translation *t, u64 linear)
{
	const u32 part[2][2] = { { t->start, t->end }, { t->cold_start, t->e.at } };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(part); i++)
		host__print(perf_file(t->vcpu), "%llx %x %s:%llx@%llx%s\n",
			    (unsigned long long)(t->soft->area.execute + part[i][0]),
			    part[i][1] - part[i][0], show__mode(t->block->mode),
			    (unsigned long long)linear, (unsigned long long)t->block->gpa,
			    i ? ":cold" : "");
}

/* ---- listings ---- */

static bool is_wanted(const struct translation *t, u64 linear)
{
	const struct engine_config *config = &soft__vm(t->vcpu->vm)->config;
	u64 at = config->dump - (linear & PAGE_MASK_4K), physical = config->dump - (t->block->gpa & PAGE_MASK_4K);
	s64 offset = t->block->gpa & ~PAGE_MASK_4K;
	unsigned i;

	for (i = 0; config->has_dump && i < t->block->count; i++) {
		if (at - offset < t->block->insn[i].len || physical - offset < t->block->insn[i].len)
			return true;
		offset = block__next_offset(t->block, i, offset);
	}
	return false;
}

/* Host code [start, end) that stands for the instruction `index`. */
static void dump_host(const struct translation *t, const char *kind, unsigned index, u32 start,
		      u32 end)
{
	const struct code_area *area = &t->soft->area;
	char digits[2 * BYTES_PER_LINE + 1];

	while (start < end) {
		u32 size = MIN_OF(end - start, BYTES_PER_LINE);

		host__print(STDERR, "dump: %s %u %llx %s\n", kind, index,
			    (unsigned long long)(area->execute + start),
			    hex(digits, area->write + start, size));
		start += size;
	}
}

static unsigned index_of(const struct translation *t, const struct insn *insn)
{
	return insn ? insn - t->block->insn : 0;
}

static void dump_cold(const struct translation *t)
{
	u32 i;

	for (i = 0; i < t->nr_cold; i++)
		dump_host(t, "cold", index_of(t, t->cold[i].insn), t->cold[i].start,
			  i + 1 < t->nr_cold ? t->cold[i + 1].start : t->e.at);
}

static void dump_block(const struct translation *t, u64 linear)
{
	const struct block *block = t->block;
	const u8 *bytes = (const u8 *)&block->insn[block->count];
	u64 base = linear & PAGE_MASK_4K;
	unsigned i;

	host__print(STDERR, "dump: block %s linear %llx physical %llx vcpu %u\n",
		    show__mode(block->mode), (unsigned long long)linear,
		    (unsigned long long)block->gpa, t->vcpu->id);
	dump_host(t, "entry", 0, t->start, t->insn_start[0]);
	for (i = 0; i < t->nr_insns; i++) {
		const struct insn *insn = &block->insn[i];
		char digits[2 * INSN_MAX_LENGTH + 1], text[96];

		host__print(STDERR, "dump: guest %u %llx %s %s\n", i, (unsigned long long)linear,
			    hex(digits, bytes, insn->len),
			    disassemble(text, sizeof(text), insn, linear));
		dump_host(t, "host", i, t->insn_start[i],
			  i + 1 < t->nr_insns ? t->insn_start[i + 1] : t->end);
		bytes += insn->len;
		linear = base + block__next_offset(t->block, i, linear - base);
	}
	dump_cold(t);
	host__print(STDERR, "dump: end\n");
}

void show__translation(const struct translation *t)
{
	u64 linear = t->vcpu->cpu.rip, offset = t->block->gpa & ~PAGE_MASK_4K; /* code that is translated is flat */

	/* Translated again from its own code, it is the page that is executing. */
	if ((linear & ~PAGE_MASK_4K) != offset)
		linear = t->soft->code_base + offset;

	if (perf_file(t->vcpu))
		name_block(t, linear);
	if (is_wanted(t, linear))
		dump_block(t, linear);
}
