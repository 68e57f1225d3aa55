/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM API as the tests call it: the same program runs on the user-space hypervisor and on
 * /dev/kvm, and must see the same on both.
 */
#ifndef TESTS_API_SEAM_H
#define TESTS_API_SEAM_H

#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

/* The implementation under test. */
bool seam__is_soft(void);
int seam__open(void);
/* As ioctl(2): -1 and errno on failure. */
int seam__ioctl(int fd, unsigned long request, unsigned long arg);
int seam__close(int fd);

/*
 * Ends the test as skipped on a /dev/kvm that executes guests without virtualization hardware of
 * either vendor: such ones are known to differ from a real processor.
 */
void seam__needs_real_cpu(void);

/*
 * Runs the group once on each implementation that is there, naming it in the output; a /dev/kvm that
 * can't run real-mode code is counted as skipped. Returns the number of failures.
 */
int seam__run_group(const char *name, const struct CMUnitTest *tests, size_t count);

#define SEAM_RUN(name, tests) seam__run_group(name, tests, sizeof(tests) / sizeof((tests)[0]))

/* Expects a request to fail with this errno. */
#define assert_ioctl_fails(fd, request, arg, error)                                                \
	do {                                                                                       \
		errno = 0;                                                                         \
		assert_int_equal(seam__ioctl(fd, request, (unsigned long)(arg)), -1);              \
		assert_int_equal(errno, error);                                                    \
	} while (0)

/* Expects a request to return 0. */
#define assert_ioctl_works(fd, request, arg)                                                       \
	do {                                                                                       \
		int seam_rc = seam__ioctl(fd, request, (unsigned long)(arg));                      \
                                                                                                   \
		assert_return_code(seam_rc, errno);                                                \
	} while (0)

/* ---- a small machine: one vCPU in real mode, memory at 0 ---- */

#define GUEST_MEMORY (2u << 20)
#define GUEST_CODE 0x1000
#define GUEST_STACK 0x8000

enum machine_irqchip { WITHOUT_IRQCHIP, WITH_IRQCHIP, WITH_SPLIT_IRQCHIP };

struct machine {
	int sys;
	int vm;
	int vcpu;
	struct kvm_run *run;
	size_t run_size;
	uint8_t *memory;
};

/* Code of guests is assembled with the test: [name, name_end). */
#define GUEST(name, text)                                                                          \
	__asm__(".pushsection .rodata\n.code16\n" #name ": .globl " #name "\n" text "\n" #name     \
		"_end: .globl " #name "_end\n.code64\n.popsection");                               \
	extern const uint8_t name[], name##_end[]

void machine__create(struct machine *m, enum machine_irqchip irqchip);
void machine__destroy(struct machine *m);
/* Copies code to GUEST_CODE and makes the vCPU start there: CS, DS, ES, SS 0, SP GUEST_STACK. */
void machine__load(struct machine *m, const uint8_t *code, const uint8_t *end);
#define MACHINE_LOAD(m, name) machine__load(m, name, name##_end)
/* KVM_RUN that must return 0: the exit reason. */
unsigned machine__run(struct machine *m);
/* KVM_RUN until HLT exits; any other exit fails the test. */
void machine__run_to_halt(struct machine *m);
struct kvm_regs machine__regs(struct machine *m);
struct kvm_sregs machine__sregs(struct machine *m);
void *machine__pio_data(struct machine *m);

/* cmocka's fixtures: *state is a struct machine. */
int setup_machine(void **state);
int setup_machine_with_irqchip(void **state);
int setup_machine_with_split_irqchip(void **state);
int teardown_machine(void **state);

#define MACHINE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_machine, teardown_machine)
#define IRQCHIP_TEST(f)                                                                            \
	cmocka_unit_test_setup_teardown(f, setup_machine_with_irqchip, teardown_machine)
#define SPLIT_TEST(f)                                                                              \
	cmocka_unit_test_setup_teardown(f, setup_machine_with_split_irqchip, teardown_machine)

#endif
