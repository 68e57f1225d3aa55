/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvmclock and steal time: the pages a guest reads time from (linux-doc: virt/kvm/x86/msr.rst).
 *
 * All vCPUs count from one base, a moment known in kvmclock ns and in the host's TSC, with the same
 * factors, so that the clock is the same everywhere and never steps back. The base is taken when
 * the first page is written and again only when user space sets the clock.
 */
#include "core/vm/vm.h"
#include "include/x86/kvm_para.h"

#define NS_PER_S 1000000000ULL
#define BASE_ATTEMPTS 5
/* Reading how long the thread had to wait is a system call: not more often than this. */
#define STEAL_INTERVAL_NS 1000000ULL

void clock__tsc_scale(u32 khz, u32 *mul, s8 *shift)
{
	u64 hz = (khz ? khz : 1) * 1000ULL, quotient, rest;
	u128 numerator;
	int s = 0;

	/* Shift until ns per tick lies in [1/2, 1): then the fraction has all of its 32 bits. */
	while (hz << s <= NS_PER_S)
		s++;
	while (s <= 0 && hz > NS_PER_S * 2 << -s)
		s--;
	if (s > 0) {
		hz <<= s;
		numerator = (u128)NS_PER_S << 32;
	} else {
		numerator = (u128)NS_PER_S << (32 - s);
	}
	/* The quotient is below 2^32, so the division can't overflow. */
	__asm__("divq %4"
		: "=a"(quotient), "=d"(rest)
		: "a"((u64)numerator), "d"((u64)(numerator >> 64)), "r"(hz)
		: "cc");
	*mul = quotient;
	*shift = s;
}

static u64 scale_delta(u64 delta, u32 mul, s8 shift)
{
	delta = shift < 0 ? delta >> -shift : delta << shift;
	return (u128)delta * mul >> 32;
}

/* Reads both clocks at one moment: of several attempts the one that was disturbed least. */
static void read_both(u64 *ns, u64 *tsc)
{
	u64 best = ~0ULL;
	unsigned i;

	*ns = *tsc = 0;
	for (i = 0; i < BASE_ATTEMPTS; i++) {
		u64 before = host__rdtsc(), now = host__monotonic_ns(), after = host__rdtsc();

		if (after - before < best) {
			best = after - before;
			*ns = now;
			*tsc = before + best / 2;
		}
	}
}

/* Takes the base if there is none, or the clock was set since. Under clock_lock. */
static void ensure_base(struct vm *vm)
{
	s64 offset = __atomic_load_n(&vm->clock_offset_ns, __ATOMIC_RELAXED);
	u64 ns, tsc;

	if (vm->clock_base_valid && vm->clock_base_offset_ns == offset)
		return;
	read_both(&ns, &tsc);
	vm->clock_base_ns = ns + offset;
	vm->clock_base_tsc = tsc;
	vm->clock_base_offset_ns = offset;
	vm->clock_base_valid = true;
}

static void get_base(struct vm *vm, u64 *ns, u64 *tsc)
{
	host__mutex_lock(&vm->clock_lock);
	ensure_base(vm);
	*ns = vm->clock_base_ns;
	*tsc = vm->clock_base_tsc;
	host__mutex_unlock(&vm->clock_lock);
}

static u64 clock_at(struct vm *vm, u64 tsc)
{
	u64 base_ns, base_tsc;
	u32 mul;
	s8 shift;

	get_base(vm, &base_ns, &base_tsc);
	clock__tsc_scale(host__tsc_khz(), &mul, &shift);
	return tsc > base_tsc ? base_ns + scale_delta(tsc - base_tsc, mul, shift) : base_ns;
}

u64 clock__now_ns(struct vm *vm, u64 *tsc)
{
	*tsc = host__rdtsc();
	return clock_at(vm, *tsc);
}

void clock__set_ns(struct vm *vm, u64 ns)
{
	u64 now, tsc;

	host__mutex_lock(&vm->clock_lock);
	read_both(&now, &tsc);
	__atomic_store_n(&vm->clock_offset_ns, (s64)(ns - now), __ATOMIC_RELAXED);
	vm->clock_base_ns = ns;
	vm->clock_base_tsc = tsc;
	vm->clock_base_offset_ns = ns - now;
	vm->clock_base_valid = true;
	host__mutex_unlock(&vm->clock_lock);
	vm__request_all(vm, REQ_CLOCK_UPDATE);
}

/*
 * A structure shared with the guest, for direct access: within one page and one slot, announced as
 * written. Holds slots_lock until release_shared(). NULL (and no lock) if nothing stands there.
 */
static void *take_shared(struct vcpu *vcpu, u64 gpa, unsigned size)
{
	struct vm *vm = vcpu->vm;
	u64 avail = 0;
	void *p;

	if ((gpa & 3) || (gpa & ~PAGE_MASK_4K) + size > PAGE_SIZE_4K)
		return NULL;
	host__mutex_lock(&vm->slots_lock);
	p = memory__pointer(vm, gpa, true, &avail);
	if (!p || avail < size) {
		host__mutex_unlock(&vm->slots_lock);
		return NULL;
	}
	memory__wrote(vm, vcpu, memory__find(vm, gpa), gpa);
	return p;
}

static void release_shared(struct vcpu *vcpu)
{
	host__mutex_unlock(&vcpu->vm->slots_lock);
}

/* An odd version tells readers on other vCPUs to wait; stores stay in order on x86. */
static void begin_version(u32 *version)
{
	__atomic_store_n(version, (*version + 1) | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_version(u32 *version)
{
	__atomic_store_n(version, *version + 1, __ATOMIC_RELEASE);
}

void clock__update_system_time(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	u64 msr = vcpu->msrs.kvm_system_time, base_ns, base_tsc;
	struct pvclock_time *time;
	u32 mul;
	s8 shift;

	if (!(msr & KVM_MSR_ENABLED))
		return;
	get_base(vm, &base_ns, &base_tsc);
	clock__tsc_scale(host__tsc_khz(), &mul, &shift);
	time = take_shared(vcpu, msr & ~1ULL, sizeof(*time));
	if (!time)
		return;
	begin_version(&time->version);
	time->tsc_timestamp = base_tsc + vcpu->msrs.tsc_offset;
	time->system_time = base_ns;
	time->tsc_to_system_mul = mul;
	time->tsc_shift = shift;
	time->flags = (time->flags & PVCLOCK_GUEST_STOPPED) |
		      (tsc__is_synchronized(vm) ? PVCLOCK_TSC_STABLE : 0);
	end_version(&time->version);
	release_shared(vcpu);
}

int clock__set_guest_stopped(struct vcpu *vcpu)
{
	u64 msr = vcpu->msrs.kvm_system_time;
	struct pvclock_time *time;

	if (!(msr & KVM_MSR_ENABLED))
		return -EINVAL;
	time = take_shared(vcpu, msr & ~1ULL, sizeof(*time));
	if (!time)
		return -EINVAL;
	begin_version(&time->version);
	time->flags |= PVCLOCK_GUEST_STOPPED;
	end_version(&time->version);
	release_shared(vcpu);
	return 0;
}

void clock__update_wall_clock(struct vcpu *vcpu, u64 gpa)
{
	struct pvclock_wall *wall;
	u64 tsc, boot;

	if (!gpa)
		return;
	boot = host__realtime_ns() - clock__now_ns(vcpu->vm, &tsc);
	wall = take_shared(vcpu, gpa, sizeof(*wall));
	if (!wall)
		return;
	begin_version(&wall->version);
	wall->sec = boot / NS_PER_S;
	wall->nsec = boot % NS_PER_S;
	end_version(&wall->version);
	release_shared(vcpu);
}

/* Time stolen since the last look; the thread may be another one than then. */
static u64 stolen_since(struct vcpu *vcpu)
{
	struct x86_msrs *msrs = &vcpu->msrs;
	u64 now = host__monotonic_ns(), waited, last = msrs->steal_last_ns;

	if (now - msrs->steal_checked_ns < STEAL_INTERVAL_NS)
		return 0;
	msrs->steal_checked_ns = now;
	waited = host__thread_wait_ns();
	msrs->steal_last_ns = waited;
	return waited > last ? waited - last : 0;
}

void clock__update_steal_time(struct vcpu *vcpu)
{
	u64 msr = vcpu->msrs.kvm_steal_time, stolen;
	struct pv_steal_time *steal;
	u8 flags;

	vcpu->msrs.steal_preempted = false;
	if (!(msr & KVM_MSR_ENABLED))
		return;
	stolen = stolen_since(vcpu);
	steal = take_shared(vcpu, msr & ~0x3fULL, sizeof(*steal));
	if (!steal)
		return;
	/* Once the flag is gone others send their shoot-downs here again: look at it then. */
	flags = __atomic_exchange_n(&steal->preempted, 0, __ATOMIC_SEQ_CST);
	if (stolen || !steal->version) {
		begin_version(&steal->version);
		steal->steal += stolen;
		end_version(&steal->version);
	}
	release_shared(vcpu);
	if (flags & PV_FLUSH_TLB) {
		tlb__flush_all(vcpu);
		if (vcpu->vm->engine->flush)
			vcpu->vm->engine->flush(vcpu, ENGINE_FLUSH_ALL, 0);
	}
}

void clock__set_preempted(struct vcpu *vcpu)
{
	u64 msr = vcpu->msrs.kvm_steal_time;
	struct pv_steal_time *steal;

	if (!(msr & KVM_MSR_ENABLED) || vcpu->msrs.steal_preempted)
		return;
	steal = take_shared(vcpu, msr & ~0x3fULL, sizeof(*steal));
	if (!steal)
		return;
	/* The request first: whoever reads "preempted" may rely on its being handled. */
	vcpu->msrs.steal_preempted = true;
	vcpu__request_quietly(vcpu, REQ_STEAL_UPDATE);
	__atomic_store_n(&steal->preempted, PV_PREEMPTED, __ATOMIC_RELEASE);
	release_shared(vcpu);
}
