/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds a request's row, copies its argument in and out, and calls its function. */
#include "core/api/table.h"

#define STACK_ARGUMENT 256 /* larger structures are copied to allocated memory */

static const struct api_table *table_of(const struct api_object *object)
{
	switch (object->kind) {
	case API_SYSTEM:
		return &api_system_table;
	case API_VM:
		return &api_vm_table;
	case API_VCPU:
		return &api_vcpu_table;
	default:
		return NULL;
	}
}

static const struct api_row *find_row(const struct api_object *object, u32 request)
{
	const struct api_table *table = table_of(object);
	unsigned i;

	for (i = 0; table && i < table->count; i++)
		if (table->rows[i].request == request)
			return &table->rows[i];
	return NULL;
}

static s64 call_locked(const struct api_row *row, struct api_call *call)
{
	s64 r;

	if (!call->vcpu)
		return row->fn(call);
	host__mutex_lock(&call->vcpu->mutex);
	r = row->fn(call);
	host__mutex_unlock(&call->vcpu->mutex);
	return r;
}

static s64 call_with_structure(const struct api_row *row, struct api_call *call)
{
	u64 small[STACK_ARGUMENT / 8];
	s64 r;

	call->data = small;
	if (row->size > sizeof(small)) {
		call->data = host__alloc(row->size);
		if (!call->data)
			return -ENOMEM;
	}
	r = 0;
	if (row->argument & API_IN)
		r = host__copy_from_user(call->data, call->arg, row->size);
	else
		memset(call->data, 0, row->size);
	if (!r)
		r = call_locked(row, call);
	if (r >= 0 && (row->argument & API_OUT) &&
	    host__copy_to_user(call->arg, call->data, row->size))
		r = -EFAULT;
	if (call->data != small)
		host__free(call->data);
	return r;
}

s64 api__ioctl(struct api_object *object, u32 request, u64 arg, struct api_object *created)
{
	const struct api_row *row = find_row(object, request);
	struct api_call call = {
		.object = object,
		.created = created,
		.engine = object->engine,
		.vm = object->vm,
		.vcpu = object->vcpu,
		.arg = arg,
	};

	created->kind = API_NONE;
	if (!row)
		return -ENOTTY;
	if (row->argument == API_ZERO && arg)
		return -EINVAL;
	if (row->argument & API_INOUT)
		return call_with_structure(row, &call);
	return call_locked(row, &call);
}

void api__release(struct api_object *object)
{
	/* A vCPU lives as long as its machine, which every descriptor of either keeps. */
	if (object->kind == API_VM || object->kind == API_VCPU)
		vm__put(object->vm);
	object->kind = API_NONE;
}
