// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Engine option check: a difference that is planted into what translations do is found, and what differs is said; one
 * that does not come again is not reported. __wrap_glue__enter() stands between the engine and generated
 * code (linked with --wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#include <cmocka.h>

#include "engines/soft/translate/translate.h"
#include "hosts/user/trivet_kvm.h"

#define MEMORY_SIZE 0x10000u
#define CODE 0x1000u
#define LOOP (CODE + 5)
#define DATA 0x2000u

enum plant {
	PLANT_NOTHING,
	PLANT_REGISTER,
	PLANT_FLAG,
	PLANT_RIP,
	PLANT_MEMORY,
	PLANT_NEIGHBOUR,
	PLANT_VECTOR,
	PLANT_FAULT,
};

static u8 *memory;
static enum plant plant;
static unsigned times; /* that it is planted */

enum exec_result __real_glue__enter(struct vcpu *vcpu, const u8 *code);
enum exec_result __wrap_glue__enter(struct vcpu *vcpu, const u8 *code);

static void change_vector(struct vcpu *vcpu)
{
	soft__vector_save(vcpu);
	((struct xsave_image *)vcpu->xsave)->xmm[3][0] ^= 1;
	soft__vector_changed(vcpu);
}

/* The guest's vectors stand in registers here. */
__attribute__((target("general-regs-only"))) enum exec_result
__wrap_glue__enter(struct vcpu *vcpu, const u8 *code)
{
	enum exec_result result = __real_glue__enter(vcpu, code);

	if (!times)
		return result;
	times--;
	switch (plant) {
	case PLANT_NOTHING:
		break;
	case PLANT_REGISTER:
		vcpu->cpu.gpr[X86_RBX] ^= 0x80;
		break;
	case PLANT_FLAG:
		vcpu->cpu.arith ^= RFLAGS_ZF;
		break;
	case PLANT_RIP:
		vcpu->cpu.rip++;
		break;
	case PLANT_MEMORY:
		memory[DATA] ^= 1;
		break;
	case PLANT_NEIGHBOUR:
		memory[DATA + 5] ^= 1;
		break;
	case PLANT_VECTOR:
		change_vector(vcpu);
		break;
	case PLANT_FAULT:
		x86__raise_gp(vcpu, 0);
		return EXEC_FAULT;
	}
	return result;
}

struct machine {
	int kvm, vm, vcpu, run_size;
	struct kvm_run *run;
};

static int request(int fd, unsigned long number, void *arg)
{
	return trivet_kvm_ioctl(fd, number, (unsigned long)arg);
}

static void set_flat_mode(struct machine *m)
{
	struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1,
				    .s = 1, .db = 1, .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1,
				    .s = 1, .db = 1, .g = 1 };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs s;

	assert_int_equal(request(m->vcpu, KVM_GET_SREGS, &s), 0);
	s.cs = code;
	s.ds = s.es = s.ss = data;
	s.cr0 = 0x33; /* NE MP PE */
	s.cr4 = 0x600; /* OSFXSR OSXMMEXCPT */
	assert_int_equal(request(m->vcpu, KVM_SET_SREGS, &s), 0);
	assert_int_equal(request(m->vcpu, KVM_SET_REGS, &regs), 0);
}

static void create(struct machine *m)
{
	static const u8 code[] = {
		0xb9, 10, 0, 0, 0,	   /* mov $10, %ecx */
		0x83, 0xc0, 1,		   /* LOOP: add $1, %eax */
		0xa3, 0, 0x20, 0, 0,	   /* mov %eax, DATA */
		0x66, 0x0f, 0x6e, 0xc0,	   /* movd %eax, %xmm0 */
		0x66, 0x0f, 0xfe, 0xc8,	   /* paddd %xmm0, %xmm1 */
		0x49,			   /* dec %ecx */
		0x75, 0xed,		   /* jnz LOOP */
		0xf4,			   /* hlt */
	};
	const struct trivet_kvm_options options = { .check = 1 };
	struct kvm_userspace_memory_region slot = { .memory_size = MEMORY_SIZE };

	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(memory + CODE, code, sizeof(code));
	slot.userspace_addr = (u64)memory;
	m->kvm = trivet_kvm_open_with(&options);
	m->vm = request(m->kvm, KVM_CREATE_VM, NULL);
	assert_int_equal(request(m->vm, KVM_SET_USER_MEMORY_REGION, &slot), 0);
	m->vcpu = request(m->vm, KVM_CREATE_VCPU, NULL);
	assert_true(m->vcpu >= 0);
	m->run_size = request(m->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	m->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	set_flat_mode(m);
}

static void destroy(struct machine *m)
{
	munmap(m->run, m->run_size);
	trivet_kvm_close(m->vcpu);
	trivet_kvm_close(m->vm);
	trivet_kvm_close(m->kvm);
	munmap(memory, MEMORY_SIZE);
}

static u64 counter(const struct machine *m, const char *name)
{
	static char text[16384];
	const char *at;

	assert_in_range(trivet_kvm_counters(m->vm, text, sizeof(text)), 1, sizeof(text) - 1);
	at = strstr(text, name);
	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 10);
}

/* KVM_RUN, and what it says on standard error. */
static void run(struct machine *m, char *said, size_t size)
{
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);
	size_t n;

	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	assert_int_equal(request(m->vcpu, KVM_RUN, NULL), 0);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	n = fread(said, 1, size - 1, file);
	said[n] = 0;
	fclose(file);
}

static void finds(enum plant what, const char *text)
{
	struct kvm_regs regs;
	struct machine m;
	char said[8192];

	create(&m);
	plant = what;
	times = ~0u;
	run(&m, said, sizeof(said));
	assert_int_equal(m.run->exit_reason, KVM_EXIT_INTERNAL_ERROR);
	assert_int_equal(m.run->internal.suberror, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	if (!strstr(said, text))
		print_error("\"%s\" is not in:\n%s", text, said);
	assert_non_null(strstr(said, text));
	/* Where it is, and what stands there. */
	assert_non_null(strstr(said, "block at linear 1000, physical 1000"));
	assert_non_null(strstr(said, "83c001"));
	assert_non_null(strstr(said, "add"));
	/* The state before the block. */
	assert_int_equal(request(m.vcpu, KVM_GET_REGS, &regs), 0);
	assert_int_equal(regs.rip, CODE);
	assert_int_equal(regs.rax, 0);
	assert_int_equal(memory[DATA], 0);
	destroy(&m);
}

static void differences_are_found(void **state)
{
	finds(PLANT_REGISTER, "rbx            interpreted 0000000000000000  translated 0000000000000080");
	finds(PLANT_FLAG, "flags          interpreted 0004  translated 0044");
	finds(PLANT_RIP, "rip            interpreted 0000000000001005  translated 0000000000001006");
	finds(PLANT_MEMORY, "memory 2000         interpreted 01  translated 00");
	finds(PLANT_NEIGHBOUR, "memory 2005         interpreted 00  translated 01  (beside");
	finds(PLANT_VECTOR, "xmm3           interpreted 00000000000000000000000000000000  "
			    "translated 00000000000000000000000000000001");
	finds(PLANT_FAULT, "then it        interpreted goes on  translated faults");
}

/* As a device's write between the two executions would be. */
static void what_does_not_come_again_is_none(void **state)
{
	struct kvm_regs regs;
	struct machine m;
	char said[8192];

	create(&m);
	plant = PLANT_REGISTER;
	times = 1;
	run(&m, said, sizeof(said));
	assert_int_equal(m.run->exit_reason, KVM_EXIT_HLT);
	assert_string_equal(said, "");
	assert_true(counter(&m, "\ncheck_repeated ") >= 1);
	assert_true(counter(&m, "\ncheck_blocks ") >= 10);
	assert_int_equal(request(m.vcpu, KVM_GET_REGS, &regs), 0);
	assert_int_equal(regs.rax, 10);
	assert_int_equal(regs.rbx, 0);
	assert_int_equal(memory[DATA], 10);
	destroy(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_are_found),
		cmocka_unit_test(what_does_not_come_again_is_none),
	};

	setenv("TRIVET_SOFT_HEAT", "0", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
