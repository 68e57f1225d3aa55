/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The KVM API in user space: descriptors, and the way from one to its object. */
#include "hosts/user/trivet_kvm.h"
#include "core/host.h"
#include <errno.h>
#include <linux/memfd.h>
#include "core/api/api.h"
#include "engines/soft/soft.h"
#include "hosts/user/counters.h"
#include "hosts/user/perf_map.h"
#include "hosts/user/syscall.h"
#include "hosts/user/vcpu_thread.h"

#define MAX_DESCRIPTORS (1u << 20) /* the kernel's usual limit of a process (fs.nr_open) */

/*
 * What a descriptor stands for. Entries are never freed, only used again, so that a look-up may
 * touch one that is being closed; `refs` counts the table's reference and the requests under way,
 * and is 0 while the entry is unused.
 */
struct descriptor {
	struct api_object object;
	u32 refs;		 /* atomic */
	struct descriptor *next; /* in the free list, guarded by lock */
};

static struct host_mutex lock;	   /* the table's writers and the free list */
static struct descriptor **table;  /* by number; sparse */
static struct descriptor *unused;
static bool engine_ready;

static int fail(int error)
{
	errno = error;
	return -1;
}

/* ---- the table ---- */

static struct descriptor *get(int fd)
{
	struct descriptor *d;
	u32 refs;

	if (fd < 0 || fd >= (int)MAX_DESCRIPTORS || !table)
		return NULL;
	d = __atomic_load_n(&table[fd], __ATOMIC_ACQUIRE);
	if (!d)
		return NULL;
	refs = __atomic_load_n(&d->refs, __ATOMIC_RELAXED);
	do {
		if (!refs)
			return NULL;
	} while (!__atomic_compare_exchange_n(&d->refs, &refs, refs + 1, false, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return d;
}

static void put(struct descriptor *d)
{
	if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
		return;
	api__release(&d->object);
	host__mutex_lock(&lock);
	d->next = unused;
	unused = d;
	host__mutex_unlock(&lock);
}

/* As get(), sure that the entry is still this descriptor's. */
static struct descriptor *look_up(int fd)
{
	struct descriptor *d = get(fd);

	if (d && __atomic_load_n(&table[fd], __ATOMIC_ACQUIRE) != d) {
		put(d);
		return NULL;
	}
	return d;
}

static struct descriptor *take_unused(void)
{
	struct descriptor *d = unused;

	if (d)
		unused = d->next;
	else
		d = host__alloc(sizeof(*d));
	return d;
}

/* Makes fd stand for the object. 0 or -errno; the object is then still the caller's. */
static int publish(int fd, const struct api_object *object)
{
	struct descriptor *d, *stale = NULL;

	if (fd < 0 || fd >= (int)MAX_DESCRIPTORS)
		return -EMFILE;
	host__mutex_lock(&lock);
	d = take_unused();
	if (d) {
		d->object = *object;
		__atomic_store_n(&d->refs, 1, __ATOMIC_RELEASE);
		/* Something here before was closed behind our back. */
		stale = __atomic_exchange_n(&table[fd], d, __ATOMIC_ACQ_REL);
	}
	host__mutex_unlock(&lock);
	if (stale)
		put(stale);
	return d ? 0 : -ENOMEM;
}

/* ---- descriptors for new objects ---- */

static int new_fd(const struct api_object *object)
{
	if (object->kind == API_VCPU)
		return host_vcpu__take_fd(object->vcpu);
	return RAW_SYSCALL(SYS_memfd_create, object->kind == API_VM ? "trivet-vm" : "trivet-kvm",
			   MFD_CLOEXEC);
}

static int publish_new(struct api_object *object)
{
	int fd = new_fd(object);
	int rc = fd < 0 ? fd : publish(fd, object);

	if (!rc)
		return fd;
	if (fd >= 0)
		RAW_SYSCALL(SYS_close, fd);
	api__release(object);
	return fail(-rc);
}

/* ---- the API ---- */

static int set_up(void)
{
	const char *why = NULL;
	int rc = 0;

	host__mutex_lock(&lock);
	if (!table)
		table = host__alloc_sparse(MAX_DESCRIPTORS * sizeof(*table));
	if (!table) {
		rc = -ENOMEM;
	} else if (!engine_ready) {
		rc = soft_engine.setup ? soft_engine.setup(&why) : 0;
		engine_ready = !rc;
		if (rc)
			host__log("the soft engine can't be used: %s", why ? why : "no reason");
	}
	host__mutex_unlock(&lock);
	return rc;
}

int trivet_kvm_open_with(const struct trivet_kvm_options *options)
{
	struct api_object object = {
		.kind = API_SYSTEM,
		.engine = &soft_engine,
		.config = {
			.check = options->check,
			.has_dump = options->has_dump,
			.dump = options->dump,
			.memory = options->memory,
		},
	};
	int rc;

	if (options->memory && (options->memory < TRIVET_KVM_MEMORY_LEAST ||
				options->memory > TRIVET_KVM_MEMORY_MOST))
		return fail(EINVAL);
	rc = set_up();
	if (!rc && options->perf_map) {
		object.config.perf_map = perf_map__file();
		if (object.config.perf_map < 0)
			rc = object.config.perf_map;
	}
	return rc ? fail(-rc) : publish_new(&object);
}

int trivet_kvm_open(void)
{
	const struct trivet_kvm_options none = { 0 };

	return trivet_kvm_open_with(&none);
}

int trivet_kvm_ioctl(int fd, unsigned long request, unsigned long arg)
{
	struct descriptor *d = look_up(fd);
	struct api_object created;
	s64 r;

	if (!d)
		return fail(EBADF);
	r = api__ioctl(&d->object, request, arg, &created);
	if (r >= 0 && created.kind != API_NONE)
		r = publish_new(&created);
	else if (r < 0)
		r = fail(-r);
	put(d);
	return r;
}

int trivet_kvm_counters(int fd, char *text, unsigned size)
{
	struct descriptor *d = look_up(fd);
	int length;

	if (!d)
		return fail(EBADF);
	length = d->object.kind == API_VM ? counters__print(d->object.vm, text, size) : fail(EBADF);
	put(d);
	return length;
}

int trivet_kvm_close(int fd)
{
	struct descriptor *d = NULL;

	host__mutex_lock(&lock);
	if (fd >= 0 && fd < (int)MAX_DESCRIPTORS && table)
		d = __atomic_exchange_n(&table[fd], NULL, __ATOMIC_ACQ_REL);
	host__mutex_unlock(&lock);
	if (!d)
		return fail(EBADF);
	RAW_SYSCALL(SYS_close, fd);
	put(d);
	return 0;
}
