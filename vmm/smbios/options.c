/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What users say of SMBIOS: texts checked, kept by structure. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vmm/config/option.h"
#include "vmm/smbios/smbios.h"

#define UUID_FORM "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

struct oem_options {
	char *value;
};

#define STRING(type, field, help)                                                                  \
	{                                                                                          \
		#field, OPTION_STRING, offsetof(struct type, field), 0, 0, 0, help                 \
	}

static const struct config_option bios_options[] = {
	STRING(smbios_bios, vendor, "who made the firmware"),
	STRING(smbios_bios, version, "its version"),
	STRING(smbios_bios, date, "MM/DD/YYYY"),
	{ NULL },
};

static const struct config_option system_options[] = {
	STRING(smbios_system, manufacturer, "who made the machine"),
	STRING(smbios_system, product, "its name"),
	STRING(smbios_system, version, "its version"),
	STRING(smbios_system, serial, "its serial number"),
	STRING(smbios_system, uuid, UUID_FORM),
	STRING(smbios_system, sku, "stock keeping unit"),
	STRING(smbios_system, family, "what it belongs to"),
	{ NULL },
};

static const struct config_option chassis_options[] = {
	STRING(smbios_chassis, manufacturer, "who made the case"),
	STRING(smbios_chassis, version, "its version"),
	STRING(smbios_chassis, serial, "its serial number"),
	STRING(smbios_chassis, asset, "asset tag"),
	STRING(smbios_chassis, sku, "stock keeping unit"),
	{ NULL },
};

static const struct config_option oem_options[] = {
	STRING(oem_options, value, "a string for programs in the guest; one per option"),
	{ NULL },
};

enum part { PART_BIOS, PART_SYSTEM, PART_CHASSIS, PART_OEM };

static const struct config_class parts[] = {
	[PART_BIOS] = { "smbios", "bios", bios_options },
	[PART_SYSTEM] = { "smbios", "system", system_options },
	[PART_CHASSIS] = { "smbios", "chassis", chassis_options },
	[PART_OEM] = { "smbios", "oem", oem_options },
};

/* What any of them is parsed to. */
union values {
	struct smbios_bios bios;
	struct smbios_system system;
	struct smbios_chassis chassis;
	struct oem_options oem;
};

static char **field_of(void *object, const struct config_option *option)
{
	return (char **)((char *)object + option->offset);
}

static int check_string(const struct config_class *class, const struct config_option *option,
			const char *value, size_t most, char *error, size_t error_size)
{
	const char *at;

	if (strlen(value) > most) {
		snprintf(error, error_size, "smbios %s: option %s has %zu characters; at most %zu",
			 class->name, option->name, strlen(value), most);
		return -EINVAL;
	}
	for (at = value; *at; at++)
		if (*at < ' ' || *at > '~') {
			snprintf(error, error_size,
				 "smbios %s: option %s: character %zu is %02Xh; only printable ASCII is possible",
				 class->name, option->name, (size_t)(at - value) + 1, (uint8_t)*at);
			return -EINVAL;
		}
	return 0;
}

static int check_strings(const struct config_class *class, union values *values, size_t most,
			 char *error, size_t error_size)
{
	const struct config_option *option;
	int err = 0;

	for (option = class->options; option->name && !err; option++) {
		const char *value = *field_of(values, option);

		if (value)
			err = check_string(class, option, value, most, error, error_size);
	}
	return err;
}

static int parse_uuid(const char *text, uint8_t uuid[SMBIOS_UUID_BYTES])
{
	unsigned i, digits = 0;
	char pair[3] = { 0 };

	if (strlen(text) != strlen(UUID_FORM))
		return -EINVAL;
	for (i = 0; text[i]; i++) {
		if (UUID_FORM[i] == '-') {
			if (text[i] != '-')
				return -EINVAL;
			continue;
		}
		if (!isxdigit((unsigned char)text[i]))
			return -EINVAL;
		pair[digits % 2] = text[i];
		if (digits++ % 2)
			uuid[digits / 2 - 1] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return 0;
}

static int take_uuid(struct smbios_config *config, const char *text, char *error,
		     size_t error_size)
{
	uint8_t uuid[SMBIOS_UUID_BYTES] = { 0 };

	if (*text && parse_uuid(text, uuid)) {
		snprintf(error, error_size,
			 "smbios system: option uuid=%.100s: must be " UUID_FORM " in hexadecimal digits",
			 text);
		return -EINVAL;
	}
	memcpy(config->uuid, uuid, sizeof(uuid));
	return 0;
}

/* MM/DD/YYYY (7.1, offset 8); kernels read the year. */
static int check_date(const char *text, char *error, size_t error_size)
{
	static const char form[] = "dd/dd/dddd";
	unsigned i;

	for (i = 0; form[i] && text[i]; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
			break;
	if (*text && (form[i] || text[i])) {
		snprintf(error, error_size, "smbios bios: option date=%.100s: must be MM/DD/YYYY", text);
		return -EINVAL;
	}
	return 0;
}

/* Moves what was given into the structure that is kept. */
static void keep_strings(const struct config_class *class, union values *values, void *kept)
{
	const struct config_option *option;

	for (option = class->options; option->name; option++) {
		char **from = field_of(values, option), **to = field_of(kept, option);

		if (!*from)
			continue;
		free(*to);
		*to = *from;
		*from = NULL;
	}
}

static int keep_oem(struct smbios_config *config, struct oem_options *oem, char *error,
		    size_t error_size)
{
	if (!oem->value || !*oem->value) {
		snprintf(error, error_size, "smbios oem: give value=TEXT");
		return -EINVAL;
	}
	if (config->oem_count == SMBIOS_OEM_STRINGS_MOST) {
		snprintf(error, error_size, "smbios oem: at most %u strings", SMBIOS_OEM_STRINGS_MOST);
		return -EINVAL;
	}
	config->oem[config->oem_count++] = oem->value;
	oem->value = NULL;
	return 0;
}

static int keep(struct smbios_config *config, enum part part, union values *values, char *error,
		size_t error_size)
{
	int err = 0;

	switch (part) {
	case PART_BIOS:
		if (values->bios.date)
			err = check_date(values->bios.date, error, error_size);
		config->has_bios |= !err;
		if (!err)
			keep_strings(&parts[part], values, &config->bios);
		return err;
	case PART_SYSTEM:
		if (values->system.uuid)
			err = take_uuid(config, values->system.uuid, error, error_size);
		if (!err)
			keep_strings(&parts[part], values, &config->system);
		return err;
	case PART_CHASSIS:
		keep_strings(&parts[part], values, &config->chassis);
		return 0;
	case PART_OEM:
		return keep_oem(config, &values->oem, error, error_size);
	}
	return -EINVAL;
}

int smbios_config__set(struct smbios_config *config, const char *text, char *error,
		       size_t error_size)
{
	size_t length = strcspn(text, ",");
	union values values;
	enum part part;
	int err;

	for (part = 0; part < ARRAY_LENGTH(parts); part++)
		if (strlen(parts[part].name) == length && !memcmp(parts[part].name, text, length))
			break;
	if (part == ARRAY_LENGTH(parts)) {
		snprintf(error, error_size,
			 "smbios \"%.*s\": must be bios, system, chassis or oem, then ,KEY=VALUE",
			 (int)MIN_OF(length, (size_t)100), text);
		return -EINVAL;
	}
	err = config__parse(&parts[part], text[length] ? text + length + 1 : NULL, &values, error,
			    error_size);
	if (err)
		return err;
	err = check_strings(&parts[part], &values,
			    part == PART_OEM ? SMBIOS_OEM_STRING_MOST : SMBIOS_STRING_MOST, error,
			    error_size);
	if (!err)
		err = keep(config, part, &values, error, error_size);
	config__free(&parts[part], &values);
	return err;
}

const struct config_class *smbios_config__part(unsigned index)
{
	return index < ARRAY_LENGTH(parts) ? &parts[index] : NULL;
}

void smbios_config__free(struct smbios_config *config)
{
	config__free(&parts[PART_BIOS], &config->bios);
	config__free(&parts[PART_SYSTEM], &config->system);
	config__free(&parts[PART_CHASSIS], &config->chassis);
	while (config->oem_count)
		free(config->oem[--config->oem_count]);
}
