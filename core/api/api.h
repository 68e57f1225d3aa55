/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM API: one call per request of ioctl(2) on a system, VM or vCPU descriptor. The host turns
 * descriptors into struct api_object and back; everything else about a request is here.
 */
#ifndef CORE_API_API_H
#define CORE_API_API_H

#include "core/engine.h"
#include "core/host.h"

struct vm;
struct vcpu;

/* Bytes that mmap(2) of a vCPU descriptor gives: struct kvm_run, PIO data, coalesced MMIO ring. */
#define API_VCPU_PAGES 3
#define API_VCPU_MMAP_SIZE (API_VCPU_PAGES * 4096)

enum api_kind { API_NONE, API_SYSTEM, API_VM, API_VCPU };

/* What a descriptor stands for. It owns a reference on its machine: api__release(). */
struct api_object {
	enum api_kind kind;
	const struct engine_ops *engine;
	struct engine_config config; /* API_SYSTEM: of the machines that it makes */
	struct vm *vm;	   /* API_VM and API_VCPU */
	struct vcpu *vcpu; /* API_VCPU */
};

/*
 * Does one request. Returns what ioctl(2) returns, or a negative errno. When the request made a new
 * object (KVM_CREATE_VM, KVM_CREATE_VCPU), created->kind is not API_NONE: the host publishes a
 * descriptor for it and returns that, or calls api__release() if it can't.
 *
 * Any thread; two requests on one vCPU wait for each other.
 */
s64 api__ioctl(struct api_object *object, u32 request, u64 arg, struct api_object *created);

/* The descriptor of the object was closed. */
void api__release(struct api_object *object);

#endif
