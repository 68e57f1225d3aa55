/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt controllers, PIT, routing and event descriptors: the requests. */
#include "core/api/table.h"
#include "core/irqchip/irqchip.h"

#define MAX_IRQ_ROUTES 4096

static bool has_kernel_pic(const struct vm *vm)
{
	return vm->irqchip && !vm->split_irqchip;
}

s64 api__create_irqchip(struct api_call *call)
{
	struct vm *vm = call->vm;
	s64 r;

	host__mutex_lock(&vm->lock);
	if (vm->irqchip)
		r = -EEXIST;
	else if (vm->nr_vcpus)
		r = -EINVAL;
	else
		r = irqchip__create(vm);
	host__mutex_unlock(&vm->lock);
	return r;
}

s64 api__irq_line(struct api_call *call)
{
	struct kvm_irq_level *level = call->data;

	/* RTC ticks before the EOI are dropped for those only who ask whether they were. */
	return irqchip__line(call->vm, level->irq, level->level, NULL);
}

s64 api__irq_line_status(struct api_call *call)
{
	struct kvm_irq_level *level = call->data;
	int status = 0;
	s64 r = irqchip__line(call->vm, level->irq, level->level, &status);

	level->status = status;
	return r;
}

s64 api__get_irqchip(struct api_call *call)
{
	return has_kernel_pic(call->vm) ? irqchip__get(call->vm, call->data) : -ENXIO;
}

s64 api__set_irqchip(struct api_call *call)
{
	return has_kernel_pic(call->vm) ? irqchip__set(call->vm, call->data) : -ENXIO;
}

/* ---- PIT ---- */

static s64 create_pit(struct vm *vm, const struct kvm_pit_config *config)
{
	s64 r;

	if (config->flags & ~KVM_PIT_SPEAKER_DUMMY)
		return -EINVAL;
	host__mutex_lock(&vm->lock);
	/* Its interrupt is a pin of the in-kernel controllers. */
	r = has_kernel_pic(vm) ? pit__create(vm, config) : -ENOENT;
	host__mutex_unlock(&vm->lock);
	return r;
}

s64 api__create_pit(struct api_call *call)
{
	const struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	return create_pit(call->vm, &config);
}

s64 api__create_pit2(struct api_call *call)
{
	return create_pit(call->vm, call->data);
}

s64 api__get_pit2(struct api_call *call)
{
	return call->vm->irqchip ? pit__get(call->vm, call->data) : -ENXIO;
}

s64 api__set_pit2(struct api_call *call)
{
	return call->vm->irqchip ? pit__set(call->vm, call->data) : -ENXIO;
}

/* The older structure: the channels without the flags. */
s64 api__get_pit(struct api_call *call)
{
	struct kvm_pit_state *old = call->data;
	struct kvm_pit_state2 state = { 0 };
	s64 r = call->vm->irqchip ? pit__get(call->vm, &state) : -ENXIO;

	memcpy(old->channels, state.channels, sizeof(old->channels));
	return r;
}

s64 api__set_pit(struct api_call *call)
{
	const struct kvm_pit_state *old = call->data;
	struct kvm_pit_state2 state = { 0 };

	if (!call->vm->irqchip)
		return -ENXIO;
	memcpy(state.channels, old->channels, sizeof(state.channels));
	return pit__set(call->vm, &state);
}

s64 api__reinject_control(struct api_call *call)
{
	const struct kvm_reinject_control *control = call->data;

	if (!call->vm->irqchip)
		return -ENXIO;
	return pit__set_reinject(call->vm, control->pit_reinject);
}

/* ---- routing and messages ---- */

s64 api__set_gsi_routing(struct api_call *call)
{
	const struct kvm_irq_routing *head = call->data;
	struct kvm_irq_routing_entry *entries = NULL;
	size_t size = head->nr * sizeof(*entries);
	s64 r;

	if (!call->vm->irqchip || head->nr > MAX_IRQ_ROUTES || head->flags)
		return -EINVAL;
	if (size) {
		entries = host__alloc(size);
		if (!entries)
			return -ENOMEM;
	}
	r = host__copy_from_user(entries, call->arg + sizeof(*head), size);
	if (!r) {
		host__mutex_lock(&call->vm->lock);
		r = irqchip__set_routing(call->vm, entries, head->nr, head->flags);
		host__mutex_unlock(&call->vm->lock);
	}
	host__free(entries);
	return r;
}

s64 api__signal_msi(struct api_call *call)
{
	const struct kvm_msi *msi = call->data;

	if (!call->vm->irqchip || msi->flags)
		return -EINVAL;
	__atomic_fetch_add(&call->vm->device_events, 1, __ATOMIC_RELEASE);
	return irqchip__msi(call->vm, msi);
}

/* ---- event descriptors ---- */

s64 api__irqfd(struct api_call *call)
{
	return irqfd__configure(call->vm, call->data);
}

s64 api__ioeventfd(struct api_call *call)
{
	return ioeventfd__configure(call->vm, call->data);
}

s64 api__register_coalesced(struct api_call *call)
{
	return coalesced__register(call->vm, call->data);
}

s64 api__unregister_coalesced(struct api_call *call)
{
	return coalesced__unregister(call->vm, call->data);
}
