/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SMBIOS structures of the machine, and the two entry points. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vmm/device/checksum.h"
#include "vmm/smbios/layout.h"
#include "vmm/smbios/smbios.h"

#define MAKER "Trivet"
#define PRODUCT "Trivet PC"
#define DATE "11/26/2026" /* Linux takes a machine without, or of before 2001, for an old one */

/* Of the second and later structures of a type the next ones. */
#define HANDLE(type) ((uint16_t)((type) << 8))
#define HANDLE_NONE 0xffff
#define HANDLE_NOT_GIVEN 0xfffe

#define BIOS_SEGMENT 0xe800
#define BIOS_UNSUPPORTED (1u << 3) /* "characteristics are not supported": none is told */
#define BIOS_EXTENSION_ACPI 0x01
#define BIOS_EXTENSION2_VIRTUAL 0x10
#define NO_RELEASE 0xff

#define STATE_SAFE 3
#define OTHER 1
#define UNKNOWN 2
#define SECURITY_NONE 3

#define PROCESSOR_CENTRAL 3
#define PROCESSOR_ENABLED 0x41
#define PROCESSOR_64BIT 0x04
#define PROCESSOR_MULTI_CORE 0x08
#define PROCESSOR_EXECUTE_PROTECTION 0x20

#define ARRAY_ON_BOARD 3
#define ARRAY_SYSTEM_MEMORY 3
#define ARRAY_NO_CORRECTION 3
#define ARRAY_SEE_MOST 0x80000000u

#define DEVICE_DIMM 9
#define DEVICE_RAM 7
#define DEVICE_DETAIL_OTHER 0x02
#define DEVICE_KIB 0x8000u
#define DEVICE_SEE_MIB 0x7fffu
#define DEVICE_LEAST (16ull << 30) /* memory is told as modules of this size, or of more */
#define DEVICES_MOST 16u

#define WAKE_UP_POWER_SWITCH 6

struct strings {
	const char *text[SMBIOS_OEM_STRINGS_MOST];
	unsigned count;
};

struct builder {
	uint8_t *data;
	size_t size;
	unsigned count, largest;
	bool full;
};

/* The number of a string behind the structure; what is empty is none. */
static uint8_t add_string(struct strings *strings, const char *text)
{
	if (!text || !*text)
		return 0;
	strings->text[strings->count++] = text;
	return (uint8_t)strings->count;
}

/* What the user says, or the machine's own. */
static uint8_t choose(struct strings *strings, const char *users, const char *own)
{
	return add_string(strings, users ? users : own);
}

static void put(struct builder *builder, const void *data, size_t size)
{
	if (size > SMBIOS_TABLES_MOST - builder->size) {
		builder->full = true;
		return;
	}
	memcpy(builder->data + builder->size, data, size);
	builder->size += size;
}

/* A structure, its strings, and the zeros behind them (6.1.3). */
static void add(struct builder *builder, uint8_t type, unsigned index, void *structure, size_t size,
		const struct strings *strings)
{
	struct smbios_header *header = structure;
	size_t start = builder->size;
	unsigned i;

	*header = (struct smbios_header){ type, (uint8_t)size, (uint16_t)(HANDLE(type) + index) };
	put(builder, structure, size);
	for (i = 0; strings && i < strings->count; i++)
		put(builder, strings->text[i], strlen(strings->text[i]) + 1);
	put(builder, "\0", strings && strings->count ? 1 : 2);
	builder->count++;
	builder->largest = MAX_OF(builder->largest, (unsigned)(builder->size - start));
}

static void add_bios(struct builder *builder, const struct smbios_bios *bios)
{
	struct strings strings = { .count = 0 };
	struct smbios_type0 type0 = {
		.vendor = choose(&strings, bios->vendor, MAKER),
		.version = choose(&strings, bios->version, TRIVET_VERSION),
		.segment = BIOS_SEGMENT,
		.date = choose(&strings, bios->date, DATE),
		.characteristics = BIOS_UNSUPPORTED,
		.extension = { BIOS_EXTENSION_ACPI, BIOS_EXTENSION2_VIRTUAL },
		.major = NO_RELEASE,
		.minor = NO_RELEASE,
		.ec_major = NO_RELEASE,
		.ec_minor = NO_RELEASE,
	};

	add(builder, 0, 0, &type0, sizeof(type0), &strings);
}

/* 7.2.1: the first three fields of a UUID are little endian. All zeros: there is none. */
static void store_uuid(uint8_t out[SMBIOS_UUID_BYTES], const uint8_t uuid[SMBIOS_UUID_BYTES])
{
	static const uint8_t order[SMBIOS_UUID_BYTES] = { 3, 2, 1,  0,	5,  4,	7,  6,
							  8, 9, 10, 11, 12, 13, 14, 15 };
	unsigned i;

	for (i = 0; i < SMBIOS_UUID_BYTES; i++)
		out[i] = uuid[order[i]];
}

static void add_system(struct builder *builder, const struct smbios_config *config)
{
	const struct smbios_system *system = &config->system;
	struct strings strings = { .count = 0 };
	struct smbios_type1 type1 = {
		.manufacturer = choose(&strings, system->manufacturer, MAKER),
		.product = choose(&strings, system->product, PRODUCT),
		.version = choose(&strings, system->version, TRIVET_VERSION),
		.serial = choose(&strings, system->serial, NULL),
		.wake_up = WAKE_UP_POWER_SWITCH,
		.sku = choose(&strings, system->sku, NULL),
		.family = choose(&strings, system->family, NULL),
	};

	store_uuid(type1.uuid, config->uuid);
	add(builder, 1, 0, &type1, sizeof(type1), &strings);
}

static void add_chassis(struct builder *builder, const struct smbios_chassis *chassis)
{
	struct strings strings = { .count = 0 };
	struct smbios_type3 type3 = {
		.manufacturer = choose(&strings, chassis->manufacturer, MAKER),
		.type = OTHER,
		.version = choose(&strings, chassis->version, NULL),
		.serial = choose(&strings, chassis->serial, NULL),
		.asset = choose(&strings, chassis->asset, NULL),
		.boot_up_state = STATE_SAFE,
		.power_supply_state = STATE_SAFE,
		.thermal_state = STATE_SAFE,
		.security = SECURITY_NONE,
		.sku = choose(&strings, chassis->sku, NULL),
	};

	add(builder, 3, 0, &type3, sizeof(type3), &strings);
}

static void add_processor(struct builder *builder, unsigned cpus)
{
	uint8_t few = (uint8_t)MIN_OF(cpus, 255u);
	struct strings strings = { .count = 0 };
	struct smbios_type4 type4 = {
		.socket = add_string(&strings, "CPU 0"),
		.type = PROCESSOR_CENTRAL,
		.family = UNKNOWN,
		.manufacturer = add_string(&strings, MAKER),
		.version = add_string(&strings, TRIVET_VERSION),
		.status = PROCESSOR_ENABLED,
		.upgrade = OTHER,
		.l1 = HANDLE_NONE,
		.l2 = HANDLE_NONE,
		.l3 = HANDLE_NONE,
		.cores = few,
		.cores_enabled = few,
		.threads = few,
		.characteristics = PROCESSOR_64BIT | PROCESSOR_EXECUTE_PROTECTION |
				   (cpus > 1 ? PROCESSOR_MULTI_CORE : 0),
		.family2 = UNKNOWN,
		.cores2 = (uint16_t)cpus,
		.cores_enabled2 = (uint16_t)cpus,
		.threads2 = (uint16_t)cpus,
	};

	add(builder, 4, 0, &type4, sizeof(type4), &strings);
}

static void add_oem_strings(struct builder *builder, const struct smbios_config *config)
{
	struct smbios_type11 type11 = { .count = (uint8_t)config->oem_count };
	struct strings strings = { .count = config->oem_count };

	if (!config->oem_count)
		return;
	memcpy(strings.text, config->oem, sizeof(strings.text));
	add(builder, 11, 0, &type11, sizeof(type11), &strings);
}

/* ---- memory ---- */

static void add_memory_array(struct builder *builder, uint64_t size, unsigned devices)
{
	uint64_t kib = size >> 10;
	struct smbios_type16 type16 = {
		.location = ARRAY_ON_BOARD,
		.use = ARRAY_SYSTEM_MEMORY,
		.correction = ARRAY_NO_CORRECTION,
		.most_kib = kib < ARRAY_SEE_MOST ? (uint32_t)kib : ARRAY_SEE_MOST,
		.error_handle = HANDLE_NOT_GIVEN,
		.devices = (uint16_t)devices,
		.most = kib < ARRAY_SEE_MOST ? 0 : size,
	};

	add(builder, 16, 0, &type16, sizeof(type16), NULL);
}

/* 7.18, offsets 0CH and 1CH: MiB as far as they reach; what is not whole ones, in KiB. */
static void set_device_size(struct smbios_type17 *device, uint64_t size)
{
	if (size & ((1u << 20) - 1) && size >> 10 < DEVICE_SEE_MIB)
		device->size = (uint16_t)(size >> 10 | DEVICE_KIB);
	else if (size >> 20 < DEVICE_SEE_MIB)
		device->size = (uint16_t)(size >> 20);
	else
		device->size = DEVICE_SEE_MIB;
	if (device->size == DEVICE_SEE_MIB)
		device->size_mib = (uint32_t)(size >> 20);
}

static void add_memory_device(struct builder *builder, unsigned index, uint64_t size)
{
	char locator[] = "DIMM A";
	struct strings strings = { .count = 0 };
	struct smbios_type17 type17 = {
		.array_handle = HANDLE(16),
		.error_handle = HANDLE_NOT_GIVEN,
		.total_width = HANDLE_NONE, /* unknown, as the next */
		.data_width = HANDLE_NONE,
		.form_factor = DEVICE_DIMM,
		.locator = add_string(&strings, locator),
		.type = DEVICE_RAM,
		.detail = DEVICE_DETAIL_OTHER,
		.manufacturer = add_string(&strings, MAKER),
	};

	locator[sizeof(locator) - 2] = (char)('A' + index);
	set_device_size(&type17, size);
	add(builder, 17, index, &type17, sizeof(type17), &strings);
}

static void add_mapped_address(struct builder *builder, unsigned index,
			       const struct guest_region *region, unsigned devices)
{
	uint64_t end = region->gpa + region->size;
	bool is_far = end >> 10 > UINT32_MAX;
	struct smbios_type19 type19 = {
		.first_kib = is_far ? UINT32_MAX : (uint32_t)(region->gpa >> 10),
		.last_kib = is_far ? UINT32_MAX : (uint32_t)((end >> 10) - 1),
		.array_handle = HANDLE(16),
		.partition_width = (uint8_t)devices,
		.first = is_far ? region->gpa : 0,
		.last = is_far ? end - 1 : 0,
	};

	add(builder, 19, index, &type19, sizeof(type19), NULL);
}

static void add_memory(struct builder *builder, const struct guest_memory *memory)
{
	uint64_t each = MAX_OF(DEVICE_LEAST, (memory->size + DEVICES_MOST - 1) / DEVICES_MOST);
	unsigned devices = (unsigned)((memory->size + each - 1) / each), i;
	uint64_t left = memory->size;

	add_memory_array(builder, memory->size, devices);
	for (i = 0; i < devices; i++) {
		add_memory_device(builder, i, MIN_OF(left, each));
		left -= MIN_OF(left, each);
	}
	for (i = 0; i < memory->count; i++)
		add_mapped_address(builder, i, &memory->region[i], devices);
}

/* ---- all ---- */

int smbios_tables__build(const struct smbios_request *request, struct smbios_image *image)
{
	const struct smbios_config *config = request->config;
	struct builder builder = { .data = malloc(SMBIOS_TABLES_MOST) };
	struct smbios_type32 type32 = { .status = 0 }; /* no errors */
	struct smbios_header end;

	if (!builder.data)
		return -ENOMEM;
	if (config->has_bios || !request->has_firmware)
		add_bios(&builder, &config->bios);
	add_system(&builder, config);
	add_chassis(&builder, &config->chassis);
	add_processor(&builder, request->cpus);
	add_oem_strings(&builder, config);
	add_memory(&builder, request->memory);
	add(&builder, 32, 0, &type32, sizeof(type32), NULL);
	add(&builder, 127, 0, &end, sizeof(end), NULL);
	if (builder.full) {
		free(builder.data);
		return -E2BIG;
	}
	*image = (struct smbios_image){ .tables = builder.data,
					.size = builder.size,
					.count = builder.count,
					.largest = builder.largest };
	return 0;
}

void smbios_entry__fill(const struct smbios_image *image, uint32_t gpa,
			uint8_t bytes[SMBIOS_ENTRY_BYTES])
{
	struct smbios_entry entry = {
		.length = sizeof(entry),
		.major = 2,
		.minor = 8,
		.largest = (uint16_t)image->largest,
		.size = (uint16_t)image->size,
		.address = gpa,
		.count = (uint16_t)image->count,
		.bcd_revision = 0x28,
	};
	const size_t middle = offsetof(struct smbios_entry, middle_anchor);

	_Static_assert(sizeof(entry) == SMBIOS_ENTRY_BYTES, "5.2.1");
	memcpy(entry.anchor, "_SM_", sizeof(entry.anchor));
	memcpy(entry.middle_anchor, "_DMI_", sizeof(entry.middle_anchor));
	entry.middle_checksum = checksum__of(&entry.middle_anchor, sizeof(entry) - middle);
	entry.checksum = checksum__of(&entry, sizeof(entry));
	memcpy(bytes, &entry, sizeof(entry));
}

void smbios_entry__fill_64(const struct smbios_image *image, uint64_t gpa,
			   uint8_t bytes[SMBIOS_ENTRY_64_BYTES])
{
	struct smbios_entry_64 entry = {
		.length = sizeof(entry),
		.major = 3,
		.revision = 1,
		.size_most = (uint32_t)image->size,
		.address = gpa,
	};

	_Static_assert(sizeof(entry) == SMBIOS_ENTRY_64_BYTES, "5.2.2");
	memcpy(entry.anchor, "_SM3_", sizeof(entry.anchor));
	entry.checksum = checksum__of(&entry, sizeof(entry));
	memcpy(bytes, &entry, sizeof(entry));
}
