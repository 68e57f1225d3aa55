/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the KVM API as a program uses it, with structures that are wrong.
 *
 * Input: the machine's kind, guest code, then requests: which, on what, and bytes that are laid
 * over what the matching request to get it gave. KVM_RUN is ended by a signal after a millisecond.
 *
 * The caller's own addresses are right or point nowhere: a program that gives a slot memory that
 * is not its own harms itself only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "hosts/user/trivet_kvm.h"
#include "tests/fuzz/fuzz.h"

#define RAM_SIZE 0x20000u
#define GUARD 0x10000u
#define RUN_NS 1000000
#define MAX_VCPUS 2
#define MAX_STEPS 40
#define MAX_RUNS 6

struct machine {
	int vm, vcpus, vcpu[MAX_VCPUS];
	struct kvm_run *run[MAX_VCPUS];
	unsigned runs;
};

static int kvm = -1;
static u8 *ram;
static size_t run_size;
static int eventfds[3];
static timer_t timer;

/* ---- the process's part, made once ---- */

static void ignore_signal(int signal)
{
}

static void make_timer(void)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };

	event._sigev_un._tid = syscall(SYS_gettid);
	FUZZ_CHECK(!sigaction(SIGUSR1, &action, NULL));
	FUZZ_CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
}

static void set_up_once(void)
{
	u8 *p;
	unsigned i;

	if (kvm >= 0)
		return;
	kvm = trivet_kvm_open();
	FUZZ_CHECK(kvm >= 0);
	run_size = trivet_kvm_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	p = mmap(NULL, RAM_SIZE + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FUZZ_CHECK(p != MAP_FAILED);
	ram = p + GUARD;
	FUZZ_CHECK(!mprotect(ram, RAM_SIZE, PROT_READ | PROT_WRITE));
	for (i = 0; i < ARRAY_LENGTH(eventfds); i++)
		eventfds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	make_timer();
}

/* ---- requests with a structure of fixed size ---- */

enum on { ON_VM, ON_VCPU };

struct fixed_request {
	unsigned long set, get; /* get: 0 if there is none */
	enum on on;
};

static const struct fixed_request fixed[] = {
	{ KVM_SET_REGS, KVM_GET_REGS, ON_VCPU },
	{ KVM_SET_SREGS, KVM_GET_SREGS, ON_VCPU },
	{ KVM_SET_SREGS2, KVM_GET_SREGS2, ON_VCPU },
	{ KVM_SET_FPU, KVM_GET_FPU, ON_VCPU },
	{ KVM_SET_XSAVE, KVM_GET_XSAVE, ON_VCPU },
	{ KVM_SET_XCRS, KVM_GET_XCRS, ON_VCPU },
	{ KVM_SET_DEBUGREGS, KVM_GET_DEBUGREGS, ON_VCPU },
	{ KVM_SET_LAPIC, KVM_GET_LAPIC, ON_VCPU },
	{ KVM_SET_MP_STATE, KVM_GET_MP_STATE, ON_VCPU },
	{ KVM_SET_VCPU_EVENTS, KVM_GET_VCPU_EVENTS, ON_VCPU },
	{ KVM_SET_GUEST_DEBUG, 0, ON_VCPU },
	{ KVM_TRANSLATE, 0, ON_VCPU },
	{ KVM_INTERRUPT, 0, ON_VCPU },
	{ KVM_X86_SETUP_MCE, 0, ON_VCPU },
	{ KVM_X86_SET_MCE, 0, ON_VCPU },
	{ KVM_TPR_ACCESS_REPORTING, 0, ON_VCPU },
	{ KVM_SET_VAPIC_ADDR, 0, ON_VCPU },
	{ KVM_ENABLE_CAP, 0, ON_VCPU },
	{ KVM_ENABLE_CAP, 0, ON_VM },
	{ KVM_SET_IDENTITY_MAP_ADDR, 0, ON_VM },
	{ KVM_CREATE_DEVICE, 0, ON_VM },
	{ KVM_SET_CLOCK, KVM_GET_CLOCK, ON_VM },
	{ KVM_IRQ_LINE, 0, ON_VM },
	{ KVM_IRQ_LINE_STATUS, 0, ON_VM },
	{ KVM_SET_IRQCHIP, KVM_GET_IRQCHIP, ON_VM },
	{ KVM_SET_PIT, KVM_GET_PIT, ON_VM },
	{ KVM_SET_PIT2, KVM_GET_PIT2, ON_VM },
	{ KVM_CREATE_PIT2, 0, ON_VM },
	{ KVM_REINJECT_CONTROL, 0, ON_VM },
	{ KVM_SIGNAL_MSI, 0, ON_VM },
	{ KVM_IRQFD, 0, ON_VM },
	{ KVM_IOEVENTFD, 0, ON_VM },
	{ KVM_REGISTER_COALESCED_MMIO, 0, ON_VM },
	{ KVM_UNREGISTER_COALESCED_MMIO, 0, ON_VM },
};

static int request(const struct machine *m, enum on on, unsigned which, unsigned long number,
		   const void *arg)
{
	int fd = on == ON_VM ? m->vm : m->vcpu[which % MAX_VCPUS];

	return trivet_kvm_ioctl(fd, number, (unsigned long)arg);
}

/* Descriptors in structures: mostly some that exist, never one of the fuzzer's own. */
static int take_fd(struct fuzz_input *in)
{
	u8 what = fuzz__take(in, 1);

	if (what & 0x80)
		return -1;
	return what & 0x40 ? kvm : eventfds[what % ARRAY_LENGTH(eventfds)];
}

static void set_descriptors(struct fuzz_input *in, unsigned long number, void *data)
{
	if (number == KVM_IRQFD) {
		struct kvm_irqfd *irqfd = data;

		irqfd->fd = take_fd(in);
		irqfd->resamplefd = take_fd(in);
		irqfd->gsi &= 0xff;
		irqfd->flags &= 0x83;
	} else if (number == KVM_IOEVENTFD) {
		struct kvm_ioeventfd *io = data;

		io->fd = take_fd(in);
		io->len &= 15;
		io->flags &= 0xff;
	}
}

static void fixed_request(const struct machine *m, struct fuzz_input *in)
{
	const struct fixed_request *r = &fixed[fuzz__take(in, 1) % ARRAY_LENGTH(fixed)];
	u8 what = fuzz__take(in, 1);
	size_t size = _IOC_SIZE(r->set);
	/* KVM_SET_XSAVE and others give a size of their own in the number. */
	u8 *data = calloc(1, MAX_OF(size, 8192u));
	unsigned changes = what & 0xf;

	FUZZ_CHECK(data);
	if (r->set == KVM_SET_IRQCHIP)
		data[0] = fuzz__take(in, 1) % 4;
	if (r->get && request(m, r->on, what >> 7, r->get, data)) {
		free(data);
		return;
	}
	if (!r->get || changes == 15)
		fuzz__fill(in, data, size);
	else
		while (changes--) {
			size_t at = fuzz__take(in, 2) % size;

			fuzz__fill(in, data + at, MIN_OF(size - at, 1u + (what >> 4 & 3)));
		}
	set_descriptors(in, r->set, data);
	request(m, r->on, what >> 7, r->set, data);
	free(data);
}

/* ---- requests with addresses or of variable length ---- */

static void set_region(const struct machine *m, struct fuzz_input *in)
{
	u8 what = fuzz__take(in, 1);
	u64 offset = (u64)(fuzz__take(in, 1) % (RAM_SIZE >> 12)) << 12;
	u64 room = RAM_SIZE - offset;
	struct kvm_userspace_memory_region region = {
		.slot = fuzz__take(in, 1) % 6 + (what & 0x80 ? 505 : 0),
		.flags = what & 3,
		.guest_phys_addr = (u64)fuzz__take(in, 2) << 12,
		.memory_size = (u64)(fuzz__take(in, 1) % 33) << 12,
		.userspace_addr = (u64)ram + offset,
	};

	if (what & 4)
		region.guest_phys_addr <<= 20;
	if (what & 8)
		region.guest_phys_addr += fuzz__take(in, 2);
	if ((what & 0x30) == 0x30) {
		/* Any, and so refused unless it is memory of ours. */
		region.userspace_addr = (u64)ram + 1;
		region.memory_size = fuzz__take(in, 8) | 1;
	}
	region.memory_size = what & 0x30 ? region.memory_size : MIN_OF(region.memory_size, room);
	if (!(region.memory_size & 1))
		region.memory_size = MIN_OF(region.memory_size, room);
	request(m, ON_VM, 0, KVM_SET_USER_MEMORY_REGION, &region);
}

static void dirty_log(const struct machine *m, struct fuzz_input *in)
{
	static u64 bitmap[64];
	struct kvm_dirty_log log = { .slot = fuzz__take(in, 1) % 8, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = { .slot = log.slot, .dirty_bitmap = bitmap };
	u8 what = fuzz__take(in, 1);

	if (what & 1)
		log.dirty_bitmap = clear.dirty_bitmap = (void *)0x1000;
	request(m, ON_VM, 0, KVM_GET_DIRTY_LOG, &log);
	clear.first_page = fuzz__take(in, what & 2 ? 8 : 1);
	clear.num_pages = what & 4 ? fuzz__take(in, 4) : 64;
	/* The bitmap is as long as num_pages says: what is beyond ours is read, and no more. */
	request(m, ON_VM, 0, KVM_CLEAR_DIRTY_LOG, &clear);
}

static void set_msrs(const struct machine *m, struct fuzz_input *in)
{
	static const u32 bases[] = { 0, 0x10, 0x170, 0x200, 0x250, 0x800, 0x4b564d00, 0xc0000080,
				     0xc0000100, 0xc0010000, 0x400, 0x174, 0x1a0, 0x48 };
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + 8 * sizeof(msrs->entries[0]));
	u8 what = fuzz__take(in, 1);
	unsigned i;

	FUZZ_CHECK(msrs);
	msrs->nmsrs = what & 7;
	for (i = 0; i < msrs->nmsrs; i++) {
		u8 base = fuzz__take(in, 1), offset = fuzz__take(in, 1) & 0x3f;

		msrs->entries[i].index = bases[base % ARRAY_LENGTH(bases)] + offset;
		msrs->entries[i].data = fuzz__take(in, base & 0x80 ? 8 : 3);
	}
	if (what & 8)
		msrs->nmsrs = 0xffffffff;
	request(m, ON_VCPU, what >> 7, what & 16 ? KVM_GET_MSRS : KVM_SET_MSRS, msrs);
	free(msrs);
}

static void set_cpuid(const struct machine *m, struct fuzz_input *in)
{
	u8 what = fuzz__take(in, 1);
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 128 * sizeof(cpuid->entries[0]));
	unsigned changes = what & 7;

	FUZZ_CHECK(cpuid);
	cpuid->nent = 128;
	FUZZ_CHECK(!trivet_kvm_ioctl(kvm, KVM_GET_SUPPORTED_CPUID, (unsigned long)cpuid));
	while (changes--) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[fuzz__take(in, 1) % cpuid->nent];

		fuzz__fill(in, (u8 *)e + fuzz__take(in, 1) % (sizeof(*e) - 4), 4);
	}
	if (what & 8)
		cpuid->nent = fuzz__take(in, what & 16 ? 4 : 1) % (what & 16 ? ~0u : 129);
	request(m, ON_VCPU, what >> 7, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

static void set_routing(const struct machine *m, struct fuzz_input *in)
{
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + 8 * sizeof(r->entries[0]));
	u8 what = fuzz__take(in, 1);
	unsigned i;

	FUZZ_CHECK(r);
	r->nr = what & 7;
	r->flags = what >> 3 & 1;
	for (i = 0; i < r->nr; i++) {
		struct kvm_irq_routing_entry *e = &r->entries[i];

		e->gsi = fuzz__take(in, 1 + (what >> 6));
		e->type = fuzz__take(in, 1) & 7;
		e->flags = what >> 4 & 1;
		fuzz__fill(in, &e->u, 12);
		if (what & 0x20)
			e->u.irqchip.irqchip &= 3;
	}
	if ((what & 0xc7) == 0xc7)
		r->nr = 0xffffffff;
	request(m, ON_VM, 0, KVM_SET_GSI_ROUTING, r);
	free(r);
}

static void set_filter(const struct machine *m, struct fuzz_input *in)
{
	static u8 bitmap[4096];
	struct kvm_msr_filter filter = { .flags = fuzz__take(in, 1) & 3 };
	unsigned i;

	fuzz__fill(in, bitmap, 16);
	for (i = 0; i < 3; i++) {
		u8 what = fuzz__take(in, 1);

		filter.ranges[i] = (struct kvm_msr_filter_range){
			.flags = what & 7,
			.nmsrs = what & 8 ? fuzz__take(in, 4) : fuzz__take(in, 2) % 30000,
			.base = what & 16 ? fuzz__take(in, 4) : 0xc0000080,
			.bitmap = what & 32 ? (u8 *)0x1000 : bitmap,
		};
		if (filter.ranges[i].nmsrs > sizeof(bitmap) * 8 && !(what & 32))
			filter.ranges[i].bitmap = (u8 *)0x1000;
	}
	request(m, ON_VM, 0, KVM_X86_SET_MSR_FILTER, &filter);
}

/* Requests whose argument is a number, or nothing; and whatever number the input has. */
static void plain_request(struct machine *m, struct fuzz_input *in)
{
	static const unsigned long numbers[] = {
		KVM_NMI, KVM_KVMCLOCK_CTRL, KVM_SET_TSC_KHZ, KVM_GET_TSC_KHZ, KVM_CREATE_IRQCHIP,
		KVM_CREATE_PIT, KVM_SET_BOOT_CPU_ID, KVM_SET_TSS_ADDR, KVM_CHECK_EXTENSION,
	};
	u8 what = fuzz__take(in, 1);
	unsigned long number = numbers[(what >> 1) % ARRAY_LENGTH(numbers)];
	u64 arg = what & 0x80 ? fuzz__take(in, 4) : what >> 6 & 1;

	request(m, what & 1, what >> 6, number, (void *)arg);
}

static void set_signal_mask(const struct machine *m, struct fuzz_input *in)
{
	struct {
		struct kvm_signal_mask head;
		u8 set[8];
	} mask = { .head.len = fuzz__take(in, 1) & 15 };

	/* Never the signal that ends KVM_RUN. */
	fuzz__fill(in, mask.set, 8);
	mask.set[(SIGUSR1 - 1) / 8] &= ~(1 << (SIGUSR1 - 1) % 8);
	memmove(mask.head.sigset, mask.set, 8);
	request(m, ON_VCPU, 0, KVM_SET_SIGNAL_MASK, mask.head.len == 15 ? NULL : &mask);
}

static void run(struct machine *m, struct fuzz_input *in)
{
	struct itimerspec soon = { .it_value.tv_nsec = RUN_NS, .it_interval.tv_nsec = RUN_NS };
	struct itimerspec never = { 0 };
	u8 what = fuzz__take(in, 1);
	unsigned i = what & 1, exits = 8;
	struct kvm_run *shared = m->run[i % m->vcpus];

	if (m->runs++ >= MAX_RUNS)
		return;
	timer_settime(timer, 0, &soon, NULL);
	while (exits--) {
		/* All that user space may write there; and more. */
		if (what & 2)
			fuzz__fill(in, shared, what >> 2 & 0x1f);
		if (what & 0x80)
			fuzz__fill(in, (u8 *)shared + fuzz__take(in, 2) % 1024, 4);
		shared->immediate_exit = 0;
		if (request(m, ON_VCPU, i, KVM_RUN, NULL))
			break;
		FUZZ_CHECK(shared->exit_reason != KVM_EXIT_UNKNOWN &&
			   shared->exit_reason <= KVM_EXIT_NOTIFY);
		if (shared->exit_reason == KVM_EXIT_IO)
			FUZZ_CHECK(shared->io.data_offset + shared->io.size * shared->io.count <=
				   run_size);
		if (shared->exit_reason == KVM_EXIT_MMIO && !shared->mmio.is_write)
			fuzz__fill(in, shared->mmio.data, 8);
	}
	timer_settime(timer, 0, &never, NULL);
}

/* What was set can be got. */
static void get_all(const struct machine *m)
{
	static u8 data[8192];
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(fixed); i++)
		if (fixed[i].get && fixed[i].on == ON_VCPU)
			request(m, ON_VCPU, i, fixed[i].get, data);
}

static void do_something(struct machine *m, struct fuzz_input *in)
{
	switch (fuzz__take(in, 1) % 16) {
	case 0:
		set_region(m, in);
		break;
	case 1:
		dirty_log(m, in);
		break;
	case 2:
		set_msrs(m, in);
		break;
	case 3:
		set_cpuid(m, in);
		break;
	case 4:
		set_routing(m, in);
		break;
	case 5:
		set_filter(m, in);
		break;
	case 6:
		plain_request(m, in);
		break;
	case 7:
		set_signal_mask(m, in);
		break;
	case 8:
		if (eventfd_write(eventfds[fuzz__take(in, 1) % ARRAY_LENGTH(eventfds)], 1))
			break;
		break;
	case 9:
	case 10:
		run(m, in);
		break;
	default:
		fixed_request(m, in);
	}
}

/* ---- one machine ---- */

static void add_memory(const struct machine *m, u8 kind)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = RAM_SIZE,
		.userspace_addr = (u64)ram,
		.flags = kind & 0x20 ? KVM_MEM_LOG_DIRTY_PAGES : 0,
	};

	FUZZ_CHECK(!request(m, ON_VM, 0, KVM_SET_USER_MEMORY_REGION, &region));
}

static void start(struct machine *m, u8 kind)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args[0] = 24 };
	struct kvm_pit_config pit = { 0 };
	struct kvm_regs regs = { .rip = 0x1000, .rsp = 0x8000, .rflags = 2 };
	struct kvm_sregs sregs;

	m->vm = trivet_kvm_ioctl(kvm, KVM_CREATE_VM, 0);
	FUZZ_CHECK(m->vm >= 0);
	add_memory(m, kind);
	if (kind & 1) {
		FUZZ_CHECK(!request(m, ON_VM, 0, KVM_CREATE_IRQCHIP, NULL));
		if (kind & 2)
			FUZZ_CHECK(!request(m, ON_VM, 0, KVM_CREATE_PIT2, &pit));
	} else if (kind & 2) {
		FUZZ_CHECK(!request(m, ON_VM, 0, KVM_ENABLE_CAP, &split));
	}
	for (m->vcpus = 0; m->vcpus < MAX_VCPUS; m->vcpus++) {
		int i = m->vcpus;

		m->vcpu[i] = trivet_kvm_ioctl(m->vm, KVM_CREATE_VCPU, i);
		FUZZ_CHECK(m->vcpu[i] >= 0);
		m->run[i] = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu[i], 0);
		FUZZ_CHECK(m->run[i] != MAP_FAILED);
	}
	FUZZ_CHECK(!request(m, ON_VCPU, 0, KVM_GET_SREGS, &sregs));
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (kind & 4)
		sregs.cr0 |= 1;
	if (kind & 8)
		sregs.cs.db = 1;
	FUZZ_CHECK(!request(m, ON_VCPU, 0, KVM_SET_SREGS, &sregs));
	FUZZ_CHECK(!request(m, ON_VCPU, 0, KVM_SET_REGS, &regs));
}

static void end(struct machine *m)
{
	int i;

	for (i = 0; i < m->vcpus; i++) {
		munmap(m->run[i], run_size);
		trivet_kvm_close(m->vcpu[i]);
	}
	trivet_kvm_close(m->vm);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct machine m = { .vm = -1 };
	unsigned steps = MAX_STEPS;
	u8 kind = fuzz__take(&in, 1);

	set_up_once();
	memset(ram, 0, RAM_SIZE);
	start(&m, kind);
	fuzz__fill(&in, ram + 0x1000, fuzz__take(&in, 1));
	while (in.left && steps--)
		do_something(&m, &in);
	get_all(&m);
	end(&m);
	return 0;
}

size_t fuzz__seed(unsigned n, u8 *buf, size_t size)
{
	unsigned i;

	if (n >= 4 * ARRAY_LENGTH(fixed) || size < 96)
		return 0;
	memset(buf, 0, 96);
	buf[0] = n & 3;
	buf[1] = 6; /* bytes of code: IN, OUT, MMIO, HLT */
	memcpy(buf + 2, "\xe4\x60\xe6\x61\xf4\xf4", 6);
	buf[8] = 9; /* run */
	for (i = 0; i < 3; i++) {
		u8 *request = buf + 10 + 12 * i;

		request[0] = 11;
		request[1] = n / 4 + i;
		request[2] = 0x31; /* one change of four bytes */
		request[4] = 4 * n;
		request[5] = 1;
	}
	buf[46] = 9;
	buf[48] = n % 9;
	buf[60] = 9;
	return 96;
}
