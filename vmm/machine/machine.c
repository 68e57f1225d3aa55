/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine: built, run through resets to its end, taken down in reverse order. */
#include "vmm/machine/machine.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/boot.h"
#include "vmm/device/device.h"
#include "vmm/kvm/probe.h"
#include "vmm/loop/loop.h"
#include "vmm/loop/thread.h"
#include "vmm/machine/board.h"
#include "vmm/machine/counters.h"
#include "vmm/machine/device_table.h"
#include "vmm/machine/devices.h"
#include "vmm/machine/firmware.h"
#include "vmm/machine/smbios.h"
#include "vmm/machine/tables.h"
#include "vmm/memory/dispatch.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/pci/assign.h"

/*
 * OVMF maps all that the CPU says it can address, with pages of 2 MiB: with 48 bits these tables would
 * be larger than most machines' memory.
 */
#define FIRMWARE_ADDRESS_BITS 40u

/* Triple faults in a row, each soon after a reset, that end the machine. */
#define FAULTS_MOST 3u
#define FAULT_SOON_NS 1000000000ull

/* What the machine was asked for; REQUEST_NONE until the first request of a run. */
enum request {
	REQUEST_NONE,
	REQUEST_STOP, /* with the status */
	REQUEST_POWER_OFF,
	REQUEST_RESET,
	REQUEST_PANIC,
	REQUEST_TRIPLE_FAULT,
	REQUEST_FAILED,
};

#define STATUS_SHIFT 8 /* request in the low bits of an atomic, status above */

struct machine {
	struct machine_config config;
	struct kvm_system system;
	struct loop *loop;
	struct loop_thread *io_thread[DEVICE_IO_THREADS]; /* NULL: not asked for */
	struct dispatch *ports, *mmio;
	struct guest_memory memory;
	struct machine_firmware firmware;
	struct machine_smbios smbios;
	struct irq_hub irqs;
	struct message_hub messages;
	struct pci pci;
	struct board board;
	struct device_services services;
	struct device *devices;
	struct loop_watch *signals;
	_Atomic(uint64_t) request;
	uint64_t created, started; /* loop__now(): at creation, at the last power-on or reset */
	unsigned faults;	   /* triple faults in a row */
	char error[400];
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "trivet: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
}

static void say_when(const struct machine *machine, const char *what)
{
	if (machine->config.verbose)
		say("%.3f ms: %s", (double)(loop__now() - machine->created) / 1e6, what);
}

/* ---- requests ---- */

/* The first one counts. Async-signal-safe. */
static void post_request(struct machine *machine, enum request request, int status)
{
	uint64_t none = REQUEST_NONE;

	atomic_compare_exchange_strong(&machine->request, &none,
				       (uint64_t)(uint32_t)status << STATUS_SHIFT | request);
	loop__stop(machine->loop);
}

static void take_device_request(void *opaque, enum device_request what, int status)
{
	static const enum request requests[] = {
		[DEVICE_REQUEST_POWER_OFF] = REQUEST_POWER_OFF,
		[DEVICE_REQUEST_RESET] = REQUEST_RESET,
		[DEVICE_REQUEST_PANIC] = REQUEST_PANIC,
		[DEVICE_REQUEST_EXIT] = REQUEST_STOP,
		[DEVICE_REQUEST_QUIT] = REQUEST_STOP,
	};
	struct machine *machine = opaque;

	/* A vCPU that asks must not run another instruction. */
	vcpu_set__hold(&machine->board.vcpus);
	post_request(machine, requests[what], status);
}

static void take_vcpu_event(void *opaque, unsigned vcpu, enum vcpu_event event)
{
	static const enum request requests[] = {
		[VCPU_TRIPLE_FAULT] = REQUEST_TRIPLE_FAULT, [VCPU_POWER_OFF] = REQUEST_POWER_OFF,
		[VCPU_RESET] = REQUEST_RESET,		    [VCPU_CRASH] = REQUEST_PANIC,
		[VCPU_FAILED] = REQUEST_FAILED,
	};
	struct machine *machine = opaque;

	vcpu_set__hold(&machine->board.vcpus);
	post_request(machine, requests[event], 0);
}

void machine__request_stop(struct machine *machine, int status)
{
	post_request(machine, REQUEST_STOP, status);
}

/* ---- I/O threads ---- */

static struct loop *find_io_loop(void *opaque, unsigned number)
{
	struct machine *machine = opaque;
	struct loop_thread **thread;

	if (!number)
		return machine->loop;
	thread = &machine->io_thread[number - 1];
	if (!*thread && loop_thread__create(number, thread))
		return NULL;
	return loop_thread__loop(*thread);
}

static void resume_io_threads(struct machine *machine)
{
	unsigned i;

	for (i = 0; i < DEVICE_IO_THREADS; i++)
		if (machine->io_thread[i])
			loop_thread__resume(machine->io_thread[i]);
}

/* After vCPUs stand still: they may wait for what an I/O thread does. */
static void pause_io_threads(struct machine *machine)
{
	unsigned i;

	for (i = 0; i < DEVICE_IO_THREADS; i++)
		if (machine->io_thread[i])
			loop_thread__pause(machine->io_thread[i]);
}

static void destroy_io_threads(struct machine *machine)
{
	unsigned i;

	for (i = 0; i < DEVICE_IO_THREADS; i++)
		loop_thread__destroy(machine->io_thread[i]);
}

/* ---- building ---- */

static int check_config(struct machine *machine)
{
	const struct machine_config *config = &machine->config;

	if (!config->kernel && !config->firmware) {
		snprintf(machine->error, sizeof(machine->error),
			 "neither kernel nor firmware is given; name a bzImage, a PVH ELF or a Multiboot "
			 "ELF file, or firmware");
		return -EINVAL;
	}
	if (config->no_pci && config->firmware) {
		snprintf(machine->error, sizeof(machine->error),
			 "firmware needs PCI; start a kernel without it, or leave PCI on");
		return -EINVAL;
	}
	if (config->cpus < 1 || config->cpus > MACHINE_MAX_CPUS) {
		snprintf(machine->error, sizeof(machine->error),
			 "%u vCPUs are not possible; must be 1 to %d", config->cpus, MACHINE_MAX_CPUS);
		return -EINVAL;
	}
	if (config->memory < MACHINE_MIN_MEMORY || config->memory > MACHINE_MAX_MEMORY ||
	    config->memory % 4096) {
		snprintf(machine->error, sizeof(machine->error),
			 "%llu bytes of memory are not possible; must be %llu MiB to %llu GiB, in "
			 "pages of 4 KiB",
			 (unsigned long long)config->memory, MACHINE_MIN_MEMORY >> 20,
			 MACHINE_MAX_MEMORY >> 30);
		return -EINVAL;
	}
	return 0;
}

static int open_hypervisor(struct machine *machine)
{
	static const enum kvm_choice choices[] = {
		[MACHINE_ENGINE_AUTO] = KVM_CHOICE_AUTO,
		[MACHINE_ENGINE_KVM] = KVM_CHOICE_KERNEL,
		[MACHINE_ENGINE_SOFT] = KVM_CHOICE_SOFT,
	};
	const struct machine_config *config = &machine->config;

	return kvm_select__open(choices[config->engine],
				config->kvm_path ? config->kvm_path : MACHINE_KVM_PATH,
				config->engine_options, &machine->system, machine->error, sizeof(machine->error));
}

/* What this hypervisor offers a guest, against what is asked for. */
static int check_limits(struct machine *machine)
{
	int most = kvm_system__extension(&machine->system, KVM_CAP_MAX_VCPUS);
	uint64_t size = machine->config.memory;
	uint64_t end = size <= GUEST_LOW_RAM_END
			       ? size
			       : GUEST_HIGH_RAM_START + (size - GUEST_LOW_RAM_END);
	struct kvm_cpuid2 *cpuid;
	unsigned bits;
	int err;

	/* api.rst, 4.4: without KVM_CAP_MAX_VCPUS the recommended number, else 4. */
	if (!most)
		most = kvm_system__extension(&machine->system, KVM_CAP_NR_VCPUS);
	if (machine->config.cpus > (unsigned)(most ? most : 4)) {
		snprintf(machine->error, sizeof(machine->error),
			 "%u vCPUs are more than the engine %s has; at most %d", machine->config.cpus,
			 machine->system.backend->name, most ? most : 4);
		return -EINVAL;
	}
	err = kvm_system__supported_cpuid(&machine->system, &cpuid);
	if (err) {
		snprintf(machine->error, sizeof(machine->error), "engine %s: CPUID: %s",
			 machine->system.backend->name, strerror(-err));
		return err;
	}
	bits = vcpu_cpuid__physical_bits(cpuid);
	if (machine->config.firmware && end <= 1ull << FIRMWARE_ADDRESS_BITS)
		bits = MIN_OF(bits, FIRMWARE_ADDRESS_BITS);
	machine->services.address_bits = bits;
	free(cpuid);
	if (bits < 64 && end > 1ull << bits) {
		snprintf(machine->error, sizeof(machine->error),
			 "%llu MiB of memory are more than this CPU's %u-bit physical addresses reach",
			 (unsigned long long)(size >> 20), bits);
		return -EINVAL;
	}
	return 0;
}

/* ---- power-on ---- */

static bool unpacks(const struct machine *machine)
{
	switch (machine->config.unpack) {
	case MACHINE_UNPACK_ON:
		return true;
	case MACHINE_UNPACK_OFF:
		return false;
	case MACHINE_UNPACK_AUTO:
		break;
	}
	return machine->system.backend->translates;
}

static int load_kernel(struct machine *machine)
{
	struct boot_request request = { .kernel = machine->config.kernel,
					.initrd = machine->config.initrd,
					.cmdline = machine->config.append ? machine->config.append : "",
					.rsdp_gpa = MACHINE_TABLES_GPA, /* the image starts with it */
					.acpi_start = MACHINE_TABLES_GPA,
					.acpi_size = MACHINE_TABLES_BYTES,
					.unpack = unpacks(machine),
					.kernel_cache = machine->config.kernel_cache };
	struct kvm_vcpu *boot_vcpu = &machine->board.vcpus.vcpu[0].kvm;
	struct boot_state state = { 0 };
	int err = kvm_vcpu__get_sregs(boot_vcpu, &state.sregs);

	if (!err)
		err = kvm_vcpu__get_regs(boot_vcpu, &state.regs);
	if (err)
		goto refused;
	err = boot__load(&request, &machine->memory, &state, machine->error,
			 sizeof(machine->error));
	if (err)
		return err;
	err = kvm_vcpu__set_sregs(boot_vcpu, &state.sregs);
	if (!err)
		err = kvm_vcpu__set_regs(boot_vcpu, &state.regs);
	if (!err)
		return 0;
refused:
	snprintf(machine->error, sizeof(machine->error), "the boot vCPU's registers: %s",
		 strerror(-err));
	return err;
}

/*
 * Board and kernel, unless firmware has to find one. Comes before the devices are made: what can't boot
 * touches no console, and a terminal stays as it is.
 */
static int load_board(struct machine *machine, int *status)
{
	int err;

	*status = MACHINE_STATUS_HOST_ERROR;
	err = board__up(&machine->board, &machine->memory, machine->config.cpus, machine->error,
			sizeof(machine->error));
	if (err || machine->firmware.loaded)
		return err;
	*status = MACHINE_STATUS_BAD_INPUT;
	err = load_kernel(machine);
	if (err)
		board__down(&machine->board);
	return err;
}

/*
 * The devices to their power-on state; then, without firmware, what it would do: PCI addresses and
 * tables.
 */
static int reset_devices(struct machine *machine, int *status)
{
	struct pci_windows windows;
	struct device *dev;

	*status = MACHINE_STATUS_HOST_ERROR;
	irq_hub__refresh(&machine->irqs);
	for (dev = machine->devices; dev; dev = dev->next)
		dev->class->reset(dev);
	if (machine->firmware.loaded)
		return 0;
	if (!machine->config.no_pci) {
		pci_windows__init(&windows, &machine->services);
		pci__assign(&machine->pci, &windows);
	}
	return machine_tables__place(&machine->config, machine->devices, &machine->smbios, &machine->memory, machine->error,
				     sizeof(machine->error));
}

/*
 * The board is made anew. What a device still had to do for the guest that was, such as a disk's
 * read that is on its way to memory, ends before there is anything of the next one.
 */
static int reset_machine(struct machine *machine, int *status)
{
	struct device *dev;
	int err;

	for (dev = machine->devices; dev; dev = dev->next)
		dev->class->reset(dev);
	board__down(&machine->board);
	err = load_board(machine, status);
	return err ? err : reset_devices(machine, status);
}

static int create_parts(struct machine *machine)
{
	int err = loop__create(&machine->loop);

	if (!err)
		err = dispatch__create(&machine->ports, machine->config.cpus);
	if (!err)
		err = dispatch__create(&machine->mmio, machine->config.cpus);
	if (err)
		snprintf(machine->error, sizeof(machine->error), "event loop: %s", strerror(-err));
	return err;
}

static void connect_parts(struct machine *machine)
{
	irq_hub__init(&machine->irqs, board__set_gsi, &machine->board);
	machine->irqs.silence = board__silence_gsi;
	machine->messages = (struct message_hub){ .send = board__send_message,
						  .doorbell = board__doorbell,
						  .wire = board__wire,
						  .wires_are_direct = !machine->system.backend->translates,
						  .opaque = &machine->board };
	wires__init(&machine->board.wires);
	memory_slots__init(&machine->board.slots, board__set_slot, &machine->board);
	pci__init(&machine->pci, machine->ports, machine->mmio, &machine->irqs);
	machine->board.system = &machine->system;
	machine->board.vcpus.ports = machine->ports;
	machine->board.vcpus.mmio = machine->mmio;
	machine->board.vcpus.has_firmware = machine->firmware.loaded;
	machine->board.vcpus.address_bits = machine->services.address_bits;
	machine->board.vcpus.event = take_vcpu_event;
	machine->board.vcpus.opaque = machine;
	machine->services = (struct device_services){
		.loop = machine->loop,
		.io_loop = find_io_loop,
		.ports = machine->ports,
		.mmio = machine->mmio,
		.irqs = &machine->irqs,
		.messages = &machine->messages,
		.pci = machine->config.no_pci ? NULL : &machine->pci,
		.memory = &machine->memory,
		.address_bits = machine->services.address_bits,
		.slots = &machine->board.slots,
		.firmware = machine->firmware.loaded ? &machine->firmware.image : NULL,
		.firmware_items = &machine->firmware.items,
		.cpus = machine->config.cpus,
		.request = take_device_request,
		.opaque = machine,
	};
}

/* The steps of machine__create(); what they made goes with machine__destroy(). */
static int build(struct machine *machine, int *status)
{
	int err;

	*status = MACHINE_STATUS_BAD_INPUT;
	err = check_config(machine);
	if (!err)
		err = machine_smbios__parse(&machine->smbios, &machine->config, machine->error,
					    sizeof(machine->error));
	if (!err)
		err = open_hypervisor(machine);
	if (err)
		return err;
	say_when(machine, machine->system.backend->name);
	err = check_limits(machine);
	if (!err)
		err = machine_devices__check_names(&machine->config, machine->error,
						   sizeof(machine->error));
	if (err)
		return err;
	err = machine_firmware__open(&machine->firmware, &machine->config, machine->error,
				     sizeof(machine->error));
	if (err)
		return err;
	*status = MACHINE_STATUS_HOST_ERROR;
	err = create_parts(machine);
	if (err)
		return err;
	connect_parts(machine);
	*status = MACHINE_STATUS_BAD_INPUT;
	err = guest_memory__create(&machine->memory, machine->config.memory);
	if (err) {
		snprintf(machine->error, sizeof(machine->error),
			 "%llu MiB of memory: the host refuses them: %s; choose less",
			 (unsigned long long)(machine->config.memory >> 20), strerror(-err));
		return err;
	}
	err = machine_smbios__build(&machine->smbios, &machine->config, &machine->memory);
	if (err) {
		snprintf(machine->error, sizeof(machine->error), "SMBIOS tables: %s", strerror(-err));
		return err;
	}
	err = guest_memory__register(&machine->memory, &machine->board.slots,
				     machine->firmware.loaded);
	if (err) {
		snprintf(machine->error, sizeof(machine->error), "memory slots: %s", strerror(-err));
		return err;
	}
	err = load_board(machine, status);
	if (err)
		return err;
	say_when(machine, machine->firmware.loaded ? "the board is up" : "the kernel is loaded");
	*status = MACHINE_STATUS_BAD_INPUT;
	err = machine_devices__add(&machine->devices, &machine->config, &machine->services,
				   machine->error, sizeof(machine->error));
	if (!err)
		err = machine_firmware__make_items(&machine->firmware, &machine->config,
						   &machine->memory, machine->devices,
						   &machine->smbios,
						   machine->error, sizeof(machine->error));
	if (err)
		return err;
	return reset_devices(machine, status);
}

/* Unless whoever started this process, or a caller, wants to hear it. */
static void ignore_signal(int number)
{
	struct sigaction action;

	if (!sigaction(number, NULL, &action) && action.sa_handler == SIG_DFL)
		signal(number, SIG_IGN);
}

int machine__create(const struct machine_config *config, struct machine **out, int *status,
		    char *error, unsigned error_size)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	int err;

	if (!machine) {
		snprintf(error, error_size, "out of memory");
		*status = MACHINE_STATUS_HOST_ERROR;
		return -ENOMEM;
	}
	/*
	 * A console's reader that goes away, or a file that may not become longer, is an error of that
	 * write, not the machine's end.
	 */
	ignore_signal(SIGPIPE);
	ignore_signal(SIGXFSZ);
	machine->config = *config;
	machine->system.fd = -1;
	machine->created = loop__now();
	err = build(machine, status);
	if (err) {
		snprintf(error, error_size, "%s", machine->error);
		machine__destroy(machine);
		return err;
	}
	*out = machine;
	return 0;
}

void machine__destroy(struct machine *machine)
{
	if (!machine)
		return;
	board__down(&machine->board);
	machine_devices__remove(&machine->devices);
	destroy_io_threads(machine);
	if (machine->services.irqs) {
		pci__destroy(&machine->pci);
		irq_hub__destroy(&machine->irqs);
		memory_slots__destroy(&machine->board.slots);
		wires__destroy(&machine->board.wires);
	}
	machine_firmware__close(&machine->firmware);
	machine_smbios__free(&machine->smbios);
	guest_memory__destroy(&machine->memory);
	dispatch__destroy(machine->mmio);
	dispatch__destroy(machine->ports);
	loop__destroy(machine->loop);
	kvm_system__close(&machine->system);
	free(machine);
}

/* ---- running ---- */

static void write_counters(struct machine *machine)
{
	const char *path = machine->system.options.stats;
	int err = path && machine->board.is_up ? counters__write(&machine->board.vm, path) : 0;

	if (err)
		say("engine %s: stats=%s: %s", machine->system.backend->name, path, strerror(-err));
}

static void look_outside(struct machine *machine)
{
	struct device *dev;

	for (dev = machine->devices; dev; dev = dev->next)
		if (dev->class->look_outside)
			dev->class->look_outside(dev);
}

static void take_signal(void *opaque, int number)
{
	struct machine *machine = opaque;

	if (number == SIGUSR2) {
		look_outside(machine);
		return;
	}
	if (number == SIGUSR1) {
		write_counters(machine);
		return;
	}
	post_request(machine, REQUEST_STOP, MACHINE_STATUS_TERMINATED);
	say_when(machine, "ended by a signal");
}

/* Whether a triple fault resets the machine; false: it ends, with *status. */
static bool survives_triple_fault(struct machine *machine, int *status)
{
	bool soon = loop__now() - machine->started < FAULT_SOON_NS;

	machine->faults = soon ? machine->faults + 1 : 1;
	*status = MACHINE_STATUS_TRIPLE_FAULT;
	if (machine->config.no_reboot) {
		say("the guest triple-faulted");
		return false;
	}
	if (machine->faults >= FAULTS_MOST) {
		say("the guest triple-faulted %u times in a row right after a reset; giving up",
		    machine->faults);
		return false;
	}
	say("the guest triple-faulted; resetting it");
	return true;
}

/* What to do once the loop has stopped. True: reset and go on; false: end with *status. */
static bool decide(struct machine *machine, int *status)
{
	uint64_t word = atomic_exchange(&machine->request, REQUEST_NONE);

	switch ((enum request)(word & ((1u << STATUS_SHIFT) - 1))) {
	case REQUEST_STOP:
		*status = (int)(word >> STATUS_SHIFT);
		return false;
	case REQUEST_POWER_OFF:
		*status = MACHINE_STATUS_OFF;
		return false;
	case REQUEST_RESET:
		*status = MACHINE_STATUS_OFF;
		return !machine->config.no_reboot;
	case REQUEST_PANIC:
		say("the guest panicked");
		*status = MACHINE_STATUS_PANIC;
		return false;
	case REQUEST_TRIPLE_FAULT:
		return survives_triple_fault(machine, status);
	case REQUEST_NONE:
	case REQUEST_FAILED:
		break;
	}
	*status = MACHINE_STATUS_HOST_ERROR;
	return false;
}

/* From power-on to a decision. */
static bool run_once(struct machine *machine, int *status)
{
	int err;

	machine->started = loop__now();
	say_when(machine, "first guest instruction");
	resume_io_threads(machine);
	vcpu_set__run(&machine->board.vcpus);
	do /* a second request's stop may be left from before */
		err = loop__run(machine->loop);
	while (!err && atomic_load(&machine->request) == REQUEST_NONE);
	vcpu_set__hold(&machine->board.vcpus);
	vcpu_set__wait_held(&machine->board.vcpus);
	pause_io_threads(machine);
	if (err) {
		say("event loop: %s", strerror(-err));
		*status = MACHINE_STATUS_HOST_ERROR;
		return false;
	}
	return decide(machine, status);
}

int machine__run(struct machine *machine)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR2, SIGUSR1 };
	unsigned count = sizeof(signals) / sizeof(signals[0]);
	sigset_t before;
	int status, err;

	/* The last one is for counters. */
	if (!machine->system.options.stats)
		count--;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	err = loop__watch_signals(machine->loop, signals, count, take_signal, machine,
				  &machine->signals);
	if (err) {
		say("signals: %s", strerror(-err));
		return MACHINE_STATUS_HOST_ERROR;
	}
	while (run_once(machine, &status)) {
		say_when(machine, "reset");
		write_counters(machine);
		if (reset_machine(machine, &status)) {
			say("reset: %s", machine->error);
			break;
		}
	}
	write_counters(machine);
	board__down(&machine->board);
	loop__unwatch(machine->signals);
	machine->signals = NULL;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status;
}

bool machine__press_power_button(struct machine *machine)
{
	struct device *dev;

	for (dev = machine->devices; dev; dev = dev->next)
		if (dev->class->power_button) {
			dev->class->power_button(dev);
			return true;
		}
	return false;
}

const struct device_class *machine__device_class(unsigned index)
{
	unsigned i;

	for (i = 0; device_table[i]; i++)
		if (i == index)
			return device_table[i];
	return NULL;
}
