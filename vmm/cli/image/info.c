/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet image info`. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "vmm/cli/image/image.h"

void json__string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 32)
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void print_size(uint64_t bytes, char *text, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	unsigned i = 0;

	while (value >= 1000 && i < 6) {
		value /= 1024;
		i++;
	}
	snprintf(text, size, "%0.3g %s", value, units[i]);
}

static uint64_t disk_usage(const struct node *node)
{
	struct stat st;

	return stat(node->file->path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

static void print_snapshot(const struct image_snapshot *s)
{
	uint64_t clock = s->vm_clock / 1000000;
	char date[32] = "?", passed[64], size[32], icount[24] = "";
	time_t when = s->seconds;
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(passed, sizeof(passed), "%02llu:%02llu:%02llu.%03llu", (unsigned long long)clock / 3600000,
		 (unsigned long long)clock / 60000 % 60, (unsigned long long)clock / 1000 % 60,
		 (unsigned long long)clock % 1000);
	if (s->icount != UINT64_MAX)
		snprintf(icount, sizeof(icount), "%llu", (unsigned long long)s->icount);
	print_size(s->vm_state_size, size, sizeof(size));
	printf("%-9s %-16s %8s%20s%13s%11s\n", s->id, s->name, size, date, passed, icount);
}

void info__print_snapshots(struct node *node)
{
	struct image_snapshot s;
	unsigned n;

	for (n = 0; node->class->snapshot_get && !node->class->snapshot_get(node, n, &s); n++) {
		if (!n)
			printf("Snapshot list:\n%-9s %-16s %8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE",
			       "DATE", "VM CLOCK", "ICOUNT");
		print_snapshot(&s);
	}
}

static void print_qcow2(const struct image_info *info)
{
	printf("Format specific information:\n    compat: %s\n    compression type: %s\n",
	       info->version == 2 ? "0.10" : "1.1", info->zstd ? "zstd" : "zlib");
	if (info->version == 2) {
		printf("    refcount bits: %u\n", info->refcount_bits);
		return;
	}
	printf("    lazy refcounts: %s\n    refcount bits: %u\n", info->lazy_refcounts ? "true" : "false",
	       info->refcount_bits);
	if (info->data_file)
		printf("    data file: %s\n    data file raw: %s\n", info->data_file,
		       info->data_file_raw ? "true" : "false");
	printf("    corrupt: %s\n    extended l2: %s\n", info->corrupt ? "true" : "false",
	       info->extended_l2 ? "true" : "false");
}

static void print_text(struct node *node)
{
	struct image_info info = { 0 };
	char *path, error[256], size[32], used[32];

	if (node->class->info)
		node->class->info(node, &info);
	print_size(atomic_load(&node->size), size, sizeof(size));
	print_size(disk_usage(node), used, sizeof(used));
	printf("image: %s\nfile format: %s\nvirtual size: %s (%llu bytes)\ndisk size: %s\n",
	       node->file->path, node->class->name, size, (unsigned long long)atomic_load(&node->size), used);
	if (info.dirty)
		printf("cleanly shut down: no\n");
	if (info.cluster_size)
		printf("cluster_size: %llu\n", (unsigned long long)info.cluster_size);
	if (node->backing_name) {
		printf("backing file: %s", node->backing_name);
		if (!node__backing_path(node->file->path, node->backing_name, &path, error,
					sizeof(error))) {
			if (strcmp(path, node->backing_name))
				printf(" (actual path: %s)", path);
			free(path);
		}
		printf("\n");
		if (node->backing_format)
			printf("backing file format: %s\n", node->backing_format);
	}
	info__print_snapshots(node);
	if (info.qcow2)
		print_qcow2(&info);
}

/* ---- JSON ---- */

static void print_json_snapshots(struct node *node, const char *indent)
{
	struct image_snapshot s;
	unsigned n;

	for (n = 0; node->class->snapshot_get && !node->class->snapshot_get(node, n, &s); n++) {
		if (!n)
			printf(",\n%s    \"snapshots\": [", indent);
		printf("%s\n%s        {\n%s            \"id\": ", n ? "," : "", indent, indent);
		json__string(s.id);
		printf(",\n%s            \"name\": ", indent);
		json__string(s.name);
		printf(",\n%s            \"vm-state-size\": %llu,\n%s            \"date-sec\": %u,\n", indent,
		       (unsigned long long)s.vm_state_size, indent, s.seconds);
		printf("%s            \"date-nsec\": %u,\n%s            \"vm-clock-sec\": %llu,\n", indent,
		       s.nanoseconds, indent, (unsigned long long)s.vm_clock / 1000000000);
		printf("%s            \"vm-clock-nsec\": %llu\n%s        }", indent,
		       (unsigned long long)s.vm_clock % 1000000000, indent);
	}
	if (n)
		printf("\n%s    ]", indent);
}

static void print_json_qcow2(const struct image_info *info, const char *indent)
{
	printf(",\n%s    \"format-specific\": {\n%s        \"type\": \"qcow2\",\n%s        \"data\": {\n",
	       indent, indent, indent);
	printf("%s            \"compat\": \"%s\",\n", indent, info->version == 2 ? "0.10" : "1.1");
	printf("%s            \"compression-type\": \"%s\",\n", indent, info->zstd ? "zstd" : "zlib");
	if (info->version > 2) {
		printf("%s            \"lazy-refcounts\": %s,\n", indent,
		       info->lazy_refcounts ? "true" : "false");
		if (info->data_file) {
			printf("%s            \"data-file\": ", indent);
			json__string(info->data_file);
			printf(",\n%s            \"data-file-raw\": %s,\n", indent,
			       info->data_file_raw ? "true" : "false");
		}
		printf("%s            \"corrupt\": %s,\n", indent, info->corrupt ? "true" : "false");
		printf("%s            \"extended-l2\": %s,\n", indent,
		       info->extended_l2 ? "true" : "false");
	}
	printf("%s            \"refcount-bits\": %u\n%s        }\n%s    }", indent, info->refcount_bits,
	       indent, indent);
}

static void print_json(struct node *node, const char *indent)
{
	struct image_info info = { 0 };
	char *path, error[256];

	if (node->class->info)
		node->class->info(node, &info);
	printf("%s{\n%s    \"virtual-size\": %llu,\n%s    \"filename\": ", indent, indent,
	       (unsigned long long)atomic_load(&node->size), indent);
	json__string(node->file->path);
	if (info.cluster_size)
		printf(",\n%s    \"cluster-size\": %llu", indent, (unsigned long long)info.cluster_size);
	printf(",\n%s    \"format\": \"%s\",\n%s    \"actual-size\": %llu", indent, node->class->name,
	       indent, (unsigned long long)disk_usage(node));
	if (node->backing_name) {
		printf(",\n%s    \"backing-filename\": ", indent);
		json__string(node->backing_name);
		if (!node__backing_path(node->file->path, node->backing_name, &path, error,
					sizeof(error))) {
			printf(",\n%s    \"full-backing-filename\": ", indent);
			json__string(path);
			free(path);
		}
		if (node->backing_format) {
			printf(",\n%s    \"backing-filename-format\": ", indent);
			json__string(node->backing_format);
		}
	}
	print_json_snapshots(node, indent);
	if (info.qcow2)
		print_json_qcow2(&info, indent);
	printf(",\n%s    \"dirty-flag\": %s\n%s}", indent, info.dirty ? "true" : "false", indent);
}

static int info_command(int argc, char **argv)
{
	static const struct option longs[] = { { "output", required_argument, NULL, 1 },
					       { "backing-chain", no_argument, NULL, 2 },
					       { "force-share", no_argument, NULL, 'U' },
					       { NULL, 0, NULL, 0 } };
	struct node_how how = { .lock = true, .no_backing = true, .check = true };
	bool json = false;
	struct node *node, *top;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "f:U", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			how.format = optarg;
			break;
		case 'U':
			how.lock = false;
			break;
		case 1:
			if (image__parse_output(optarg, &json))
				return 1;
			break;
		case 2:
			how.no_backing = false;
			break;
		default:
			return image__usage(&image_command_info);
		}
	}
	if (optind + 1 != argc)
		return image__usage(&image_command_info);
	how.path = argv[optind];
	top = image__open(&how);
	if (!top)
		return 1;
	if (json && !how.no_backing)
		printf("[\n");
	for (node = top; node; node = node->backing) {
		if (node != top)
			printf(json ? ",\n" : "\n");
		if (json)
			print_json(node, how.no_backing ? "" : "    ");
		else
			print_text(node);
	}
	if (json)
		printf("\n%s", how.no_backing ? "" : "]\n");
	return image__close(top);
}

const struct image_command image_command_info = {
	.name = "info",
	.usage = "[-U] [-f FORMAT] [--output=human|json] [--backing-chain] FILE",
	.summary = "Show what an image is.",
	.run = info_command,
};
