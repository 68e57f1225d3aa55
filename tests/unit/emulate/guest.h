/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU without an engine, and RAM whose guest addresses are its host addresses (all below 2 GiB),
 * so that an instruction means the same inside and outside.
 */
#ifndef TESTS_UNIT_EMULATE_GUEST_H
#define TESTS_UNIT_EMULATE_GUEST_H

#include "core/emulate/emulate.h"
#include "core/emulate/executors.h"
#include "core/vm/vm.h"

#define GUEST_RAM_SIZE 0x10000
#define GUEST_TABLES 12 /* page number in RAM of the lowest of four page tables */

extern u8 *guest_ram;
extern struct vcpu *guest_vcpu;

void guest__init(void);
/* Empty TLB, zero registers, no paging; code of that size in flat segments. */
void guest__reset(unsigned code_size);

/* 4-level paging after guest__reset(8): all RAM at its own address, user and writable. */
void guest__enable_paging(void);
/* Changes the page-table entry of a page of RAM. */
void guest__set_page(unsigned page, u64 entry);
/* The address of a page of RAM. */
u64 guest__page(unsigned page);

/* Decodes and executes one instruction, without fetching it and without advancing RIP. */
enum exec_result guest__execute(const void *code, unsigned length);

#endif
