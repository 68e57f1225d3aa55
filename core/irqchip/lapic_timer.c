/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's timer: one-shot, periodic, TSC-deadline (SDM vol. 3, 11.5.4). Its bus clock runs
 * at 1 GHz, as KVM's does; it expires on a thread of the host's.
 */
#include "core/irqchip/lapic.h"
#include "core/irqchip/scale.h"
#include "core/vm/vm.h"
#include "core/x86/msr.h"

/* Periodic timers come no faster than this, as with KVM (min_timer_period_us). */
#define MIN_PERIOD_NS 200000ULL

static u32 timer_mode(const struct lapic *lapic)
{
	return lapic__reg(lapic, APIC_LVT_TIMER) & APIC_LVT_TIMER_MODE;
}

/* Divide configuration: bits 3, 1, 0 hold log2 - 1, and 7 means 1. */
static u32 divide_of(const struct lapic *lapic)
{
	u32 tdcr = lapic__reg(lapic, APIC_TDCR);

	return 1U << (((tdcr & 3) | (tdcr >> 1 & 4)) + 1) % 8;
}

static u64 period_of(const struct lapic *lapic)
{
	const struct lapic_timer *t = &lapic->timer;
	u64 period = (u64)lapic__reg(lapic, APIC_TMICT) * t->divide;

	if (period && t->mode == APIC_LVT_TIMER_PERIODIC)
		return MAX_OF(period, MIN_PERIOD_NS);
	return period;
}

static void arm(struct lapic_timer *t, u64 target_ns)
{
	t->target_ns = target_ns;
	t->armed = true;
	host__timer_set(&t->timer, target_ns);
}

static void disarm(struct lapic_timer *t)
{
	t->armed = false;
	host__timer_cancel(&t->timer);
}

static void fire(struct host_timer *timer)
{
	struct lapic_timer *t = container_of_type(timer, struct lapic_timer, timer);
	struct lapic *lapic = container_of_type(t, struct lapic, timer);
	u64 now;

	host__mutex_lock(&t->lock);
	now = host__monotonic_ns();
	/* Disarmed or armed anew since the host decided to call? */
	if (!t->armed || now < t->target_ns)
		goto unlock;
	t->armed = false;
	if (t->mode == APIC_LVT_TIMER_DEADLINE) {
		t->tsc_deadline = 0;
	} else if (t->mode == APIC_LVT_TIMER_PERIODIC && t->period_ns) {
		/* Periods that nobody could see pass are one interrupt. */
		u64 passed = (now - t->target_ns) / t->period_ns + 1;

		arm(t, t->target_ns + passed * t->period_ns);
	}
	/* Inside the lock, so that nothing comes after the owner has disarmed. */
	lapic__raise_lvt(lapic, APIC_LVT_TIMER);
unlock:
	host__mutex_unlock(&t->lock);
}

void lapic_timer__init(struct lapic *lapic)
{
	host__mutex_init(&lapic->timer.lock);
	host__timer_init(&lapic->timer.timer, fire);
	lapic->timer.divide = 2;
}

void lapic_timer__destroy(struct lapic *lapic)
{
	host__timer_destroy(&lapic->timer.timer);
	host__mutex_destroy(&lapic->timer.lock);
}

void lapic_timer__cancel(struct lapic *lapic)
{
	struct lapic_timer *t = &lapic->timer;

	host__mutex_lock(&t->lock);
	disarm(t);
	t->mode = timer_mode(lapic);
	t->divide = divide_of(lapic);
	t->period_ns = 0;
	t->tsc_deadline = 0;
	host__mutex_unlock(&t->lock);
}

void lapic_timer__mode_changed(struct lapic *lapic)
{
	struct lapic_timer *t = &lapic->timer;
	u32 mode = timer_mode(lapic);
	bool to_or_from_deadline =
		(mode == APIC_LVT_TIMER_DEADLINE) != (t->mode == APIC_LVT_TIMER_DEADLINE);

	if (mode == t->mode)
		return;
	host__mutex_lock(&t->lock);
	t->mode = mode;
	if (to_or_from_deadline) {
		disarm(t);
		lapic__set_reg(lapic, APIC_TMICT, 0);
		t->tsc_deadline = 0;
	}
	t->period_ns = period_of(lapic);
	host__mutex_unlock(&t->lock);
}

static void start(struct lapic *lapic, u32 count)
{
	struct lapic_timer *t = &lapic->timer;
	u64 left = (u64)count * t->divide;

	disarm(t);
	t->period_ns = period_of(lapic);
	t->target_ns = 0;
	if (!t->period_ns || !count ||
	    (t->mode != APIC_LVT_TIMER_ONESHOT && t->mode != APIC_LVT_TIMER_PERIODIC))
		return;
	if (left > t->period_ns || count == lapic__reg(lapic, APIC_TMICT))
		left = t->period_ns;
	arm(t, host__monotonic_ns() + left);
}

void lapic_timer__start(struct lapic *lapic, u32 count)
{
	host__mutex_lock(&lapic->timer.lock);
	start(lapic, count);
	host__mutex_unlock(&lapic->timer.lock);
}

void lapic_timer__restore(struct lapic *lapic, u32 count)
{
	struct lapic_timer *t = &lapic->timer;

	host__mutex_lock(&t->lock);
	t->mode = timer_mode(lapic);
	t->divide = divide_of(lapic);
	t->tsc_deadline = 0;
	/* A periodic count that stands at 0 is about to be loaded again. */
	if (!count && t->mode == APIC_LVT_TIMER_PERIODIC)
		count = lapic__reg(lapic, APIC_TMICT);
	start(lapic, count);
	host__mutex_unlock(&t->lock);
}

static u64 time_left(const struct lapic_timer *t)
{
	u64 now = host__monotonic_ns();

	return t->target_ns > now ? t->target_ns - now : 0;
}

void lapic_timer__divide_changed(struct lapic *lapic)
{
	struct lapic_timer *t = &lapic->timer;
	u32 divide = divide_of(lapic), old = t->divide;

	if (divide == old)
		return;
	host__mutex_lock(&t->lock);
	t->divide = divide;
	/* The count stays as it is, only its clock changes. */
	if (t->period_ns && t->mode != APIC_LVT_TIMER_DEADLINE) {
		t->period_ns = period_of(lapic);
		if (t->armed)
			arm(t, host__monotonic_ns() + time_left(t) * divide / old);
	}
	host__mutex_unlock(&t->lock);
}

u32 lapic_timer__current_count(struct lapic *lapic)
{
	struct lapic_timer *t = &lapic->timer;
	u64 left = 0;

	host__mutex_lock(&t->lock);
	if (t->period_ns && t->mode != APIC_LVT_TIMER_DEADLINE) {
		left = time_left(t);
		/* Expired, but the host's timer thread has not come to it. */
		if (!left && t->armed && t->mode == APIC_LVT_TIMER_PERIODIC)
			left = t->period_ns -
			       (host__monotonic_ns() - t->target_ns) % t->period_ns;
		left /= t->divide;
	}
	host__mutex_unlock(&t->lock);
	/* A periodic count whose period was stretched must not exceed what was written. */
	return MIN_OF(left, (u64)lapic__reg(lapic, APIC_TMICT));
}

u64 lapic__get_deadline(struct vcpu *vcpu)
{
	struct lapic *lapic = vcpu->lapic;
	u64 deadline;

	if (!lapic || !(lapic__identity(lapic) & LAPIC_HW_ENABLED))
		return 0;
	host__mutex_lock(&lapic->timer.lock);
	deadline = lapic->timer.tsc_deadline;
	host__mutex_unlock(&lapic->timer.lock);
	return deadline;
}

void lapic__set_deadline(struct vcpu *vcpu, u64 tsc)
{
	struct lapic *lapic = vcpu->lapic;
	u32 khz = vcpu->vm->tsc_khz ? vcpu->vm->tsc_khz : host__tsc_khz();
	struct lapic_timer *t;
	u64 now, ns;

	if (!lapic || !(lapic__identity(lapic) & LAPIC_HW_ENABLED))
		return;
	t = &lapic->timer;
	host__mutex_lock(&t->lock);
	/* In the other modes writes are ignored (SDM vol. 3, 11.5.4.1). */
	if (t->mode != APIC_LVT_TIMER_DEADLINE || !khz)
		goto unlock;
	disarm(t);
	t->tsc_deadline = tsc;
	if (!tsc)
		goto unlock;
	now = x86__guest_tsc(vcpu);
	if (tsc <= now) {
		t->tsc_deadline = 0;
		lapic__raise_lvt(lapic, APIC_LVT_TIMER);
		goto unlock;
	}
	/* Rounded up: a guest that finds itself early would only arm it again. */
	ns = scale__u64(tsc - now, 1000000, khz);
	arm(t, host__monotonic_ns() + MIN_OF(ns, FAR_FUTURE_NS) + 1);
unlock:
	host__mutex_unlock(&t->lock);
}
