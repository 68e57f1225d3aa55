/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MultiProcessor table, read as an operating system reads it (MultiProcessor Specification 1.4, chapter 4). */
#include "tests/devices/fixture.h"

#include <string.h>

#include "vmm/machine/mp_table.h"
#include "vmm/memory/guest_memory.h"

#define MEMORY (1u << 20)

static uint8_t memory[MEMORY];

struct seen {
	unsigned processors, boot_processors, buses, ioapics, routes, local_routes;
	uint8_t isa;
	int isa_pin[16]; /* -1: none */
	uint16_t isa_flags[16];
	int pci_pin[32 * 4];
};

static uint8_t sum(const uint8_t *data, size_t size)
{
	uint8_t total = 0;

	while (size--)
		total += *data++;
	return total;
}

static uint16_t word(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

/* Entries of each type come together, the types in order. */
static void read_entry(struct seen *seen, const uint8_t *e)
{
	switch (e[0]) {
	case 0:
		assert_int_equal(e[1], seen->processors++);
		assert_true(e[3] & 1);
		seen->boot_processors += e[3] >> 1 & 1;
		break;
	case 1:
		seen->buses++;
		if (!memcmp(e + 2, "ISA   ", 6))
			seen->isa = e[1];
		else
			assert_memory_equal(e + 2, "PCI   ", 6);
		break;
	case 2:
		seen->ioapics++;
		assert_memory_equal(e + 4, "\0\0\xc0\xfe", 4);
		break;
	case 3:
		seen->routes++;
		assert_int_equal(e[1], 0);
		assert_in_range(e[7], 1, 23);
		if (e[4] == seen->isa) {
			seen->isa_pin[e[5]] = e[7];
			seen->isa_flags[e[5]] = word(e + 2);
		} else {
			seen->pci_pin[e[5]] = e[7];
		}
		break;
	default:
		assert_int_equal(e[0], 4);
		seen->local_routes++;
		assert_int_equal(e[1], e[7] ? 1 : 3); /* NMI at LINT1, the PICs at LINT0 */
	}
}

static void read_table(struct seen *seen, unsigned cpus, bool has_pci)
{
	const struct guest_memory all = { .size = MEMORY, .count = 1, .region = { { 0, MEMORY, memory } } };
	const uint8_t *pointer = memory + 0x9fc00, *table, *at;
	unsigned i, type = 0;

	memset(memory, 0, MEMORY);
	memset(seen, 0, sizeof(*seen));
	memset(seen->isa_pin, 0xff, sizeof(seen->isa_pin));
	memset(seen->pci_pin, 0xff, sizeof(seen->pci_pin));
	assert_int_equal(mp_table__place(&all, cpus, has_pci), 0);
	assert_memory_equal(pointer, "_MP_", 4);
	assert_int_equal(sum(pointer, 16 * pointer[8]), 0);
	table = memory + (word(pointer + 4) | word(pointer + 6) << 16);
	assert_memory_equal(table, "PCMP", 4);
	assert_int_equal(sum(table, word(table + 4)), 0);
	assert_memory_equal(table + 36, "\0\0\xe0\xfe", 4);
	at = table + 44;
	for (i = 0; i < word(table + 34); i++) {
		assert_true(at[0] >= type);
		type = at[0];
		read_entry(seen, at);
		at += type ? 8 : 20;
	}
	assert_ptr_equal(at, table + word(table + 4));
	assert_int_equal(seen->boot_processors, 1);
	assert_int_equal(seen->ioapics, 1);
	assert_int_equal(seen->local_routes, 2);
}

static void processors(void **state)
{
	struct seen seen;

	read_table(&seen, 1, true);
	assert_int_equal(seen.processors, 1);
	read_table(&seen, 4, true);
	assert_int_equal(seen.processors, 4);
	/* Identifiers of 8 bits, and FFH is all. */
	read_table(&seen, 300, true);
	assert_int_equal(seen.processors, 255);
}

static void interrupts(void **state)
{
	struct seen seen;
	unsigned irq;

	read_table(&seen, 2, true);
	assert_int_equal(seen.buses, 2);
	assert_int_equal(seen.isa_pin[0], 2);
	assert_int_equal(seen.isa_pin[2], -1);
	for (irq = 1; irq < 16; irq++)
		if (irq != 2)
			assert_int_equal(seen.isa_pin[irq], irq);
	assert_int_equal(seen.isa_flags[4], 0);
	assert_int_equal(seen.isa_flags[9], 0xd); /* the SCI: a level, active high */
	/* As _PRT has it: INTB of slot 3 at GSI 16 + 4. */
	assert_int_equal(seen.pci_pin[3 << 2 | 1], 20);
	assert_int_equal(seen.routes, 15 + 128);
}

static void no_pci(void **state)
{
	struct seen seen;

	read_table(&seen, 2, false);
	assert_int_equal(seen.buses, 1);
	assert_int_equal(seen.routes, 15);
}

static void no_memory_there(void **state)
{
	const struct guest_memory little = { .size = 0x80000, .count = 1, .region = { { 0, 0x80000, memory } } };

	assert_true(mp_table__place(&little, 1, true) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processors), cmocka_unit_test(interrupts), cmocka_unit_test(no_pci),
		cmocka_unit_test(no_memory_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
