/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run`: options to a machine configuration, and the machine's life. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vmm/cli/cdrom.h"
#include "vmm/cli/disk.h"
#include "vmm/cli/net.h"
#include "vmm/cli/run.h"
#include "vmm/cli/share.h"
#include "vmm/device/device.h"
#include "vmm/kvm/kvm.h"
#include "vmm/smbios/smbios.h"

#define DEFAULT_MEMORY (512ULL << 20)
#define DEFAULT_APPEND "console=ttyS0"

static int set_config(void *object, const char *name, const char *value)
{
	struct run_options *options = object;
	struct config_file *file;
	char error[512];

	if (options->file_count == RUN_FILES_MOST)
		return cli__error("--config %s: at most %u files", value, RUN_FILES_MOST);
	file = &options->files[options->file_count];
	if (config_file__load(file, value, error, sizeof(error)))
		return cli__error("%s", error);
	options->file_count++;
	return cli__apply_file(&cli_run_command, file, object);
}

static int set_kernel(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	options->config.kernel = value;
	return 0;
}

static int set_initrd(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	options->config.initrd = value;
	return 0;
}

static int set_append(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	options->config.append = value;
	return 0;
}

static int set_memory(void *object, const char *name, const char *value)
{
	struct run_options *options = object;
	uint64_t size;

	if (config__parse_size(value, &size))
		return cli__error("--memory \"%s\": not a size; give bytes or a number with K, M, G or "
				  "T, for example 512M",
				  value);
	if (size < MACHINE_MIN_MEMORY || size > MACHINE_MAX_MEMORY)
		return cli__error("--memory %s: out of range; give %llu MiB to %llu GiB", value,
				  MACHINE_MIN_MEMORY >> 20, MACHINE_MAX_MEMORY >> 30);
	if (size & 4095)
		return cli__error("--memory %s: not a multiple of 4 KiB", value);
	options->config.memory = size;
	return 0;
}

static int set_cpus(void *object, const char *name, const char *value)
{
	struct run_options *options = object;
	unsigned long cpus;
	char *end;

	errno = 0;
	cpus = strtoul(value, &end, 10);
	if (errno || *value < '0' || *value > '9' || *end || !cpus || cpus > MACHINE_MAX_CPUS)
		return cli__error("--cpus \"%s\": give a number from 1 to %u", value,
				  MACHINE_MAX_CPUS);
	options->config.cpus = cpus;
	return 0;
}

static int set_engine(void *object, const char *name, const char *value)
{
	static const char *const names[] = {
		[MACHINE_ENGINE_AUTO] = "auto",
		[MACHINE_ENGINE_KVM] = "kvm",
		[MACHINE_ENGINE_SOFT] = "soft",
	};
	struct run_options *options = object;
	size_t length = strcspn(value, ",");
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == length && !strncmp(value, names[i], length)) {
			options->config.engine = i;
			options->config.engine_options = value[length] ? value + length + 1 : NULL;
			return 0;
		}
	}
	return cli__error("--engine \"%s\": unknown; give auto, kvm or soft", value);
}

static int set_console(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	if (options->consoles == MACHINE_MAX_CONSOLES)
		return cli__error("--console %s: the machine has %u serial ports", value,
				  MACHINE_MAX_CONSOLES);
	options->config.console[options->consoles++] = value;
	return 0;
}

static int set_device(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	if (options->config.device_count == RUN_DEVICES_MOST)
		return cli__error("--%s %s: at most %u devices can be added", name, value,
				  RUN_DEVICES_MOST);
	options->devices[options->config.device_count++] = value;
	return 0;
}

static int set_unpack(void *object, const char *name, const char *value)
{
	static const char *const names[] = {
		[MACHINE_UNPACK_AUTO] = "auto",
		[MACHINE_UNPACK_ON] = "on",
		[MACHINE_UNPACK_OFF] = "off",
	};
	struct run_options *options = object;
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], value)) {
			options->config.unpack = i;
			return 0;
		}
	}
	return cli__error("--unpack \"%s\": unknown; give auto, on or off", value);
}

static int set_kernel_cache(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	if (!*value)
		return cli__error("--kernel-cache: empty; give a directory, or off");
	options->has_kernel_cache = true;
	options->config.kernel_cache = strcmp(value, "off") ? value : NULL;
	return 0;
}

/* Without a home there is none. */
static void find_kernel_cache(struct run_options *options)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n = -1;

	/* The base directory specification: what is not absolute is ignored. */
	if (cache && cache[0] == '/')
		n = snprintf(options->kernel_cache, sizeof(options->kernel_cache), "%s/trivet/kernels", cache);
	else if (home && home[0] == '/')
		n = snprintf(options->kernel_cache, sizeof(options->kernel_cache), "%s/.cache/trivet/kernels", home);
	if (n > 0 && n < (int)sizeof(options->kernel_cache))
		options->config.kernel_cache = options->kernel_cache;
}

/* Takes `device`, which may be NULL after a message. */
static int add_short(struct run_options *options, const char *name, char *device)
{
	int err;

	if (!device)
		return -EINVAL;
	err = set_device(options, name, device);
	if (err)
		free(device);
	else
		options->shorts[options->short_count++] = device;
	return err;
}

static int set_disk(void *object, const char *name, const char *value)
{
	return add_short(object, name, cli_disk__device(value));
}

static int set_cdrom(void *object, const char *name, const char *value)
{
	return add_short(object, name, cli_cdrom__device(value));
}

static int set_net(void *object, const char *name, const char *value)
{
	return add_short(object, name, cli_net__device(value));
}

static int set_share(void *object, const char *name, const char *value)
{
	return add_short(object, name, cli_share__device(value));
}

static int set_vsock(void *object, const char *name, const char *value)
{
	static const char class[] = "virtio-vsock,";
	size_t size = sizeof(class) + strlen(value);
	char *device = malloc(size);

	if (!device)
		return cli__error("out of memory");
	snprintf(device, size, "%s%s", class, value);
	return add_short(object, name, device);
}

static int set_pci(void *object, const char *name, const char *value)
{
	struct run_options *options = object;
	bool on = !strcmp(value, "on");

	if (!on && strcmp(value, "off"))
		return cli__error("--pci \"%s\": give on or off", value);
	options->config.no_pci = !on;
	return 0;
}

static int set_no_reboot(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	options->config.no_reboot = true;
	return 0;
}

static int set_verbose(void *object, const char *name, const char *value)
{
	struct run_options *options = object;

	options->config.verbose = true;
	return 0;
}

static const struct cli_option run_table[] = {
	{ "config", "FILE",
	  "options, one to a line as NAME = VALUE, or [OPTION VALUE] and its keys; those given here "
	  "override or add to them",
	  set_config, .early = true },
	{ "kernel", "FILE", "bzImage, ELF with a PVH note, or Multiboot 1 kernel",
	  set_kernel },
	{ "initrd", "FILE", "initial RAM disk, or the Multiboot module", set_initrd },
	{ "append", "TEXT", "kernel command line (default: " DEFAULT_APPEND ")", set_append },
	{ "unpack", "auto|on|off",
	  "unpack a bzImage's kernel and initrd before the guest runs: auto does where the engine is slower than "
	  "the host (default: auto)",
	  set_unpack },
	{ "kernel-cache", "DIR|off",
	  "where kernels that are started again and again are kept unpacked (default: trivet/kernels in "
	  "$XDG_CACHE_HOME or ~/.cache)",
	  set_kernel_cache },
	{ "firmware", "seabios|ovmf|FILE[,vars=FILE]",
	  "starts firmware instead of a kernel; vars: file for its variables, made if need be",
	  cli_run__set_firmware },
	{ "fw-cfg", "name=NAME,file=PATH|string=TEXT", "an item for firmware and guest",
	  cli_run__add_fw_cfg },
	{ "smbios", "bios|system|chassis|oem,KEY=VALUE...",
	  "what the machine says of itself; keys are listed below", cli_run__add_smbios },
	{ "uuid", "UUID", "the same as smbios system,uuid=UUID", cli_run__set_uuid },
	{ "memory", "SIZE", "RAM, for example 512M or 4G (default: 512M)", set_memory },
	{ "cpus", "N", "virtual CPUs (default: 1)", set_cpus },
	{ "engine", "auto|kvm|soft[,KEY=VALUE...]",
	  "what executes guest code (default: auto); keys are listed below", set_engine },
	{ "console", "BACKEND",
	  "serial port: stdio, pty, file:PATH, unix:PATH or none; again for the next port "
	  "(default: stdio)",
	  set_console },
	{ "disk", "FILE[,KEY=VALUE...]",
	  "a disk; the keys are those of virtio-blk, a comma in FILE is written twice", set_disk },
	{ "cdrom", "FILE",
	  "a CD-ROM drive with this image in it, on a SATA controller; the same as ahci-cd,file=FILE",
	  set_cdrom },
	{ "net", "user|tap|none[,KEY=VALUE...]",
	  "a network card and what it is connected to; the keys are those of virtio-net", set_net },
	{ "share", "DIR,tag=NAME[,KEY=VALUE...]",
	  "a folder that the guest mounts: mount -t 9p -o trans=virtio NAME /mnt; the keys are those of "
	  "virtio-9p, a comma in DIR is written twice",
	  set_share },
	{ "vsock", "KEY=VALUE[,KEY=VALUE...]",
	  "sockets between guest and host; the keys are those of virtio-vsock, as in cid=3,socket=PATH",
	  set_vsock },
	{ "device", "CLASS[,KEY=VALUE...]", "adds a device; classes are listed below", set_device },
	{ "pci", "on|off",
	  "whether the machine has PCI; without it virtio devices are over MMIO (default: on)", set_pci },
	{ "no-reboot", NULL, "a reset by the guest ends the machine", set_no_reboot },
	{ "verbose", NULL, "say on standard error what happens when", set_verbose },
	{ NULL, NULL, NULL, NULL },
};

static void print_options(const struct config_option *option)
{
	for (; option && option->name; option++)
		printf("    %-32s %s\n", option->name, option->help);
}

static void print_engines(void)
{
	static const struct kvm_backend *const backends[] = { &kvm_backend_kernel, &kvm_backend_soft };
	unsigned i;

	printf("\nengines with options for --engine:\n");
	for (i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (!backends[i]->options)
			continue;
		printf("  %s\n", backends[i]->name);
		print_options(backends[i]->options);
	}
}

static void print_smbios(void)
{
	const struct config_class *part;
	unsigned i;

	printf("\nparts for --smbios:\n");
	for (i = 0; (part = smbios_config__part(i)); i++) {
		printf("  %s\n", part->name);
		print_options(part->options);
	}
}

static void print_device_classes(void)
{
	const struct device_class *class;
	unsigned i;

	printf("\ndevices for --device:\n");
	for (i = 0; (class = machine__device_class(i)); i++) {
		if (class->builtin)
			continue;
		printf("  %-34s %s\n", class->name, class->help);
		print_options(class->options);
	}
	printf("\non a terminal: Ctrl-A x leaves, Ctrl-A h lists the keys\n");
}

static int run_machine(const struct machine_config *config)
{
	struct machine *machine;
	char error[512];
	int status;

	if (machine__create(config, &machine, &status, error, sizeof(error))) {
		cli__error("%s", error);
		return status;
	}
	status = machine__run(machine);
	machine__destroy(machine);
	return status;
}

static int run_with(struct run_options *options, int argc, char **argv)
{
	int rc;

	options->config.devices = options->devices;
	options->config.fw_cfg = options->fw_cfg;
	options->config.smbios = options->smbios;
	rc = cli__parse(&cli_run_command, argc, argv, options);
	if (rc > 0) {
		cli__help(&cli_run_command);
		print_engines();
		print_smbios();
		print_device_classes();
		return 0;
	}
	if (rc < 0)
		return MACHINE_STATUS_BAD_INPUT;
	if (!options->config.kernel && !options->config.firmware) {
		cli__error("run: nothing to start; give --kernel FILE or --firmware NAME");
		return MACHINE_STATUS_BAD_INPUT;
	}
	if (!options->consoles)
		options->config.console[0] = "stdio";
	if (!options->has_kernel_cache)
		find_kernel_cache(options);
	return run_machine(&options->config);
}

static int run_command(int argc, char **argv)
{
	struct run_options options = {
		.config = {
			.memory = DEFAULT_MEMORY,
			.cpus = 1,
			.append = DEFAULT_APPEND,
			.engine = MACHINE_ENGINE_AUTO,
		},
	};
	int status = run_with(&options, argc, argv);

	while (options.short_count)
		free(options.shorts[--options.short_count]);
	while (options.uuid_count)
		free(options.uuids[--options.uuid_count]);
	while (options.file_count)
		config_file__free(&options.files[--options.file_count]);
	return status;
}

const struct cli_command cli_run_command = {
	.name = "run",
	.summary = "Run a virtual machine in the foreground.",
	.options = run_table,
	.run = run_command,
};
