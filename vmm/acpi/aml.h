/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI Machine Language emitter (ACPI 6.4, chapter 20): appends to a growing buffer. Errors (out of
 * memory, bad name, nesting) stick and are told once at the end.
 */
#ifndef VMM_ACPI_AML_H
#define VMM_ACPI_AML_H

#include <stddef.h>
#include <stdint.h>

#define AML_MAX_NESTING 16

struct aml {
	uint8_t *data; /* free() it */
	size_t size, capacity;
	int error; /* 0 or the first -errno */
	unsigned depth;
	size_t open[AML_MAX_NESTING]; /* where the lengths of open objects go */
};

/* Scopes and objects with a length; each is closed by aml__end(). */
void aml__scope(struct aml *aml, const char *path);  /* "\\_SB" */
void aml__device(struct aml *aml, const char *name); /* four characters or fewer */
void aml__method(struct aml *aml, const char *name, unsigned args);
void aml__name_package(struct aml *aml, const char *name, unsigned elements);
void aml__package(struct aml *aml, unsigned elements);
void aml__end(struct aml *aml);

/* Name (name, value) */
void aml__name_integer(struct aml *aml, const char *name, uint64_t value);
void aml__name_string(struct aml *aml, const char *name, const char *value);
void aml__name_eisaid(struct aml *aml, const char *name, const char *id); /* "PNP0501" */
/* Terms, as package elements or arguments. */
void aml__integer(struct aml *aml, uint64_t value);
void aml__return_integer(struct aml *aml, uint64_t value);

/*
 * Expressions, operator first: If (LEqual (Arg1, One)) { Return (CDW1) } is aml__if(),
 * aml__equal(), aml__arg(1), aml__integer(1), aml__return(), aml__term(name), aml__end().
 */
void aml__if(struct aml *aml);	 /* predicate, terms, aml__end() */
void aml__else(struct aml *aml); /* right behind the end of an aml__if() */
void aml__return(struct aml *aml);
void aml__store(struct aml *aml); /* what, where */
void aml__equal(struct aml *aml);
void aml__not(struct aml *aml); /* LNot */
void aml__and(struct aml *aml); /* two operands and a target, as aml__or() */
void aml__or(struct aml *aml);
void aml__arg(struct aml *aml, unsigned n);
void aml__local(struct aml *aml, unsigned n);
void aml__term(struct aml *aml, const char *name);
/* ToUUID (text), text as "33DB4D5B-1FF7-401C-9657-7441C03DD766" */
void aml__uuid(struct aml *aml, const char *text);
/* CreateDWordField (Arg n, index, name) */
void aml__dword_field(struct aml *aml, unsigned n, unsigned index, const char *name);

/* OperationRegion (name, SystemIO, port, size); Field (name, ByteAcc) with one 8-bit unit. */
void aml__io_region(struct aml *aml, const char *name, uint16_t port, unsigned size);
void aml__byte_field(struct aml *aml, const char *region, const char *unit);
/* Method terms: Return (name); Store (Arg0, name). */
void aml__return_name(struct aml *aml, const char *name);
void aml__store_arg0(struct aml *aml, const char *name);

/* Name (name, ResourceTemplate () { ... }) */
void aml__resources(struct aml *aml, const char *name);
void aml__end_resources(struct aml *aml);
/* Within: IO (Decode16, port, port, alignment, count) */
void aml__io(struct aml *aml, uint16_t port, uint8_t alignment, uint8_t count);
/* IRQNoFlags () {irq}: edge, active high, exclusive. */
void aml__irq(struct aml *aml, unsigned irq);
/* Memory32Fixed */
void aml__memory32(struct aml *aml, uint32_t base, uint32_t size);
/* WordBusNumber, WordIO, DWordMemory, QWordMemory windows of a host bridge, both limits included */
void aml__bus_window(struct aml *aml, uint16_t first, uint16_t last);
void aml__io_window(struct aml *aml, uint16_t first, uint16_t last);
void aml__memory_window(struct aml *aml, uint32_t first, uint32_t last);
/* Prefetchable, above 4 GiB. */
void aml__memory64_window(struct aml *aml, uint64_t first, uint64_t last);
/* Interrupt () {gsi}: level, active low, shared: how PCI's pins come to the IOAPIC. */
void aml__shared_gsi(struct aml *aml, uint32_t gsi);

#endif
