/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MSR table's row, and the functions behind rows that are more than storage. */
#ifndef CORE_X86_MSR_ROWS_H
#define CORE_X86_MSR_ROWS_H

#include "base/types.h"
#include "core/vm/vm.h"
#include "include/x86/msr.h"

/* 0, or 1: #GP(0). host: KVM_GET_MSRS / KVM_SET_MSRS. */
typedef int msr_read_fn(struct vcpu *vcpu, u32 msr, bool host, u64 *value);
typedef int msr_write_fn(struct vcpu *vcpu, u32 msr, bool host, u64 value);

#define MSR_NO_FIELD 0

/* row.flags */
#define MSR_READ_ONLY 1	   /* the guest's writes are #GP; user space writes the field, if any */
#define MSR_WRITE_IGNORED 2 /* writes do nothing */
#define MSR_CANONICAL 4	   /* a non-canonical value is #GP */
#define MSR_SIGN_EXTENDED 8 /* a non-canonical value is made canonical */
#define MSR_ONLY_AMD 16	   /* absent from an Intel guest */
#define MSR_ONLY_INTEL 32  /* absent from an AMD guest */

/*
 * One MSR, or a run of alike ones. Rules for the guest; user space may reach MSRs that this guest
 * does not have.
 */
struct msr_row {
	u32 first;
	u32 last; /* 0: same as first */
	u32 field; /* offset of a u64 in struct vcpu, or MSR_NO_FIELD: reads as `fixed` */
	u8 flags;
	u64 fixed;
	u64 defined; /* bits that a write to the field may set; others are #GP */
	msr_read_fn *read; /* overrides the field */
	msr_write_fn *write;
};


/* msr_mtrr.c */
msr_read_fn msr_mtrr__read;
msr_write_fn msr_mtrr__write;
msr_write_fn msr_pat__write;

/* msr_mce.c */
msr_read_fn msr_mce__read;
msr_write_fn msr_mce__write;

/* msr_kvm.c */
msr_read_fn msr_kvm__read;
msr_write_fn msr_kvm__write;

/* msr_speculation.c */
msr_read_fn msr_spec_ctrl__read;
msr_write_fn msr_spec_ctrl__write;
msr_read_fn msr_pred_cmd__read;
msr_write_fn msr_pred_cmd__write;
msr_read_fn msr_virt_spec_ctrl__read;
msr_write_fn msr_virt_spec_ctrl__write;
msr_read_fn msr_arch_capabilities__read;

#endif
