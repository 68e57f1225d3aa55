/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPU threads and exits with real-mode guests, on the user library and, where it is, on the
 * kernel's KVM; CPUID topology; the start-up probe.
 */
#include "tests/devices/fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/kvm/probe.h"
#include "vmm/machine/board.h"
#include "vmm/vcpu/vcpu.h"

#define CODE_GPA 0x1000u
#define KVM_PATH "/dev/kvm"

struct guest {
	struct kvm_system system;
	struct guest_memory memory;
	struct dispatch *ports, *mmio;
	struct board board;
	char out[64];
	atomic_uint out_count, events;
	atomic_int event;
	uint32_t mmio_value;
};

static void take_byte(void *opaque, struct access *access)
{
	struct guest *guest = opaque;
	unsigned at = atomic_load(&guest->out_count);

	if (access->write && at < sizeof(guest->out)) {
		guest->out[at] = (char)access->value;
		atomic_fetch_add(&guest->out_count, 1);
	} else if (!access->write) {
		access->value = 'r';
	}
}

static void take_mmio(void *opaque, struct access *access)
{
	struct guest *guest = opaque;

	if (access->write)
		guest->mmio_value = (uint32_t)access->value;
	else
		access->value = 0x5a;
}

static void hold_port(void *opaque, struct access *access)
{
	struct guest *guest = opaque;

	vcpu_set__hold(&guest->board.vcpus);
	atomic_fetch_add(&guest->events, 1);
}

static void note_event(void *opaque, unsigned vcpu, enum vcpu_event event)
{
	struct guest *guest = opaque;

	vcpu_set__hold(&guest->board.vcpus);
	atomic_store(&guest->event, (int)event);
	atomic_fetch_add(&guest->events, 1);
}

static struct guest *create_guest(const struct kvm_backend *backend, const uint8_t *code,
				  size_t size)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	const struct dispatch_range byte = { 0x10, 1, 1, take_byte, guest };
	const struct dispatch_range hold = { 0x30, 1, 1, hold_port, guest };
	const struct dispatch_range mmio = { 0xa0000, 4, 4, take_mmio, guest };
	struct kvm_vcpu *vcpu;
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2, .rsp = 0x800 };
	char error[200];

	if (kvm_system__open(&guest->system, backend, KVM_PATH)) {
		free(guest);
		return NULL;
	}
	assert_int_equal(guest_memory__create(&guest->memory, 64 << 10), 0);
	assert_int_equal(dispatch__create(&guest->ports, 1), 0);
	assert_int_equal(dispatch__create(&guest->mmio, 1), 0);
	assert_int_equal(dispatch__add(guest->ports, &byte), 0);
	assert_int_equal(dispatch__add(guest->ports, &hold), 0);
	assert_int_equal(dispatch__add(guest->mmio, &mmio), 0);
	memory_slots__init(&guest->board.slots, board__set_slot, &guest->board);
	assert_int_equal(guest_memory__register(&guest->memory, &guest->board.slots, false), 0);
	guest->board.system = &guest->system;
	guest->board.vcpus.ports = guest->ports;
	guest->board.vcpus.mmio = guest->mmio;
	guest->board.vcpus.event = note_event;
	guest->board.vcpus.opaque = guest;
	guest->event = -1;
	if (board__up(&guest->board, &guest->memory, 1, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(guest_memory__write(&guest->memory, CODE_GPA, code, size), 0);
	vcpu = &guest->board.vcpus.vcpu[0].kvm;
	assert_int_equal(kvm_vcpu__get_sregs(vcpu, &sregs), 0);
	sregs.cs.base = sregs.cs.selector = 0;
	assert_int_equal(kvm_vcpu__set_sregs(vcpu, &sregs), 0);
	assert_int_equal(kvm_vcpu__set_regs(vcpu, &regs), 0);
	return guest;
}

static void destroy_guest(struct guest *guest)
{
	board__down(&guest->board);
	memory_slots__destroy(&guest->board.slots);
	dispatch__destroy(guest->mmio);
	dispatch__destroy(guest->ports);
	guest_memory__destroy(&guest->memory);
	kvm_system__close(&guest->system);
	free(guest);
}

/* Runs until the guest, or an event, holds the vCPU; 5 s at most. */
static void run_until_held(struct guest *guest)
{
	unsigned before = atomic_load(&guest->events), ms;

	vcpu_set__run(&guest->board.vcpus);
	for (ms = 0; ms < 5000 && atomic_load(&guest->events) == before; ms++)
		usleep(1000);
	assert_true(ms < 5000);
	vcpu_set__wait_held(&guest->board.vcpus);
}

static void ports_strings_and_memory(const struct kvm_backend *backend)
{
	static const uint8_t code[] = {
		0xbe, 0x30, 0x10,	      /* mov si, text */
		0xb9, 0x05, 0x00,	      /* mov cx, 5 */
		0xba, 0x10, 0x00,	      /* mov dx, 10h */
		0xf3, 0x6e,		      /* rep outsb */
		0xe4, 0x10,		      /* in al, 10h */
		0xe6, 0x10,		      /* out 10h, al */
		0xb8, 0x00, 0xa0,	      /* mov ax, a000h */
		0x8e, 0xd8,		      /* mov ds, ax */
		0xa0, 0x00, 0x00,	      /* mov al, [0] */
		0xb4, 0x77,		      /* mov ah, 77h */
		0xa3, 0x00, 0x00,	      /* mov [0], ax */
		0xe6, 0x30,		      /* out 30h, al: hold */
		0xb0, 0x21,		      /* mov al, '!' */
		0xe6, 0x10,		      /* out 10h, al */
		0xe6, 0x30,		      /* out 30h, al: hold */
		0xeb, 0xfe,		      /* jmp $ */
		0,    0,    0, 0, 0, 0, 0, 0, /* to 1030h */
		'h',  'e',  'l', 'l', 'o',
	};
	struct guest *guest;
	uint8_t image[sizeof(code) + 16] = { 0 };
	size_t text = sizeof(code) - 5;

	memcpy(image, code, text);
	memcpy(image + 0x30, code + text, 5);
	guest = create_guest(backend, image, 0x35);
	if (!guest)
		return;
	run_until_held(guest);
	assert_int_equal(atomic_load(&guest->out_count), 6);
	assert_memory_equal(guest->out, "hellor", 6);
	assert_int_equal(guest->mmio_value, 0x775a);
	usleep(10000);
	assert_int_equal(atomic_load(&guest->out_count), 6); /* it stood still */
	run_until_held(guest);
	assert_memory_equal(guest->out, "hellor!", 7);
	destroy_guest(guest);
}

static void busy_guest_can_be_held(const struct kvm_backend *backend)
{
	static const uint8_t code[] = { 0xeb, 0xfe };	     /* jmp $ */
	static const uint8_t idle[] = { 0xf4, 0xeb, 0xfd }; /* hlt; jmp */
	unsigned i;

	for (i = 0; i < 2; i++) {
		struct guest *guest = create_guest(backend, i ? idle : code, i ? 3 : 2);
		unsigned round;

		if (!guest)
			return;
		for (round = 0; round < 20; round++) {
			vcpu_set__run(&guest->board.vcpus);
			usleep(round * 300);
			vcpu_set__hold(&guest->board.vcpus);
			vcpu_set__wait_held(&guest->board.vcpus);
		}
		destroy_guest(guest);
	}
}

static void triple_fault_is_told(const struct kvm_backend *backend)
{
	/* lidt with a limit of 0 (from zeroed memory), then int3 */
	static const uint8_t code[] = { 0x0f, 0x01, 0x1e, 0x00, 0x20, 0xcc };
	struct guest *guest = create_guest(backend, code, sizeof(code));

	if (!guest)
		return;
	run_until_held(guest);
	assert_int_equal(atomic_load(&guest->event), VCPU_TRIPLE_FAULT);
	destroy_guest(guest);
}

static void on_soft(void **state)
{
	ports_strings_and_memory(&kvm_backend_soft);
	busy_guest_can_be_held(&kvm_backend_soft);
	triple_fault_is_told(&kvm_backend_soft);
}

static void on_kernel(void **state)
{
	char why[200];

	if (access(KVM_PATH, R_OK | W_OK))
		skip();
	ports_strings_and_memory(&kvm_backend_kernel);
	busy_guest_can_be_held(&kvm_backend_kernel);
	/* One that emulates real mode may not know the limit of the interrupt table. */
	if (!kvm_probe__run(&kvm_backend_kernel, KVM_PATH, why, sizeof(why)))
		triple_fault_is_told(&kvm_backend_kernel);
}

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *cpuid, uint32_t function,
					   uint32_t index)
{
	unsigned i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return NULL;
}

static void topology_in_cpuid(void **state)
{
	struct kvm_system system;
	struct kvm_cpuid2 *cpuid;

	assert_int_equal(kvm_system__open(&system, &kvm_backend_soft, NULL), 0);
	assert_int_equal(vcpu_cpuid__build(&system, 6, &cpuid), 0);
	vcpu_cpuid__set_id(cpuid, 5);
	assert_int_equal(leaf(cpuid, 1, 0)->ebx >> 24, 5);
	assert_int_equal(leaf(cpuid, 1, 0)->ebx >> 16 & 0xff, 8);
	assert_true(leaf(cpuid, 1, 0)->edx >> 28 & 1);
	assert_true(leaf(cpuid, 1, 0)->ecx >> 31);
	if (leaf(cpuid, 0, 0)->eax >= 0xb) {
		assert_int_equal(leaf(cpuid, 0xb, 1)->eax, 3);
		assert_int_equal(leaf(cpuid, 0xb, 1)->ebx, 6);
		assert_int_equal(leaf(cpuid, 0xb, 0)->edx, 5);
	}
	free(cpuid);
	assert_int_equal(vcpu_cpuid__build(&system, 1, &cpuid), 0);
	assert_false(leaf(cpuid, 1, 0)->edx >> 28 & 1);
	free(cpuid);
	kvm_system__close(&system);
}

static void probe_judges(void **state)
{
	char why[200] = "";

	assert_true(kvm_probe__run(&kvm_backend_kernel, "/dev/null", why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "/dev/null"));
	assert_true(kvm_probe__run(&kvm_backend_kernel, "/nonexistent", why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "No such file"));
	/* The library has to be what the probe takes for a CPU, but for its speed. */
	if (kvm_probe__run(&kvm_backend_soft, NULL, why, sizeof(why)))
		assert_non_null(strstr(why, "10,000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_soft),	     cmocka_unit_test(on_kernel),
		cmocka_unit_test(topology_in_cpuid), cmocka_unit_test(probe_judges),
	};

	return cmocka_run_group_tests_name("vcpu", tests, NULL, NULL);
}
