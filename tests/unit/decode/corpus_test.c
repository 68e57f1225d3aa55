/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder against objdump, over all code of host libraries: every instruction must have the
 * same length, mnemonic and operands. Without objdump the test is skipped.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/decode/decode.h"

/* One line of objdump. */
struct line {
	u64 address;
	u8 bytes[16];
	unsigned len;
	char mnemonic[32]; /* prefixes removed */
	bool locked;
	char operands[128];
};

struct tally {
	bool strict; /* all that objdump knows must be known */
	unsigned checked;
	unsigned skipped; /* not offered to guests */
	unsigned wrong;
};

/* Extensions that are not offered to guests: they must be undefined (or a NOP), nothing else. */
static const char *const not_offered[] = {
	"xbegin", "xend", "xabort", "xtest", "rdpkru", "wrpkru", "incssp", "saveprevssp",
	"rstorssp", "wrss", "setssbsy", "clrssbsy", "tpause", "umonitor", "umwait", "xsusldtrk",
	"xresldtrk", "enqcmd", "movdir", "ptwrite", "serialize", "hreset", "uiret",
	"femms", "vmread", "vmwrite", "vp2intersect", "vgatherpf", "vscatterpf", "vexp2", "vrcp28",
	"vrsqrt28", "v4fmadd", "v4fnmadd", "vp4dpwssd",
};

/* AVX512-FP16, XOP, FMA4: no guest is offered these. */
static bool is_foreign_encoding(const struct line *line)
{
	const u8 *p = line->bytes;

	while (p < line->bytes + 13 && (*p == 0x26 || *p == 0x2e || *p == 0x36 || *p == 0x3e ||
					*p == 0x64 || *p == 0x65 || *p == 0x67))
		p++;
	if (*p == 0x62)
		return strcmp(line->mnemonic, "bound") &&
		       ((p[1] & 7) > 3 || ((p[1] & 7) == 3 && (p[2] & 3) != 1));
	if (*p == 0x8f && (p[1] & 0x38))
		return true;
	return *p == 0xc4 && line->mnemonic[0] == 'v' && (p[1] & 0x1f) == 3 &&
	       (p[3] & 0xc0) == 0x40 && (p[3] & 0x3f) >= 0x1c &&
	       strncmp(line->mnemonic, "vpcmp", 5);
}

static bool is_not_offered(const struct line *line)
{
	unsigned i;

	for (i = 0; i < sizeof(not_offered) / sizeof(*not_offered); i++)
		if (!strncmp(line->mnemonic, not_offered[i], strlen(not_offered[i])))
			return true;
	return is_foreign_encoding(line);
}

static bool is_prefix_word(const char *word)
{
	static const char *const prefix[] = { "lock", "rep", "repz", "repnz", "data16", "data32",
					      "addr32", "addr16", "cs", "ds", "es", "ss", "fs",
					      "gs", "{evex}", "notrack", "bnd", "xacquire", "xrelease" };
	unsigned i;

	for (i = 0; i < sizeof(prefix) / sizeof(*prefix); i++)
		if (!strcmp(word, prefix[i]))
			return true;
	return !strncmp(word, "rex", 3);
}

/* Copies operands without blanks, "<symbol>" and "# comment"; a bare hex number gets its 0x. */
static void copy_operands(char *out, size_t size, const char *text)
{
	size_t n = 0;

	while (*text == ' ')
		text++;
	if (isxdigit((unsigned char)*text) && strncmp(text, "0x", 2))
		n = (size_t)snprintf(out, size, "0x");
	for (; *text && *text != '#' && *text != '<' && *text != '\n' && n + 1 < size; text++) {
		if (!strncmp(text, ",%riz,", 6) || !strncmp(text, ",%eiz,", 6))
			text += 7; /* an index that is none, with a scale */
		if (*text != ' ')
			out[n++] = *text;
	}
	out[n] = 0;
}

static void split_text(const char *text, char *mnemonic, char *operands)
{
	char word[32];
	int used = 0;

	mnemonic[0] = 0;
	operands[0] = 0;
	while (sscanf(text, " %31[^ \n]%n", word, &used) == 1) {
		text += used;
		if (is_prefix_word(word))
			continue;
		/* Branch hints; fneni(8087 only). */
		word[strcspn(word, ",(")] = 0;
		strcpy(mnemonic, word);
		if (text[0] == ',')
			text += 3;
		copy_operands(operands, 128, text);
		return;
	}
}

/* " 1234:\t48 89 e5             \tmov    %rsp,%rbp" */
static bool parse_line(const char *text, struct line *line)
{
	unsigned long long address;
	int used = 0;
	unsigned byte;

	memset(line, 0, sizeof(*line));
	if (sscanf(text, " %llx:%n", &address, &used) != 1 || text[used] != '\t')
		return false;
	line->address = address;
	text += used + 1;
	while (line->len < 16 && sscanf(text, "%2x %n", &byte, &used) == 1 && used >= 2 &&
	       text[0] != '\t') {
		line->bytes[line->len++] = (u8)byte;
		text += 3;
		if (*text == ' ' || *text == '\t')
			break;
	}
	text = strchr(text, '\t');
	if (!text || !line->len)
		return false;
	line->locked = strstr(text, "lock");
	split_text(text + 1, line->mnemonic, line->operands);
	return line->mnemonic[0];
}

/* What objdump has another name for. */
static const char *const aliases[][2] = {
	{ "movabs", "mov" },	     { "xchg", "nop" },	   { "pclmul", "pclmulqdq" },
	{ "vpclmul", "vpclmulqdq" }, { "fstcw", "fnstcw" }, { "ljmp", "jmp" },
	{ "lcall", "call" },	     { "lret", "ret" },
};

/* cmpltps is cmpps with an immediate in the name, vcmpngt_uqsd is vcmpsd. */
static bool is_named_compare(const char *theirs, const char *ours)
{
	size_t a = strlen(theirs), b = strlen(ours);
	const char *stem = !strncmp(ours, "vpcmp", 5) ? "vpcmp" : ours[0] == 'v' ? "vcmp" : "cmp";

	if (stem[1] == 'p')
		return b <= strlen(stem) + 2 && !strncmp(theirs, stem, 5) &&
		       !strcmp(theirs + a - (b - 5), ours + 5);
	return b == strlen(stem) + 2 && !strncmp(ours, stem, strlen(stem)) &&
	       !strncmp(theirs, stem, strlen(stem)) && a > b &&
	       !strcmp(theirs + a - 2, ours + b - 2);
}

static bool same_mnemonic(const char *theirs, const char *ours, const struct insn *insn)
{
	size_t a = strlen(theirs), b = strlen(ours), common = a < b ? a : b;
	unsigned i;

	if (is_named_compare(theirs, ours))
		return true;
	/* Hints that are NOPs to who does not know them. */
	if (!strncmp(ours, "nop", 3) && insn->map == MAP_0F)
		return true;
	for (i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (!strncmp(theirs, aliases[i][0], strlen(aliases[i][0])) &&
		    !strncmp(ours, aliases[i][1], strlen(aliases[i][1])))
			return true;
	if (strncmp(theirs, ours, common))
		return false;
	if (a == b)
		return true;
	if (a == b + 2 && !strcmp(theirs + b, "64"))
		return true;
	/* A size suffix on one side only. */
	if (insn->row->class == CLASS_X87)
		return a > b && a - b <= 2 && strspn(theirs + b, "slt") == a - b;
	return (a > b ? a - b : b - a) == 1 &&
	       strchr("bwlqxyzs", a > b ? theirs[common] : ours[common]);
}

/* A comparison's immediate may stand in the name. */
static bool same_vector_operands(const struct line *line, const struct insn *insn, const char *ours)
{
	const char *theirs = line->operands;

	/* An address of 16 bits without registers: objdump forgets to wrap. */
	if (insn->adsize == 2 && insn->base == X86_SLOT_ZERO && (insn->flags & INSN_MEM))
		return true;

	if (strstr(insn->row->name, "cmp") && theirs[0] != '$' && ours[0] == '$')
		ours = strchr(ours, ',') + 1;
	return !strcmp(theirs, ours);
}

/* Operands that are spelled differently are compared in decode_test, by hand. */
static bool same_operands(const struct line *line, const struct insn *insn, const char *ours)
{
	if (insn->row->evex || insn->row->op[0] == OP_Kg)
		return same_vector_operands(line, insn, ours);
	if (insn->row->class != CLASS_INTEGER || !strncmp(insn->row->name, "nop", 3))
		return true;
	if (!strcmp(insn->row->name, "movsxd") && insn->opsize == 2)
		return true; /* shown with a 16-bit source; AMD reads 32 bits */
	if (!strcmp(line->operands, ours) || strstr(line->operands, "()"))
		return true;
	/* objdump leaves out a shift count of 1, and shows the implied one of XLAT. */
	if (!strncmp(ours, "*%ds:", 5)) /* notrack */
		return !strcmp(line->operands + 1, ours + 5);
	/* A target in 16-bit code and an address without registers: objdump forgets to wrap. */
	if (insn->opsize == 2 && (insn->flags & INSN_BRANCH) && insn->row->op[0] != OP_Ev)
		return (u16)strtoul(line->operands, NULL, 16) == strtoul(ours, NULL, 16);
	if (insn->adsize == 2 && insn->base == X86_SLOT_ZERO && (insn->flags & INSN_MEM))
		return true;
	if (insn->row->op[1] == OP_1 && !strncmp(ours, "$0x1,", 5))
		return !strcmp(line->operands, ours + 5);
	return !ours[0] && insn->row->op[0] == OP_NONE;
}

static void complain(struct tally *tally, const struct line *line, const char *what,
		     const char *ours)
{
	unsigned i;

	if (tally->wrong++ >= 20000)
		return;
	printf("%llx:", (unsigned long long)line->address);
	for (i = 0; i < line->len; i++)
		printf(" %02x", line->bytes[i]);
	printf("  objdump: %s %s  %s: %s\n", line->mnemonic, line->operands, what, ours);
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && !strcmp(s + n - m, tail);
}

static void check_line(struct tally *tally, struct line *line, unsigned code_size)
{
	char text[160], mnemonic[32], operands[128];
	enum decode_result result;
	struct insn insn;
	unsigned skip = line->bytes[0] == 0x9b && line->len > 1; /* shown as one with FWAIT */

	result = decode__insn(line->bytes + skip, line->len - skip, code_size, &insn);
	if (is_not_offered(line)) {
		tally->skipped++;
		if (result == DECODE_OK)
			complain(tally, line, "decoded though not offered", insn.row->name);
		return;
	}
	/* objdump shows a LOCK and segment registers that the processor refuses. */
	if (result == DECODE_UNDEFINED &&
	    (!tally->strict || line->locked || strstr(line->operands, "%?") ||
	     ends_with(line->operands, ",%cs"))) {
		tally->skipped++;
		return;
	}
	tally->checked++;
	if (result != DECODE_OK) {
		complain(tally, line, "result",
			 result == DECODE_SHORT	    ? "short" :
			 result == DECODE_UNDEFINED ? "undefined" :
						      "too long");
		return;
	}
	if (insn.len != line->len - skip) {
		complain(tally, line, "too short", insn.row->name);
		return;
	}
	decode__print(&insn, line->address, text, sizeof(text));
	split_text(text, mnemonic, operands);
	if (!skip && !same_mnemonic(line->mnemonic, mnemonic, &insn))
		complain(tally, line, "mnemonic", text);
	else if (!same_operands(line, &insn, operands))
		complain(tally, line, "operands", text);
}

/* Compares all that a command shows. Lines that are no instruction (data, "(bad)") do not count. */
static void check_command(struct tally *tally, const char *command, unsigned code_size,
			  unsigned slot)
{
	char text[512];
	struct line line;
	FILE *f = popen(command, "r");

	assert_non_null(f);
	while (fgets(text, sizeof(text), f))
		if (parse_line(text, &line) && !strchr(".(", line.mnemonic[0]) &&
		    !strstr(text, "(bad)") && !(line.address % slot))
			check_line(tally, &line, code_size);
	pclose(f);
	printf("%u-bit: %u instructions agree, %u not offered, %u wrong\n", 8 * code_size,
	       tally->checked - tally->wrong, tally->skipped, tally->wrong);
}

static void check_file(const char *path, unsigned least)
{
	struct tally tally = { .strict = true };
	char command[256];

	if (access(path, R_OK) || access("/usr/bin/objdump", X_OK))
		skip();
	snprintf(command, sizeof(command),
		 "objdump -d -w -z -M intel-mnemonic,att,intel64 -j .text %s", path);
	check_command(&tally, command, 8, 1);
	assert_int_equal(tally.wrong, 0);
	assert_true(tally.checked >= least);
}

static void test_libc(void **state)
{
	check_file("/lib/x86_64-linux-gnu/libc.so.6", 100000);
}

static void test_libm(void **state)
{
	check_file("/lib/x86_64-linux-gnu/libm.so.6", 50000);
}

/* ---- made-up instructions, in all code sizes ---- */

#define SLOT 32 /* bytes for one instruction: 16 random ones, then NOPs to fall in step again */

static u32 random_state;

static u32 random_below(u32 n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (u32)((u64)(random_state >> 4) * n >> 28);
}

/* EVEX, of random bytes in one of its maps. */
static void make_up_evex(u8 *p, unsigned code_size)
{
	p[0] = 0x62;
	p[1] = (u8)((p[1] & 0xf0) | (1 + p[15] % 3));
	p[2] |= 4;
	if (code_size != 8)
		p[1] |= 0xf0;
}

/* Prefixes, a map and an opcode, then random bytes. */
static void make_up(u8 *p, unsigned code_size)
{
	static const u8 prefix[] = { 0x66, 0x66, 0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x3e, 0x64, 0x65 };
	unsigned i, n = 0;

	memset(p, 0x90, SLOT);
	for (i = 0; i < 16; i++)
		p[i] = (u8)random_below(256);
	if (!random_below(4))
		p[n++] = prefix[random_below(sizeof(prefix))];
	if (code_size == 8 && !random_below(4))
		p[n++] = (u8)(0x40 + random_below(16));
	switch (random_below(6)) {
	case 0:
		p[n] = 0x0f;
		break;
	case 1:
		p[n] = 0x0f;
		p[n + 1] = random_below(2) ? 0x38 : 0x3a;
		break;
	case 2:
		p[n] = 0xc5;
		break;

	case 3:
		p[n] = 0xc4;
		p[n + 1] = (u8)((p[n + 1] & 0xe0) | (1 + random_below(3)));
		break;
	default:
		break;
	}
}

static void check_made_up(unsigned code_size, const char *machine, u32 seed)
{
	char path[] = "/tmp/decode-corpus-XXXXXX", command[256];
	struct tally tally = { .strict = false };
	unsigned i;
	u8 slot[SLOT];
	int fd;
	FILE *f;

	if (access("/usr/bin/objdump", X_OK))
		skip();
	fd = mkstemp(path);
	f = fdopen(fd, "w");
	assert_non_null(f);
	random_state = seed;
	for (i = 0; i < 60000; i++) {
		make_up(slot, code_size);
		if (i % 6 == 0)
			make_up_evex(slot, code_size);
		fwrite(slot, SLOT, 1, f);
	}
	fclose(f);
	snprintf(command, sizeof(command),
		 "objdump -D -b binary -m %s -w -z -M intel-mnemonic,att,intel64 %s", machine,
		 path);
	check_command(&tally, command, code_size, SLOT);
	unlink(path);
	assert_int_equal(tally.wrong, 0);
	assert_true(tally.checked >= 20000);
}

static void test_made_up_16(void **state)
{
	check_made_up(2, "i8086", 1);
}

static void test_made_up_32(void **state)
{
	check_made_up(4, "i386", 2);
}

static void test_made_up_64(void **state)
{
	check_made_up(8, "i386:x86-64", 3);
}

static int setup(void **state)
{
	decode__init_for(DECODE_AS_INTEL); /* as objdump's intel64 */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_libm),
		cmocka_unit_test(test_made_up_16),
		cmocka_unit_test(test_made_up_32),
		cmocka_unit_test(test_made_up_64),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
