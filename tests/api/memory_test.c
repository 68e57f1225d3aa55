/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory slots: corner cases, moving and deleting, read-only memory, the dirty log. */
#include "tests/api/seam.h"
#include "include/uapi/trivet.h"
#include <sys/mman.h>


static struct kvm_userspace_memory_region region(struct machine *m, unsigned slot, uint64_t gpa,
						 uint64_t size)
{
	return (struct kvm_userspace_memory_region){
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)m->memory,
	};
}

static void bad_regions_are_refused(void **state)
{
	struct machine *m = *state;
	struct kvm_userspace_memory_region r;
	int slots = seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);

	r = region(m, 1, 0x1000001, 0x1000);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r = region(m, 1, 0x1000000, 0x1001);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r = region(m, 1, 0x1000000, 0x1000);
	r.userspace_addr++;
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r = region(m, 1, 0x1000000, 0x1000);
	r.flags = 1u << 31;
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r = region(m, slots, 0x1000000, 0x1000);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r = region(m, 0x7fff, 0x1000000, 0x1000);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r = region(m, 1, ~0xfffULL, 0x2000);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r = region(m, 1, 0x1000000, 0x1000);
	r.userspace_addr = 0xffff800000000000ULL;
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
}

static void slots_must_not_overlap(void **state)
{
	struct machine *m = *state;
	struct kvm_userspace_memory_region r;

	r = region(m, 1, GUEST_MEMORY - 0x1000, 0x2000);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EEXIST);
	r = region(m, 1, GUEST_MEMORY, 0x2000);
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	/* Nor when they move. */
	r = region(m, 1, GUEST_MEMORY - 0x1000, 0x2000);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EEXIST);
	r = region(m, 1, GUEST_MEMORY + 0x1000, 0x2000);
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	/* The size of one that exists stays. */
	r = region(m, 1, GUEST_MEMORY + 0x1000, 0x3000);
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r.memory_size = 0;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	/* It is gone. */
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
}

static void only_flags_and_place_change(void **state)
{
	struct machine *m = *state;
	struct kvm_userspace_memory_region r = region(m, 1, 0x1000000, 0x2000);

	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	r.userspace_addr += 0x1000;
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r.userspace_addr -= 0x1000;
	r.flags = KVM_MEM_READONLY;
	assert_ioctl_fails(m->vm, KVM_SET_USER_MEMORY_REGION, &r, EINVAL);
	r.flags = KVM_MEM_LOG_DIRTY_PAGES;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r); /* no change is none */
}

/* Reads a word at 8000:0, halts, and again for ever. */
GUEST(reader_code, "mov $0x8000, %ax; mov %ax, %ds; 1: mov 0, %ax; hlt; jmp 1b");

/* The machine's slot cut to 512 KiB; slot 1 stands at gpa with one page of memory at `page`. */
static void place_window(struct machine *m, uint64_t gpa, void *page, unsigned flags)
{
	struct kvm_userspace_memory_region r = region(m, 0, 0, 0);

	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	r = region(m, 0, 0, 0x80000);
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	r = region(m, 1, gpa, 0x1000);
	r.userspace_addr = (uintptr_t)page;
	r.flags = flags;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
}

static void *new_page(uint16_t word)
{
	uint16_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);

	*page = word;
	return page;
}

static void a_slot_goes_while_the_guest_knows_it(void **state)
{
	struct machine *m = *state;
	struct kvm_userspace_memory_region r;
	void *page = new_page(0x1111), *other = new_page(0x2222);

	MACHINE_LOAD(m, reader_code);
	place_window(m, 0x80000, page, 0);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rax & 0xffff, 0x1111);
	/* Deleted: device memory. */
	r = region(m, 1, 0x80000, 0);
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	munmap(page, 4096);
	assert_int_equal(machine__run(m), KVM_EXIT_MMIO);
	memcpy(m->run->mmio.data, "\x33\x33", 2);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rax & 0xffff, 0x3333);
	/* Other memory at the same place. */
	r = region(m, 1, 0x80000, 0x1000);
	r.userspace_addr = (uintptr_t)other;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rax & 0xffff, 0x2222);
	/* Moved away, and back. */
	r.guest_phys_addr = 0x90000;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	assert_int_equal(machine__run(m), KVM_EXIT_MMIO);
	machine__run_to_halt(m);
	r.guest_phys_addr = 0x80000;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rax & 0xffff, 0x2222);
	munmap(other, 4096);
}

GUEST(readonly_code, "mov $0x8000, %ax; mov %ax, %ds; mov 0, %bx; movw $0x4444, 0; mov 0, %cx; hlt");

static void writes_to_read_only_memory_exit(void **state)
{
	struct machine *m = *state;
	uint16_t *page = new_page(0x1111);

	MACHINE_LOAD(m, readonly_code);
	place_window(m, 0x80000, page, KVM_MEM_READONLY);
	assert_int_equal(machine__run(m), KVM_EXIT_MMIO);
	assert_int_equal(m->run->mmio.is_write, 1);
	assert_int_equal(m->run->mmio.phys_addr, 0x80000);
	assert_int_equal(m->run->mmio.len, 2);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rbx & 0xffff, 0x1111);
	assert_int_equal(machine__regs(m).rcx & 0xffff, 0x1111);
	assert_int_equal(*page, 0x1111);
	munmap(page, 4096);
}

GUEST(dirty_code, "xor %bx, %bx; mov $0x4000, %ax; mov %ax, %ds; 1: movb $1, 0; movb $1, 0x3000;"
		  "hlt; jmp 1b");

static void set_logging(struct machine *m, bool on)
{
	struct kvm_userspace_memory_region r = region(m, 0, 0, GUEST_MEMORY);

	r.flags = on ? KVM_MEM_LOG_DIRTY_PAGES : 0;
	assert_ioctl_works(m->vm, KVM_SET_USER_MEMORY_REGION, &r);
}

static bool is_dirty(const uint64_t *bitmap, unsigned page)
{
	return bitmap[page / 64] >> (page % 64) & 1;
}

static void dirty_log_names_written_pages(void **state)
{
	struct machine *m = *state;
	uint64_t bitmap[GUEST_MEMORY / 4096 / 64];
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bitmap };
	unsigned i;

	assert_ioctl_fails(m->vm, KVM_GET_DIRTY_LOG, &log, ENOENT);
	MACHINE_LOAD(m, dirty_code);
	set_logging(m, true);
	for (i = 0; i < 3; i++) {
		machine__run_to_halt(m);
		memset(bitmap, 0xaa, sizeof(bitmap));
		assert_ioctl_works(m->vm, KVM_GET_DIRTY_LOG, &log);
		assert_true(is_dirty(bitmap, 0x40));
		assert_true(is_dirty(bitmap, 0x43));
		assert_false(is_dirty(bitmap, 0x41));
		assert_false(is_dirty(bitmap, 0x100));
	}
	/* Reading it cleared it. */
	assert_ioctl_works(m->vm, KVM_GET_DIRTY_LOG, &log);
	assert_false(is_dirty(bitmap, 0x40));
	set_logging(m, false);
	assert_ioctl_fails(m->vm, KVM_GET_DIRTY_LOG, &log, ENOENT);
	log.slot = 0x7fff;
	assert_ioctl_fails(m->vm, KVM_GET_DIRTY_LOG, &log, EINVAL);
}

static void dirty_log_can_be_cleared_by_hand(void **state)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
	struct machine *m = *state;
	uint64_t bitmap[GUEST_MEMORY / 4096 / 64];
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = { .first_page = 64, .num_pages = 64,
					     .dirty_bitmap = bitmap };

	if (seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) <= 0)
		skip();
	assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
	MACHINE_LOAD(m, dirty_code);
	set_logging(m, true);
	machine__run_to_halt(m);
	assert_ioctl_works(m->vm, KVM_GET_DIRTY_LOG, &log);
	assert_true(is_dirty(bitmap, 0x40));
	assert_ioctl_works(m->vm, KVM_GET_DIRTY_LOG, &log);
	assert_true(is_dirty(bitmap, 0x40)); /* reading left it */
	memset(bitmap, 0, sizeof(bitmap));
	bitmap[0] = 1; /* the first page of the range: 0x40 */
	assert_ioctl_works(m->vm, KVM_CLEAR_DIRTY_LOG, &clear);
	assert_ioctl_works(m->vm, KVM_GET_DIRTY_LOG, &log);
	assert_false(is_dirty(bitmap, 0x40));
	assert_true(is_dirty(bitmap, 0x43));
	machine__run_to_halt(m);
	assert_ioctl_works(m->vm, KVM_GET_DIRTY_LOG, &log);
	assert_true(is_dirty(bitmap, 0x40));
	clear.first_page = 63;
	assert_ioctl_fails(m->vm, KVM_CLEAR_DIRTY_LOG, &clear, EINVAL);
	clear.first_page = 1 << 20;
	assert_ioctl_fails(m->vm, KVM_CLEAR_DIRTY_LOG, &clear, EINVAL);
}

GUEST(self_code, "1: mov $0x1111, %ax; hlt; jmp 1b");

/* Code that user space rewrites between two runs is seen. */
static void code_written_from_outside_is_executed(void **state)
{
	struct machine *m = *state;

	MACHINE_LOAD(m, self_code);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rax & 0xffff, 0x1111);
	*(uint16_t *)(m->memory + GUEST_CODE + 1) = 0x2222;
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rax & 0xffff, 0x2222);
}

/* Two pages of code, the first of which jumps to the second: MOV AX, number; HLT; JMP back. */
#define SECOND_PAGE 0x5000
GUEST(two_pages, "1: jmp 1b + 0x4000");

static void write_second_page(struct machine *m, uint16_t number)
{
	uint8_t code[] = { 0xb8, number & 0xff, number >> 8, 0xf4, 0xe9, 0, 0 };
	int16_t back = GUEST_CODE - SECOND_PAGE - (int)sizeof(code);

	memcpy(code + 5, &back, sizeof(back));
	memcpy(m->memory + SECOND_PAGE, code, sizeof(code));
}

/* So it is when user space promises to tell, if it does. */
static void code_that_is_told_of_is_executed(void **state)
{
	struct machine *m = *state;
	struct kvm_enable_cap cap = { .cap = TRIVET_CAP_WRITTEN, .args = { 1 } };
	unsigned i, j;

	if (seam__ioctl(m->sys, KVM_CHECK_EXTENSION, TRIVET_CAP_WRITTEN) <= 0)
		skip(); /* what keeps no translations does not need it */
	assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
	MACHINE_LOAD(m, two_pages);
	for (i = 1; i < 6; i++) {
		write_second_page(m, i);
		assert_int_equal(seam__ioctl(m->vm, TRIVET_WRITTEN, (SECOND_PAGE - 0x1000) | 1), 0);
		/* Often enough to be translated, whatever the engine finds worth it. */
		for (j = 0; j < 50; j++) {
			machine__run_to_halt(m);
			assert_int_equal(machine__regs(m).rax & 0xffff, i);
		}
	}
	cap.args[0] = 0;
	assert_ioctl_works(m->vm, KVM_ENABLE_CAP, &cap);
	write_second_page(m, 0x7777);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rax & 0xffff, 0x7777);
}

static void odd_ranges_are_told_of(void **state)
{
	struct machine *m = *state;
	struct kvm_enable_cap cap = { .cap = TRIVET_CAP_WRITTEN, .args = { 2 } };

	if (seam__ioctl(m->sys, KVM_CHECK_EXTENSION, TRIVET_CAP_WRITTEN) <= 0)
		skip();
	assert_ioctl_fails(m->vm, KVM_ENABLE_CAP, &cap, EINVAL);
	/* Memory and what is behind it, none, the end of the address space and over it. */
	assert_int_equal(seam__ioctl(m->vm, TRIVET_WRITTEN, 0xfff), 0);
	assert_int_equal(seam__ioctl(m->vm, TRIVET_WRITTEN, 1ull << 40 | 0xfff), 0);
	assert_int_equal(seam__ioctl(m->vm, TRIVET_WRITTEN, ~0xfffull), 0);
	assert_int_equal(seam__ioctl(m->vm, TRIVET_WRITTEN, ~0xfffull | 1), -1);
	assert_int_equal(errno, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(bad_regions_are_refused),
		MACHINE_TEST(slots_must_not_overlap),
		MACHINE_TEST(only_flags_and_place_change),
		MACHINE_TEST(a_slot_goes_while_the_guest_knows_it),
		MACHINE_TEST(writes_to_read_only_memory_exit),
		MACHINE_TEST(dirty_log_names_written_pages),
		MACHINE_TEST(dirty_log_can_be_cleared_by_hand),
		MACHINE_TEST(code_written_from_outside_is_executed),
		MACHINE_TEST(code_that_is_told_of_is_executed),
		MACHINE_TEST(odd_ranges_are_told_of),
	};

	return SEAM_RUN("memory", tests);
}
