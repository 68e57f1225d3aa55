/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of requests: one row each, for the three kinds of descriptors. */
#ifndef CORE_API_TABLE_H
#define CORE_API_TABLE_H

#include <linux/kvm.h>
#include "core/api/api.h"
#include "core/vm/vm.h"

/* One request being done. */
struct api_call {
	struct api_object *object;
	struct api_object *created;
	const struct engine_ops *engine;
	struct vm *vm;	   /* NULL on the system descriptor */
	struct vcpu *vcpu; /* NULL but on a vCPU descriptor, whose mutex is then held */
	u64 arg;	   /* as given: a number or an address in the caller's memory */
	void *data;	   /* the argument structure, copied in (API_IN) or zeroed; core memory */
};

/*
 * What the argument is. The direction is not taken from the request number, because some of KVM's
 * say the opposite of what they do.
 */
enum api_argument {
	API_NUMBER = 0, /* the argument itself; the row's function checks it */
	API_ZERO = 1,	/* must be 0 */
	API_IN = 2,	/* a structure that is read */
	API_OUT = 4,	/* a structure that is written, if the function returned no error */
	API_INOUT = API_IN | API_OUT,
	API_OWN = 8, /* the function copies: variable length, or partial answers on errors */
};

struct api_row {
	u32 request;
	const char *name;
	u32 argument; /* enum api_argument */
	u32 size;     /* bytes of the structure */
	s64 (*fn)(struct api_call *call);
};

struct api_table {
	const struct api_row *rows;
	unsigned count;
};

extern const struct api_table api_system_table; /* system.c */
extern const struct api_table api_vm_table;	/* vm.c */
extern const struct api_table api_vcpu_table;	/* vcpu.c */

#define API_ROW(request, argument, fn)                                                             \
	{                                                                                          \
		request, #request, argument, _IOC_SIZE(request), fn                                \
	}

/* capability.c */
s64 api__check_extension(struct vm *vm, u64 cap);
s64 api__enable_vm_cap(struct api_call *call);

/* vm_memory.c, vm_clock.c, vm_irqchip.c */
s64 api__set_user_memory_region(struct api_call *call);
s64 api__get_dirty_log(struct api_call *call);
s64 api__clear_dirty_log(struct api_call *call);
s64 api__written(struct api_call *call);
s64 api__get_clock(struct api_call *call);
s64 api__set_clock(struct api_call *call);
s64 api__set_tsc_khz(struct api_call *call);
s64 api__get_tsc_khz(struct api_call *call);
s64 api__create_irqchip(struct api_call *call);
s64 api__irq_line(struct api_call *call);
s64 api__irq_line_status(struct api_call *call);
s64 api__get_irqchip(struct api_call *call);
s64 api__set_irqchip(struct api_call *call);
s64 api__create_pit(struct api_call *call);
s64 api__create_pit2(struct api_call *call);
s64 api__get_pit(struct api_call *call);
s64 api__set_pit(struct api_call *call);
s64 api__get_pit2(struct api_call *call);
s64 api__set_pit2(struct api_call *call);
s64 api__reinject_control(struct api_call *call);
s64 api__set_gsi_routing(struct api_call *call);
s64 api__signal_msi(struct api_call *call);
s64 api__irqfd(struct api_call *call);
s64 api__ioeventfd(struct api_call *call);
s64 api__register_coalesced(struct api_call *call);
s64 api__unregister_coalesced(struct api_call *call);

/* vcpu_regs.c */
void vcpu__get_regs(struct vcpu *vcpu, struct kvm_regs *regs);
void vcpu__set_regs(struct vcpu *vcpu, const struct kvm_regs *regs);
s64 api__get_regs(struct api_call *call);
s64 api__set_regs(struct api_call *call);
s64 api__get_debugregs(struct api_call *call);
s64 api__set_debugregs(struct api_call *call);
s64 api__translate(struct api_call *call);

/* vcpu_sregs.c */
void vcpu__get_sregs(struct vcpu *vcpu, struct kvm_sregs *sregs);
int vcpu__set_sregs(struct vcpu *vcpu, const struct kvm_sregs *sregs);
s64 api__get_sregs(struct api_call *call);
s64 api__set_sregs(struct api_call *call);
s64 api__get_sregs2(struct api_call *call);
s64 api__set_sregs2(struct api_call *call);

/* vcpu_fpu.c */
s64 api__get_fpu(struct api_call *call);
s64 api__set_fpu(struct api_call *call);
s64 api__get_xsave(struct api_call *call);
s64 api__set_xsave(struct api_call *call);
s64 api__get_xcrs(struct api_call *call);
s64 api__set_xcrs(struct api_call *call);

/* vcpu_events.c */
void vcpu__get_events(struct vcpu *vcpu, struct kvm_vcpu_events *events);
int vcpu__set_events(struct vcpu *vcpu, const struct kvm_vcpu_events *events);
s64 api__get_vcpu_events(struct api_call *call);
s64 api__set_vcpu_events(struct api_call *call);
s64 api__interrupt(struct api_call *call);
s64 api__nmi(struct api_call *call);
s64 api__get_mp_state(struct api_call *call);
s64 api__set_mp_state(struct api_call *call);
s64 api__set_guest_debug(struct api_call *call);

/* vcpu_msrs.c */
s64 api__get_msrs(struct api_call *call);
s64 api__set_msrs(struct api_call *call);
s64 api__get_feature_msrs(struct api_call *call);
s64 api__get_msr_index_list(struct api_call *call);
s64 api__get_msr_feature_list(struct api_call *call);
s64 api__set_msr_filter(struct api_call *call);

/* vcpu_cpuid.c */
s64 api__get_supported_cpuid(struct api_call *call);
s64 api__get_emulated_cpuid(struct api_call *call);
s64 api__set_cpuid(struct api_call *call);
s64 api__set_cpuid2(struct api_call *call);
s64 api__get_cpuid2(struct api_call *call);

/* vcpu_mce.c */
s64 api__get_mce_cap(struct api_call *call);
s64 api__setup_mce(struct api_call *call);
s64 api__set_mce(struct api_call *call);

/* vcpu_run.c */
s64 api__run(struct api_call *call);
s64 api__set_signal_mask(struct api_call *call);

/* XCR0 bits that a guest of this engine on this host can be given. */
u64 api__supported_xcr0(void);

#endif
