/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMBIOS: structures walked as an operating system walks them, both entry points, what users say
 * and what is refused, and dmidecode, which reads a dump of it all.
 */
#include "tests/devices/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/smbios/layout.h"
#include "vmm/smbios/smbios.h"

static char error[300];

static void set(struct smbios_config *config, const char *text)
{
	if (smbios_config__set(config, text, error, sizeof(error)))
		fail_msg("%s", error);
}

static void refuse(const char *text, const char *why)
{
	struct smbios_config config = { 0 };

	error[0] = 0;
	assert_int_equal(smbios_config__set(&config, text, error, sizeof(error)), -EINVAL);
	if (!strstr(error, why))
		fail_msg("\"%s\" does not say \"%s\"", error, why);
	smbios_config__free(&config);
}

static void build(struct smbios_image *image, const struct smbios_config *config, unsigned cpus,
		  uint64_t size, bool has_firmware)
{
	const struct smbios_config none = { 0 };
	struct guest_memory memory = { .size = size, .count = 1, .region = { { 0, size, NULL } } };
	const struct smbios_request request = { .config = config ? config : &none,
						.cpus = cpus,
						.memory = &memory,
						.has_firmware = has_firmware };

	if (size > GUEST_LOW_RAM_END) {
		memory.count = 2;
		memory.region[0].size = GUEST_LOW_RAM_END;
		memory.region[1] = (struct guest_region){ GUEST_HIGH_RAM_START,
							  size - GUEST_LOW_RAM_END, NULL };
	}
	assert_int_equal(smbios_tables__build(&request, image), 0);
}

/* The structure behind this one: behind its strings, which end with an empty one. */
static const struct smbios_header *follow(const struct smbios_header *at, unsigned *strings)
{
	const char *text = (const char *)at + at->length;

	*strings = 0;
	if (!*text) /* no strings: two zeros */
		text++;
	for (; *text; text += strlen(text) + 1)
		++*strings;
	return (const void *)(text + 1);
}

/* The `index`th structure of a type, or NULL. Fails unless all of them fit their sizes. */
static const void *find(const struct smbios_image *image, uint8_t type, unsigned index)
{
	const struct smbios_header *at = (const void *)image->tables, *next, *found = NULL, *other;
	const uint8_t *end = image->tables + image->size;
	unsigned count = 0, largest = 0, strings;

	for (; (const uint8_t *)at < end; at = next) {
		assert_true(at->length >= sizeof(*at));
		next = follow(at, &strings);
		assert_true((const uint8_t *)next <= end);
		count++;
		largest = MAX_OF(largest, (unsigned)((const char *)next - (const char *)at));
		for (other = (const void *)image->tables; other != at; other = follow(other, &strings))
			assert_int_not_equal(other->handle, at->handle);
		if (at->type == type && index-- == 0)
			found = at;
		if (at->type == 127)
			assert_ptr_equal(next, end);
	}
	assert_int_equal(count, image->count);
	assert_int_equal(largest, image->largest);
	return found;
}

static const char *string_of(const void *structure, uint8_t number)
{
	const struct smbios_header *header = structure;
	const char *text = (const char *)header + header->length;

	if (!number)
		return "";
	while (--number) {
		assert_true(*text);
		text += strlen(text) + 1;
	}
	return text;
}

static void says_what_the_machine_is(void **state)
{
	static const uint8_t no_uuid[16];
	const struct smbios_type0 *bios;
	const struct smbios_type1 *system;
	const struct smbios_type4 *cpu;
	struct smbios_image image;

	build(&image, NULL, 3, 512 << 20, false);
	bios = find(&image, 0, 0);
	assert_string_equal(string_of(bios, bios->vendor), "Trivet");
	assert_int_equal(strlen(string_of(bios, bios->date)), 10);
	system = find(&image, 1, 0);
	assert_string_equal(string_of(system, system->product), "Trivet PC");
	assert_int_equal(system->serial, 0);
	assert_memory_equal(system->uuid, no_uuid, 16);
	cpu = find(&image, 4, 0);
	assert_int_equal(cpu->cores, 3);
	assert_int_equal(cpu->threads2, 3);
	assert_null(find(&image, 4, 1));
	assert_null(find(&image, 11, 0));
	assert_non_null(find(&image, 3, 0));
	assert_non_null(find(&image, 32, 0));
	assert_non_null(find(&image, 127, 0));
	free(image.tables);
	/* Firmware says what it is itself. */
	build(&image, NULL, 3, 512 << 20, true);
	assert_null(find(&image, 0, 0));
	free(image.tables);
}

static void tells_memory(void **state)
{
	static const struct {
		uint64_t size;
		unsigned devices;
		uint16_t first, last; /* sizes of devices */
		uint32_t first_mib;
	} cases[] = {
		{ 1 << 20, 1, 1, 1, 0 },
		{ (1 << 20) + 4096, 1, 0x8000 | 1028, 0x8000 | 1028, 0 },
		{ 512 << 20, 1, 512, 512, 0 },
		{ (40ull << 30), 3, 16384, 8192, 0 },
		{ 1ull << 40, 16, 0x7fff, 0x7fff, 65536 },
	};
	const struct smbios_type16 *array;
	const struct smbios_type17 *device;
	const struct smbios_type19 *mapped;
	struct smbios_image image;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		build(&image, NULL, 1, cases[i].size, false);
		array = find(&image, 16, 0);
		assert_int_equal(array->most_kib, cases[i].size >> 10);
		assert_int_equal(array->devices, cases[i].devices);
		device = find(&image, 17, 0);
		assert_int_equal(device->size, cases[i].first);
		assert_int_equal(device->size_mib, cases[i].first_mib);
		assert_int_equal(device->array_handle, array->header.handle);
		assert_string_equal(string_of(device, device->locator), "DIMM A");
		device = find(&image, 17, cases[i].devices - 1);
		assert_int_equal(device->size, cases[i].last);
		assert_null(find(&image, 17, cases[i].devices));
		mapped = find(&image, 19, 0);
		assert_int_equal(mapped->first_kib, 0);
		mapped = find(&image, 19, cases[i].size > GUEST_LOW_RAM_END);
		assert_int_equal((uint64_t)mapped->last_kib + 1,
				 (cases[i].size > GUEST_LOW_RAM_END ? cases[i].size + (2ull << 30)
								    : cases[i].size) >> 10);
		free(image.tables);
	}
}

static void says_what_users_say(void **state)
{
	static const uint8_t uuid[] = { 0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
					0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	struct smbios_config config = { 0 };
	const struct smbios_type0 *bios;
	const struct smbios_type1 *system;
	const struct smbios_type3 *chassis;
	const struct smbios_type11 *oem;
	struct smbios_image image;

	set(&config, "system,product=first,serial=12");
	set(&config, "system,product=a,, b,family=f,version=,uuid=00112233-4455-6677-8899-AABBccddeeff");
	set(&config, "system");
	set(&config, "chassis,asset=7,sku=k");
	set(&config, "bios,vendor=v,date=01/02/2003");
	set(&config, "oem,value=one");
	set(&config, "oem,value=two=2");
	build(&image, &config, 1, 1 << 20, true);
	bios = find(&image, 0, 0);
	assert_string_equal(string_of(bios, bios->vendor), "v");
	assert_string_equal(string_of(bios, bios->date), "01/02/2003");
	system = find(&image, 1, 0);
	assert_string_equal(string_of(system, system->product), "a, b");
	assert_string_equal(string_of(system, system->serial), "12");
	assert_string_equal(string_of(system, system->family), "f");
	assert_int_equal(system->version, 0); /* an empty one is none */
	assert_memory_equal(system->uuid, uuid, 16);
	chassis = find(&image, 3, 0);
	assert_string_equal(string_of(chassis, chassis->asset), "7");
	assert_string_equal(string_of(chassis, chassis->sku), "k");
	assert_int_equal(chassis->serial, 0);
	oem = find(&image, 11, 0);
	assert_int_equal(oem->count, 2);
	assert_string_equal(string_of(oem, 1), "one");
	assert_string_equal(string_of(oem, 2), "two=2");
	free(image.tables);
	smbios_config__free(&config);
}

static void refuses_what_is_wrong(void **state)
{
	char text[1400] = "system,product=";
	size_t length = strlen(text);

	refuse("", "must be bios, system, chassis or oem");
	refuse("syste,product=x", "must be bios");
	refuse("system,colour=x", "colour");
	refuse("system,product", "product");
	refuse("system,product=a\nb", "character 2 is 0Ah");
	refuse("chassis,serial=\x7f", "character 1 is 7Fh");
	refuse("bios,vendor=\xc3\xa4", "C3h");
	refuse("system,uuid=00112233-4455-6677-8899-aabbccddee", "uuid");
	refuse("system,uuid=00112233-4455-6677-8899-aabbccddeefg", "uuid");
	refuse("system,uuid=0011223304455-6677-8899-aabbccddeeff", "uuid");
	refuse("bios,date=1/2/2003", "MM/DD/YYYY");
	refuse("bios,date=01/02/20033", "MM/DD/YYYY");
	refuse("oem", "value=TEXT");
	refuse("oem,value=", "value=TEXT");
	memset(text + length, 'x', SMBIOS_STRING_MOST + 1);
	refuse(text, "256 characters; at most 255");
	memcpy(text, "oem,value=", 10);
	memset(text + 10, 'x', SMBIOS_OEM_STRING_MOST + 1);
	refuse(text, "1025 characters; at most 1024");
}

/* As much as users can say has room. */
static void the_most_fits(void **state)
{
	static const char *const keys[] = {
		"bios,vendor=",	   "bios,version=",   "system,manufacturer=",  "system,product=",
		"system,version=", "system,serial=",  "system,sku=",	       "system,family=",
		"chassis,asset=",  "chassis,serial=", "chassis,manufacturer=", "chassis,version=",
		"chassis,sku=",
	};
	struct smbios_config config = { 0 };
	struct smbios_image image;
	char text[1100];
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(keys); i++) {
		size_t length = strlen(keys[i]);

		memcpy(text, keys[i], length);
		memset(text + length, 'x', SMBIOS_STRING_MOST);
		text[length + SMBIOS_STRING_MOST] = 0;
		set(&config, text);
	}
	memcpy(text, "oem,value=", 10);
	memset(text + 10, 'x', SMBIOS_OEM_STRING_MOST);
	text[10 + SMBIOS_OEM_STRING_MOST] = 0;
	for (i = 0; i < SMBIOS_OEM_STRINGS_MOST; i++)
		set(&config, text);
	assert_int_equal(smbios_config__set(&config, text, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "at most 16"));
	build(&image, &config, 255, 1ull << 40, false);
	assert_true(image.size <= SMBIOS_TABLES_MOST);
	assert_non_null(find(&image, 127, 0));
	free(image.tables);
	smbios_config__free(&config);
}

static uint8_t sum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint8_t total = 0;

	while (size--)
		total += *bytes++;
	return total;
}

static void entry_points(void **state)
{
	union {
		uint8_t bytes[SMBIOS_ENTRY_BYTES];
		struct smbios_entry fields;
	} entry;
	union {
		uint8_t bytes[SMBIOS_ENTRY_64_BYTES];
		struct smbios_entry_64 fields;
	} entry_64;
	struct smbios_image image;

	build(&image, NULL, 1, 1 << 20, false);
	smbios_entry__fill(&image, 0xf8040, entry.bytes);
	assert_memory_equal(entry.bytes, "_SM_", 4);
	assert_memory_equal(entry.bytes + 16, "_DMI_", 5);
	assert_int_equal(sum(entry.bytes, 31) | sum(entry.bytes + 16, 15), 0);
	assert_int_equal(entry.fields.length, 31);
	assert_int_equal(entry.fields.address, 0xf8040);
	assert_int_equal(entry.fields.size, image.size);
	assert_int_equal(entry.fields.count, image.count);
	assert_int_equal(entry.fields.largest, image.largest);
	smbios_entry__fill_64(&image, 0x123456789a, entry_64.bytes);
	assert_memory_equal(entry_64.bytes, "_SM3_", 5);
	assert_int_equal(sum(entry_64.bytes, 24), 0);
	assert_int_equal(entry_64.fields.length, 24);
	assert_int_equal(entry_64.fields.address, 0x123456789a);
	assert_int_equal(entry_64.fields.size_most, image.size);
	free(image.tables);
}

/* A dump in dmidecode's form: the entry point, and at 32 the tables. */
static void run_dmidecode(const struct smbios_image *image, bool is_64)
{
	uint8_t entry[32] = { 0 };
	char path[40], command[900];
	FILE *file;

	if (is_64)
		smbios_entry__fill_64(image, 32, entry);
	else
		smbios_entry__fill(image, 32, entry);
	snprintf(path, sizeof(path), "/tmp/smbios-test-%d", getpid());
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(entry, 32, 1, file), 1);
	assert_int_equal(fwrite(image->tables, image->size, 1, file), 1);
	fclose(file);
	snprintf(command, sizeof(command),
		 "dmidecode --from-dump %s >%s.log 2>&1 && grep -q 'Product Name: My PC' %s.log && "
		 "grep -q 'UUID: 00112233-4455-6677-8899-aabbccddeeff' %s.log && "
		 "grep -q 'Size: 16 GB' %s.log && grep -q 'Core Count: 255' %s.log && "
		 "grep -q 'String 1: hello' %s.log && grep -q 'End Of Table' %s.log && "
		 "! grep -Ei 'broken|truncated|wrong|invalid|out of spec|bad index' %s.log",
		 path, path, path, path, path, path, path, path, path);
	if (system(command)) {
		snprintf(command, sizeof(command), "cat %s.log", path);
		if (system(command))
			print_message("no log\n");
		fail_msg("dmidecode does not read that");
	}
	unlink(path);
	snprintf(command, sizeof(command), "%s.log", path);
	unlink(command);
}

static void dmidecode_reads_it(void **state)
{
	struct smbios_config config = { 0 };
	struct smbios_image image;

	if (system("command -v dmidecode >/dev/null || test -x /usr/sbin/dmidecode")) {
		print_message("dmidecode is not installed\n");
		skip();
	}
	setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin", 1);
	set(&config, "system,product=My PC,uuid=00112233-4455-6677-8899-aabbccddeeff");
	set(&config, "oem,value=hello");
	build(&image, &config, 255, 33ull << 30, false);
	run_dmidecode(&image, false);
	run_dmidecode(&image, true);
	free(image.tables);
	smbios_config__free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_the_machine_is),
		cmocka_unit_test(tells_memory),
		cmocka_unit_test(says_what_users_say),
		cmocka_unit_test(refuses_what_is_wrong),
		cmocka_unit_test(the_most_fits),
		cmocka_unit_test(entry_points),
		cmocka_unit_test(dmidecode_reads_it),
	};

	return cmocka_run_group_tests_name("smbios", tests, NULL, NULL);
}
