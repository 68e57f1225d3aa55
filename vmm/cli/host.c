/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet host`: what this host offers to virtual machines. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "vmm/cli/cpu_features.h"
#include "vmm/cli/options.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/probe.h"
#include "vmm/machine/machine.h"

static bool print_engine(const struct kvm_backend *backend, const char *path)
{
	char why[256] = "";
	int rc = kvm_probe__run(backend, path, why, sizeof(why));

	if (rc)
		printf("  %-6s not usable: %s\n", backend->name, why);
	else
		printf("  %-6s usable\n", backend->name);
	return !rc;
}

static void print_features(const struct kvm_backend *backend, const char *path)
{
	struct kvm_system system;
	struct kvm_cpuid2 *cpuid;

	if (kvm_system__open(&system, backend, path))
		return;
	if (!kvm_system__supported_cpuid(&system, &cpuid)) {
		printf("\nCPU features of a guest (engine %s):\n", backend->name);
		cpu_features__print(cpuid);
		free(cpuid);
	}
	kvm_system__close(&system);
}

/* One number from a file of sysfs or procfs, or -1. */
static long long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long long value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%lld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void print_transparent_huge_pages(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
	char line[128] = "not available";
	char *open, *close;

	if (file && fgets(line, sizeof(line), file)) {
		open = strchr(line, '[');
		close = open ? strchr(open, ']') : NULL;
		if (close) {
			*close = '\0';
			memmove(line, open + 1, strlen(open + 1) + 1);
		}
	}
	if (file)
		fclose(file);
	printf("  transparent: %s\n", line);
}

static void print_huge_pages(void)
{
	static const char directory[] = "/sys/kernel/mm/hugepages";
	DIR *dir = opendir(directory);
	struct dirent *entry;

	printf("\nhuge pages:\n");
	print_transparent_huge_pages();
	if (!dir) {
		printf("  reserved: not available\n");
		return;
	}
	while ((entry = readdir(dir))) {
		char path[512];
		long long total, unused;

		if (strncmp(entry->d_name, "hugepages-", 10))
			continue;
		snprintf(path, sizeof(path), "%s/%s/nr_hugepages", directory, entry->d_name);
		total = read_number(path);
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", directory, entry->d_name);
		unused = read_number(path);
		printf("  %-12s %lld reserved, %lld free\n", entry->d_name + 10, total, unused);
	}
	closedir(dir);
}

static void print_limit(const char *name, int resource, unsigned long long unit,
			const char *unit_name)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return;
	if (limit.rlim_cur == RLIM_INFINITY)
		printf("  %-28s unlimited\n", name);
	else
		printf("  %-28s %llu%s\n", name, (unsigned long long)limit.rlim_cur / unit,
		       unit_name);
}

static void print_limits(void)
{
	struct sysinfo info;

	printf("\nlimits:\n");
	printf("  %-28s %ld\n", "host CPUs", sysconf(_SC_NPROCESSORS_ONLN));
	if (!sysinfo(&info))
		printf("  %-28s %llu MiB, %llu MiB free\n", "host memory",
		       (unsigned long long)info.totalram * info.mem_unit >> 20,
		       (unsigned long long)info.freeram * info.mem_unit >> 20);
	printf("  %-28s %u\n", "virtual CPUs per machine", MACHINE_MAX_CPUS);
	printf("  %-28s %llu GiB\n", "memory per machine", MACHINE_MAX_MEMORY >> 30);
	print_limit("open files", RLIMIT_NOFILE, 1, "");
	print_limit("locked memory", RLIMIT_MEMLOCK, 1 << 20, " MiB");
	print_limit("address space", RLIMIT_AS, 1 << 20, " MiB");
	printf("  %-28s %lld\n", "mappings per process", read_number("/proc/sys/vm/max_map_count"));
	printf("  %-28s %lld\n", "overcommit policy",
	       read_number("/proc/sys/vm/overcommit_memory"));
}

static const struct cli_option host_table[] = {
	{ NULL, NULL, NULL, NULL },
};

static int host_command(int argc, char **argv)
{
	int rc = cli__parse(&cli_host_command, argc, argv, NULL);
	bool kvm, soft;

	if (rc > 0) {
		cli__help(&cli_host_command);
		return 0;
	}
	if (rc < 0)
		return MACHINE_STATUS_BAD_INPUT;
	printf("engines:\n");
	kvm = print_engine(&kvm_backend_kernel, MACHINE_KVM_PATH);
	soft = print_engine(&kvm_backend_soft, NULL);
	printf("  --engine auto would take %s\n", kvm ? "kvm" : soft ? "soft" : "none");
	if (kvm)
		print_features(&kvm_backend_kernel, MACHINE_KVM_PATH);
	if (soft)
		print_features(&kvm_backend_soft, NULL);
	print_huge_pages();
	print_limits();
	return kvm || soft ? 0 : MACHINE_STATUS_HOST_ERROR;
}

const struct cli_command cli_host_command = {
	.name = "host",
	.summary = "Show what this host offers: engines, CPU features, huge pages, limits.",
	.options = host_table,
	.run = host_command,
};
