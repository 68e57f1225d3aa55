/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines "NAME VALUE": sums of all vCPUs, then each. */
#include "hosts/user/counters.h"
#include "core/vm/vm.h"
#include <stdarg.h>
#include <stdio.h>
#include "engines/soft/counters.h"

struct text {
	char *at;
	unsigned size;
	unsigned length; /* that it would have */
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	unsigned room = text->length < text->size ? text->size - text->length : 0;
	va_list args;

	va_start(args, format);
	text->length += vsnprintf(room ? text->at + text->length : NULL, room, format, args);
	va_end(args);
}

static u64 sum(struct vm *vm, const struct counter *counter, unsigned vcpus)
{
	u64 total = 0;
	unsigned i;

	if (counter->of_vm)
		return counter->value(vm, NULL);
	for (i = 0; i < vcpus; i++)
		total += counter->value(vm, vm->vcpus[i]);
	return total;
}

int counters__print(struct vm *vm, char *text, unsigned size)
{
	unsigned n = __atomic_load_n(&vm->nr_vcpus, __ATOMIC_ACQUIRE), i, j;
	struct text out = { text, size, 0 };

	put(&out, "vcpus %u\n", n);
	for (j = 0; j < soft__nr_counters; j++)
		put(&out, "%s %llu\n", soft__counters[j].name,
		    (unsigned long long)sum(vm, &soft__counters[j], n));
	for (i = 0; i < n; i++)
		for (j = 0; j < soft__nr_counters; j++)
			if (!soft__counters[j].of_vm)
				put(&out, "vcpu%u.%s %llu\n", vm->vcpus[i]->id, soft__counters[j].name,
				    (unsigned long long)soft__counters[j].value(vm, vm->vcpus[i]));
	return out.length;
}
