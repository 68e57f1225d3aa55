/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stopping vCPUs: nobody is in guest code while somebody else has stopped the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/vm/vm.h"
#include "engines/soft/soft.h"

#define VCPUS 3
#define ROUNDS 3000

struct shared {
	struct vm *vm;
	struct vcpu *vcpu[VCPUS];
	/* Changed by stoppers only, both halves in two steps: seen differing, one was not alone. */
	unsigned long left, right;
	unsigned long torn, stops;
	bool end;
};

static void change(struct shared *s)
{
	__atomic_store_n(&s->left, s->left + 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 200; i++)
		__builtin_ia32_pause();
	__atomic_store_n(&s->right, s->right + 1, __ATOMIC_RELAXED);
	s->stops++;
}

static void look(struct shared *s)
{
	if (__atomic_load_n(&s->left, __ATOMIC_RELAXED) !=
	    __atomic_load_n(&s->right, __ATOMIC_RELAXED))
		__atomic_fetch_add(&s->torn, 1, __ATOMIC_RELAXED);
}

struct thread {
	struct shared *shared;
	struct vcpu *vcpu;
};

/* A vCPU that is in guest code all the time, and stops the others now and then. */
static void *vcpu_thread(void *arg)
{
	struct thread *t = arg;
	struct shared *s = t->shared;
	unsigned long n = 0;

	while (!__atomic_load_n(&s->end, __ATOMIC_RELAXED)) {
		vm__enter_guest(t->vcpu);
		do {
			look(s);
			if (++n % 64 == 0) {
				vm__stop_all(s->vm, t->vcpu);
				change(s);
				vm__resume_all(s->vm, t->vcpu);
			}
		} while (!__atomic_load_n(&t->vcpu->leave, __ATOMIC_RELAXED));
		__atomic_store_n(&t->vcpu->leave, 0, __ATOMIC_SEQ_CST);
		vm__leave_guest(t->vcpu);
	}
	return NULL;
}

static void stoppers_are_alone(void **state)
{
	static struct shared s;
	struct thread arg[VCPUS];
	pthread_t thread[VCPUS];
	const char *why;
	unsigned i;

	assert_int_equal(soft_engine.setup(&why), 0);
	assert_int_equal(vm__create(&soft_engine, NULL, &s.vm), 0);
	for (i = 0; i < VCPUS; i++)
		assert_int_equal(vcpu__create(s.vm, i, &s.vcpu[i]), 0);
	for (i = 0; i < VCPUS; i++) {
		arg[i] = (struct thread){ &s, s.vcpu[i] };
		pthread_create(&thread[i], NULL, vcpu_thread, &arg[i]);
	}
	for (i = 0; i < ROUNDS; i++) {
		vm__stop_all(s.vm, NULL);
		change(&s);
		vm__resume_all(s.vm, NULL);
	}
	__atomic_store_n(&s.end, true, __ATOMIC_RELAXED);
	vm__request_all(s.vm, REQ_EVENT);
	for (i = 0; i < VCPUS; i++) {
		vcpu__request(s.vcpu[i], REQ_EVENT);
		pthread_join(thread[i], NULL);
	}
	assert_int_equal(s.torn, 0);
	assert_true(s.stops > ROUNDS);
	assert_int_equal(s.left, s.stops);
	vm__put(s.vm);
}

static struct vm *new_machine(struct vcpu **vcpu)
{
	struct vm *vm;
	const char *why;

	assert_int_equal(soft_engine.setup(&why), 0);
	assert_int_equal(vm__create(&soft_engine, NULL, &vm), 0);
	assert_int_equal(vcpu__create(vm, 0, vcpu), 0);
	return vm;
}

/* A vCPU stopped in the middle of an instruction must not go on with old translations. */
static void flushes_asked_for_while_stopped_are_done(void **state)
{
	struct vcpu *vcpu;
	struct vm *vm = new_machine(&vcpu);
	struct tlb_entry *entry = &vcpu->tlb.entry[0][5];

	vm__enter_guest(vcpu);
	entry->read = entry->write = 0x5000;
	vcpu->tlb.used[0][0] |= BIT64(5);
	vcpu__request_quietly(vcpu, REQ_TLB_FLUSH_WRITES);
	vm__stop_all(vm, vcpu);
	assert_int_equal(entry->read, 0x5000);
	assert_true(entry->write == tlb__no_tag(5));
	vcpu__request_quietly(vcpu, REQ_TLB_FLUSH | REQ_NMI);
	vm__resume_all(vm, vcpu);
	assert_true(entry->read == tlb__no_tag(5));
	/* Other requests stay for the loop. */
	assert_true(vcpu->requests & REQ_NMI);
	vm__leave_guest(vcpu);
	vm__put(vm);
}

struct builder {
	struct vcpu *vcpu;
	bool in_guest;
	struct block *block;
};

/* Begins to decode when somebody wants all vCPUs to stop. */
static void *build_block(void *arg)
{
	struct builder *b = arg;

	vm__enter_guest(b->vcpu);
	__atomic_store_n(&b->in_guest, true, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&b->vcpu->vm->stop_pending, __ATOMIC_SEQ_CST))
		__builtin_ia32_pause();
	b->block = block__build(b->vcpu, 0, 8, BLOCK_SHORT, NULL);
	vm__leave_guest(b->vcpu);
	return NULL;
}

/* Marking a page as code may wait: what is decoded then is the memory that stands there then. */
static void code_is_read_after_the_map_has_changed(void **state)
{
	u8 *old = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u8 *new = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = { .memory_size = 4096,
						      .userspace_addr = (u64)old };
	struct builder b = { 0 };
	struct vm *vm = new_machine(&b.vcpu);
	struct vcpu *other;
	pthread_t thread;

	memset(old, 0x90, 4096);
	memset(new, 0xf4, 4096);
	assert_int_equal(vcpu__create(vm, 1, &other), 0);
	assert_int_equal(memory__set_region(vm, &region), 0);
	pthread_create(&thread, NULL, build_block, &b);
	while (!__atomic_load_n(&b.in_guest, __ATOMIC_SEQ_CST))
		usleep(100);
	vm__stop_all(vm, NULL);
	vm->map->slot[0].hva = (u64)new;
	vm->map->slot[0].host = new;
	munmap(old, 4096);
	vm__resume_all(vm, NULL);
	pthread_join(thread, NULL);
	assert_non_null(b.block);
	assert_int_equal(block__code(b.block)[0], 0xf4);
	vm__put(vm);
	munmap(new, 4096);
}

static void a_wake_before_the_wait_counts(void **state)
{
	struct vcpu *vcpu;
	struct vm *vm = new_machine(&vcpu);

	alarm(10);
	host__run_begin(vcpu);
	host__vcpu_wake(vcpu);
	assert_int_equal(host__vcpu_wait(vcpu), 0);
	host__run_end(vcpu);
	alarm(0);
	vm__put(vm);
}

static void at_most_two_nmis_are_remembered(void **state)
{
	struct vcpu *vcpu;
	struct vm *vm = new_machine(&vcpu);
	unsigned i;

	for (i = 0; i < 5; i++)
		vcpu__nmi(vcpu);
	assert_int_equal(vcpu->nmi_queued, 2);
	assert_true(vcpu->requests & REQ_NMI);
	assert_true(vcpu->leave);
	vm__put(vm);
}

static void init_keeps_what_the_manual_says(void **state)
{
	struct vcpu *vcpu;
	struct vm *vm = new_machine(&vcpu);

	vcpu->cpu.gpr[X86_RAX] = 5;
	vcpu->cpu.cr0 = CR0_PE | CR0_CD;
	vcpu->cpu.xcr0 = 3;
	vcpu__reset(vcpu, true);
	assert_int_equal(vcpu->cpu.gpr[X86_RAX], 0);
	assert_int_equal(vcpu->cpu.cr0, CR0_ET | CR0_CD);
	assert_int_equal(vcpu->cpu.xcr0, 3);
	assert_int_equal(vcpu->cpu.rip, 0xfff0);
	vcpu__reset(vcpu, false);
	assert_int_equal(vcpu->cpu.cr0, CR0_ET | CR0_CD | CR0_NW);
	assert_int_equal(vcpu->cpu.xcr0, 1);
	vm__put(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stoppers_are_alone),
		cmocka_unit_test(flushes_asked_for_while_stopped_are_done),
		cmocka_unit_test(code_is_read_after_the_map_has_changed),
		cmocka_unit_test(a_wake_before_the_wait_counts),
		cmocka_unit_test(at_most_two_nmis_are_remembered),
		cmocka_unit_test(init_keeps_what_the_manual_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
