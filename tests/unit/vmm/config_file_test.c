/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration files: what lines and sections mean, and what is said of bad ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config/file.h"

static void check(const char *text, const struct config_entry *expected, unsigned count)
{
	struct config_file file;
	char error[300] = "";
	unsigned i;

	assert_int_equal(config_file__parse(&file, "f", text, strlen(text), error, sizeof(error)), 0);
	assert_int_equal(file.count, count);
	for (i = 0; i < count; i++) {
		assert_int_equal(file.entry[i].line, expected[i].line);
		assert_string_equal(file.entry[i].name, expected[i].name);
		if (expected[i].value)
			assert_string_equal(file.entry[i].value, expected[i].value);
		else
			assert_null(file.entry[i].value);
	}
	config_file__free(&file);
}

static void lines_are_options(void **state)
{
	static const struct config_entry expected[] = {
		{ 2, "memory", "2G" }, { 3, "no-reboot", NULL }, { 5, "append", "a=b  c,d # e" },
		{ 6, "cpus", "" },
	};

	check("# comment = 1\n  memory\t=2G \r\nno-reboot\n\n append = a=b  c,d # e\ncpus =", expected, 4);
	check("", NULL, 0);
	check("\n \t\n#", NULL, 0);
}

static void sections_are_options_with_keys(void **state)
{
	static const struct config_entry expected[] = {
		{ 1, "disk", "a,,b]c,iops=7,id=x,,y,empty=" },
		{ 5, "engine", "soft" },
		{ 8, "cpus", "2" },
		{ 9, "device", "virtio-rng" },
	};

	check("[disk a,b]c]\niops = 7\nid=x,y\nempty=\n[ engine \t soft ]\n\n[machine]\ncpus=2\n"
	      "[device virtio-rng]",
	      expected, 4);
}

static void bad_lines_are_named(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ "a = 1\nmemory 2G\n", "f:2: \"memory 2G\": must be NAME = VALUE or NAME" },
		{ "= 5\n", "f:1: \"= 5\": must be NAME" },
		{ "\n\n/memory = 5", "f:3: \"/memory = 5\": must be NAME" },
		{ "me\"mory = 5", "f:1: \"me\"mory = 5\": must be NAME" },
		{ "[disk a\n", "f:1: \"[disk a\": a section's head ends with ]" },
		{ "[", "f:1: \"[\": a section's head ends with ]" },
		{ "[]", "f:1: \"\": must be [OPTION VALUE] or [machine]" },
		{ "[disk=a]", "f:1: \"disk=a\": must be [OPTION VALUE]" },
		{ "[device]", "f:1: \"device\": has no value" },
		{ "[device x]\n\nfast\n", "f:3: \"fast\": a line of a section must be KEY = VALUE" },
	};
	struct config_file file;
	char error[300];
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int err = config_file__parse(&file, "f", bad[i].text, strlen(bad[i].text), error,
					     sizeof(error));

		assert_int_equal(err, -EINVAL);
		if (strncmp(error, bad[i].message, strlen(bad[i].message)))
			assert_string_equal(error, bad[i].message);
	}
	assert_int_equal(config_file__parse(&file, "f", "a = 1\nb\0c", 9, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "f:2: \"b\": a zero byte follows; the file must be text");
}

static void files_that_cannot_be_read_are_named(void **state)
{
	static const struct {
		const char *path, *message;
	} bad[] = {
		{ "/nonexistent/file", "/nonexistent/file: No such file or directory" },
		{ "/proc", "/proc: Is a directory" },
		{ "/dev/zero", "/dev/zero: File too large" },
	};
	struct config_file file;
	char error[300];
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(config_file__load(&file, bad[i].path, error, sizeof(error)) < 0);
		assert_string_equal(error, bad[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_options),
		cmocka_unit_test(sections_are_options_with_keys),
		cmocka_unit_test(bad_lines_are_named),
		cmocka_unit_test(files_that_cannot_be_read_are_named),
	};

	return cmocka_run_group_tests_name("vmm configuration files", tests, NULL, NULL);
}
