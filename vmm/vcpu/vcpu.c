/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPU threads. */
#define _GNU_SOURCE
#include "vmm/vcpu/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/kvm/kick.h"

/*
 * Before it stands still, the vCPU's last access is completed: KVM does that at the start of a
 * KVM_RUN, which immediate_exit ends there (api.rst, 4.10). A string instruction may go on to its
 * next access.
 */
static void complete_access(struct vcpu *vcpu)
{
	while (vcpu->completes) {
		vcpu->completes = false;
		__atomic_store_n(&vcpu->kvm.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		if (!kvm_vcpu__run(&vcpu->kvm))
			vcpu__handle_exit(vcpu);
	}
	kvm_kick__clear(&vcpu->kvm);
}

/* Returns once the vCPU may run: true, or has to end: false. */
static bool await_command(struct vcpu *vcpu)
{
	struct vcpu_set *set = vcpu->set;

	if (atomic_load(&set->command) == VCPU_RUN)
		return true;
	complete_access(vcpu);
	pthread_mutex_lock(&set->lock);
	set->held++;
	pthread_cond_broadcast(&set->changed);
	while (atomic_load(&set->command) == VCPU_HOLD)
		pthread_cond_wait(&set->changed, &set->lock);
	set->held--;
	pthread_mutex_unlock(&set->lock);
	return atomic_load(&set->command) != VCPU_END;
}

static void report_failure(struct vcpu *vcpu, int err)
{
	fprintf(stderr, "trivet: vCPU %u: KVM_RUN: %s\n", vcpu->id, strerror(-err));
	vcpu__dump(vcpu);
	vcpu->set->event(vcpu->set->opaque, vcpu->id, VCPU_FAILED);
}

static void *run_vcpu(void *opaque)
{
	struct vcpu *vcpu = opaque;
	int err;

	while (await_command(vcpu)) {
		err = kvm_vcpu__run(&vcpu->kvm);
		if (!err) {
			vcpu__handle_exit(vcpu);
		} else if (err == -EINTR || err == -EAGAIN) {
			/* Whoever kicked set the command first: it is looked at after this. */
			kvm_kick__clear(&vcpu->kvm);
		} else {
			report_failure(vcpu, err);
		}
	}
	return NULL;
}

/* vCPU threads take the kick and what the CPU itself raises; the loop's thread takes the rest. */
static void fill_blocked_signals(sigset_t *set)
{
	static const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	unsigned i;

	sigfillset(set);
	for (i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		sigdelset(set, open[i]);
	sigdelset(set, SIGRTMIN);
}

static int start_thread(struct vcpu *vcpu)
{
	char name[16];
	int err = pthread_create(&vcpu->thread, NULL, run_vcpu, vcpu);

	if (err)
		return -err;
	vcpu->has_thread = true;
	snprintf(name, sizeof(name), "vcpu %u", vcpu->id & 0xffff);
	pthread_setname_np(vcpu->thread, name);
	return 0;
}

static int start_threads(struct vcpu_set *set)
{
	sigset_t blocked, before;
	unsigned i;
	int err = 0;

	fill_blocked_signals(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &before); /* threads inherit it */
	for (i = 0; i < set->count && !err; i++)
		err = start_thread(&set->vcpu[i]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static int create_vcpu(struct vcpu_set *set, const struct kvm_vm *vm, unsigned id,
		       struct kvm_cpuid2 *cpuid)
{
	struct vcpu *vcpu = &set->vcpu[id];
	int err = kvm_vcpu__create(&vcpu->kvm, vm, id);

	if (err)
		return err;
	vcpu->set = set;
	vcpu->id = id;
	set->count = id + 1;
	vcpu_cpuid__set_id(cpuid, id);
	err = kvm_vcpu__set_cpuid(&vcpu->kvm, cpuid);
	return err || set->has_firmware ? err : vcpu__set_firmware_state(vcpu, cpuid);
}

int vcpu_set__create(struct vcpu_set *set, const struct kvm_vm *vm, unsigned count)
{
	struct kvm_cpuid2 *cpuid;
	unsigned id;
	int err;

	set->count = 0;
	set->held = 0;
	atomic_store(&set->command, VCPU_HOLD);
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->changed, NULL);
	set->vcpu = calloc(count, sizeof(*set->vcpu));
	if (!set->vcpu) {
		err = -ENOMEM;
		goto destroy;
	}
	err = kvm_kick__prepare();
	if (!err)
		err = vcpu_cpuid__build(vm->system, count, &cpuid);
	if (err)
		goto destroy;
	if (set->address_bits)
		vcpu_cpuid__limit_physical_bits(cpuid, set->address_bits);
	for (id = 0; id < count && !err; id++)
		err = create_vcpu(set, vm, id, cpuid);
	free(cpuid);
	if (!err)
		err = start_threads(set);
	if (!err)
		return 0;
destroy:
	vcpu_set__destroy(set);
	return err;
}

static void give_command(struct vcpu_set *set, enum vcpu_command command)
{
	unsigned i;

	pthread_mutex_lock(&set->lock);
	if (atomic_load(&set->command) != VCPU_END) /* the last word */
		atomic_store(&set->command, command);
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
	if (command == VCPU_RUN)
		return;
	for (i = 0; i < set->count; i++)
		if (set->vcpu[i].has_thread)
			kvm_kick__send(&set->vcpu[i].kvm, set->vcpu[i].thread);
}

void vcpu_set__run(struct vcpu_set *set)
{
	give_command(set, VCPU_RUN);
}

void vcpu_set__hold(struct vcpu_set *set)
{
	give_command(set, VCPU_HOLD);
}

void vcpu_set__wait_held(struct vcpu_set *set)
{
	pthread_mutex_lock(&set->lock);
	while (set->held < set->count)
		pthread_cond_wait(&set->changed, &set->lock);
	pthread_mutex_unlock(&set->lock);
}

void vcpu_set__destroy(struct vcpu_set *set)
{
	unsigned i;

	if (!set->vcpu)
		return;
	give_command(set, VCPU_END);
	for (i = 0; i < set->count; i++)
		if (set->vcpu[i].has_thread)
			pthread_join(set->vcpu[i].thread, NULL);
	while (set->count)
		kvm_vcpu__destroy(&set->vcpu[--set->count].kvm);
	free(set->vcpu);
	set->vcpu = NULL;
	pthread_cond_destroy(&set->changed);
	pthread_mutex_destroy(&set->lock);
}
