/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of PIT counter 0: GSI 0 by a host timer, and the policy for ticks that the guest has
 * not taken in time (KVM_REINJECT_CONTROL).
 *
 * Everything here runs under chip->lock except the timer function itself, which takes it.
 */
#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/irqchip/scale.h"
#include "core/vm/vm.h"

/* Ticks come no faster than this, as with KVM (min_timer_period_us). */
#define MIN_PERIOD_NS 200000

/* When tick number n of the current count is due; rounded up so that its clock has passed. */
static u64 tick_time(const struct pit *pit, u64 n)
{
	u64 ns = scale__u64(n * pit->tick_cycles, NS_PER_SECOND, PIT_HZ);

	return (u64)pit->channel[0].count_load_time + MIN_OF(ns, FAR_FUTURE_NS) + 1;
}

/*
 * An NMI watchdog listens to counter 0 through LINT0 in NMI mode; KVM hands each tick to every
 * vCPU that has set this up.
 */
static void pulse_nmi_watchdogs(struct vm *vm)
{
	u32 i, n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++) {
		struct lapic *lapic = vm->vcpus[i]->lapic;

		if (lapic && APIC_DELIVERY(lapic__reg(lapic, APIC_LVT_LINT0)) == APIC_NMI)
			lapic__raise_lvt(lapic, APIC_LVT_LINT0);
	}
}

static void inject(struct irqchip *chip)
{
	if (chip->pit.reinject) {
		if (!chip->pit.acked)
			return;
		chip->pit.acked = false;
	}
	routing__set_line(chip, LINE_PIT, 0, true, false);
	routing__set_line(chip, LINE_PIT, 0, false, false);
	pulse_nmi_watchdogs(chip->vm);
}

static void tick(struct host_timer *timer)
{
	struct irqchip *chip = container_of_type(timer, struct irqchip, pit.timer);
	struct pit *pit = &chip->pit;
	u64 now, load, due;

	host__mutex_lock(&chip->lock);
	now = host__monotonic_ns();
	load = pit->channel[0].count_load_time;
	/* Stopped or started anew meanwhile? */
	if (!pit->armed || now < tick_time(pit, pit->ticks_done + 1))
		goto unlock;
	due = pit->ticks_done + 1;
	if (pit->periodic) {
		u64 passed = scale__u64(now - load, PIT_HZ, NS_PER_SECOND) / pit->tick_cycles;

		due = MAX_OF(due, passed);
		host__timer_set(&pit->timer, tick_time(pit, due + 1));
	} else {
		pit->armed = false;
	}
	if (pit->reinject) {
		u64 pending = pit->pending + (due - pit->ticks_done);

		pit->pending = MIN_OF(pending, 0x7fffffffULL);
	}
	pit->ticks_done = due;
	inject(chip);
unlock:
	host__mutex_unlock(&chip->lock);
}

void pit_timer__init(struct irqchip *chip)
{
	host__timer_init(&chip->pit.timer, tick);
}

void pit_timer__destroy(struct irqchip *chip)
{
	host__timer_destroy(&chip->pit.timer);
}

void pit_timer__stop(struct irqchip *chip)
{
	chip->pit.armed = false;
	host__timer_cancel(&chip->pit.timer);
}

void pit_timer__start(struct irqchip *chip)
{
	struct pit *pit = &chip->pit;
	const struct kvm_pit_channel_state *c = &pit->channel[0];
	bool periodic = c->mode == 2 || c->mode == 3;
	u32 least = MIN_PERIOD_NS * (PIT_HZ / 1000ULL) / 1000000 + 1;

	pit_timer__stop(chip);
	pit_timer__reset_reinject(chip);
	/* The HPET has taken over; or modes 1 and 5, whose gate never rises here. */
	if ((pit->flags & KVM_PIT_FLAGS_HPET_LEGACY) ||
	    !(periodic || c->mode == 0 || c->mode == 4))
		return;
	pit->periodic = periodic;
	pit->tick_cycles = c->count;
	if (periodic && pit->tick_cycles < least)
		pit->tick_cycles = least;
	pit->ticks_done = 0;
	pit->armed = true;
	host__timer_set(&pit->timer, tick_time(pit, 1));
}

void pit_timer__acked(struct irqchip *chip)
{
	struct pit *pit = &chip->pit;

	if (!pit->present || !pit->reinject)
		return;
	pit->acked = true;
	if (pit->pending && --pit->pending)
		inject(chip);
}

void pit_timer__reset_reinject(struct irqchip *chip)
{
	chip->pit.pending = 0;
	chip->pit.acked = true;
}
