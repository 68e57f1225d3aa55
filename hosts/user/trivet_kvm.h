/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM API in user space: what open("/dev/kvm"), ioctl(2), mmap(2) and close(2) are to the
 * kernel's KVM, with the same request numbers, structures and errors.
 *
 * Descriptors are real file descriptors (memfds), so they are unique in the process, can be
 * mapped with mmap(2) (the vCPU's struct kvm_run and PIO page), and are inherited or closed on
 * exec like others; but they answer requests only through these functions.
 */
#ifndef HOSTS_USER_TRIVET_KVM_H
#define HOSTS_USER_TRIVET_KVM_H

/* As open("/dev/kvm", O_RDWR | O_CLOEXEC). A descriptor, or -1 with errno. */
int trivet_kvm_open(void);

/* What to ask of the engine; all 0: nothing, as trivet_kvm_open(). See docs/soft-engine.md. */
struct trivet_kvm_options {
	/*
	 * Not 0: the interpreter beside the translator, compared. Blocks that have been compared 1000
	 * times are compared every so many times only: 1 is always.
	 */
	unsigned check;
	unsigned perf_map;	   /* not 0: names of generated code for perf, /tmp/perf-PID.map */
	unsigned has_dump;	   /* not 0: each translation of the code at the address `dump`, ... */
	unsigned long long dump;   /* ... guest-linear or guest-physical, on standard error */
	unsigned long long memory; /* bytes for translation, of all vCPUs of a VM; 0: the default */
};

/* As trivet_kvm_open(), for machines with these options. EINVAL: a value is out of range. */
int trivet_kvm_open_with(const struct trivet_kvm_options *options);

/* The bounds of trivet_kvm_options.memory. */
#define TRIVET_KVM_MEMORY_LEAST (16ULL << 20)
#define TRIVET_KVM_MEMORY_MOST (1ULL << 40)

/*
 * Counters of a VM and its vCPUs, a line each: "NAME VALUE" for all vCPUs together, then
 * "vcpuN.NAME VALUE" (docs/soft-engine.md). Returns the length of the text without the NUL; what does
 * not fit into size is cut off, as with snprintf(3). -1 with errno: EBADF, not a VM. Any thread, also
 * while vCPUs run.
 */
int trivet_kvm_counters(int vm, char *text, unsigned size);

/* As ioctl(fd, request, arg). -1 with errno on failure. EBADF: not one of ours. */
int trivet_kvm_ioctl(int fd, unsigned long request, unsigned long arg);

/* As close(fd). */
int trivet_kvm_close(int fd);

#endif
