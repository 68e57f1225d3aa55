/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machine checks that user space raises (api.rst 4.104 to 4.106; SDM vol. 3 ch. 15). */
#include "core/api/table.h"
#include "include/x86/exception.h"

#define MCE_MAX_BANKS 32
#define MCG_BANKS 0xffULL
#define MCG_CTL_P BIT64(8)
#define MCG_SER_P BIT64(24)
#define MCG_EXT_CNT 0xff0000ULL
#define MCG_STATUS_MCIP BIT64(2)
#define MCI_STATUS_VAL BIT64(63)
#define MCI_STATUS_OVER BIT64(62)
#define MCI_STATUS_UC BIT64(61)

enum bank_register { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC };

s64 api__get_mce_cap(struct api_call *call)
{
	*(u64 *)call->data = MCG_CTL_P | MCG_SER_P;
	return 0;
}

s64 api__setup_mce(struct api_call *call)
{
	struct x86_msrs *msrs = &call->vcpu->msrs;
	u64 cap = *(const u64 *)call->data;
	u32 banks = cap & MCG_BANKS, i;

	if (!banks || banks > MCE_MAX_BANKS ||
	    (cap & ~(MCG_CTL_P | MCG_SER_P | MCG_BANKS | MCG_EXT_CNT)))
		return -EINVAL;
	msrs->mcg_cap = cap;
	if (cap & MCG_CTL_P)
		msrs->mcg_ctl = ~0ULL;
	for (i = 0; i < banks; i++)
		msrs->mc_ctl[i][BANK_CTL] = ~0ULL;
	return 0;
}

static void log_in_bank(u64 *bank, const struct kvm_x86_mce *mce)
{
	u64 over = bank[BANK_STATUS] & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0;

	bank[BANK_STATUS] = mce->status | over;
	bank[BANK_ADDR] = mce->addr;
	bank[BANK_MISC] = mce->misc;
}

/* An uncorrected error: #MC, or shutdown when the guest can't take it. */
static void raise_uncorrected(struct vcpu *vcpu, u64 *bank, const struct kvm_x86_mce *mce)
{
	if ((vcpu->msrs.mcg_status & MCG_STATUS_MCIP) || !(vcpu->cpu.cr4 & CR4_MCE)) {
		vcpu__request(vcpu, REQ_TRIPLE_FAULT);
		return;
	}
	log_in_bank(bank, mce);
	vcpu->msrs.mcg_status = mce->mcg_status;
	vcpu->exception = (struct vcpu_exception){ .pending = true, .trap = true, .vector = X86_MC };
	vcpu__request(vcpu, REQ_EVENT);
}

s64 api__set_mce(struct api_call *call)
{
	const struct kvm_x86_mce *mce = call->data;
	struct x86_msrs *msrs = &call->vcpu->msrs;
	u64 *bank;

	if (mce->bank >= (msrs->mcg_cap & MCG_BANKS) || !(mce->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = msrs->mc_ctl[mce->bank];
	if (mce->status & MCI_STATUS_UC) {
		/* Reporting may be switched off as a whole or for the bank. */
		if (((msrs->mcg_cap & MCG_CTL_P) && msrs->mcg_ctl != ~0ULL) ||
		    bank[BANK_CTL] != ~0ULL)
			return 0;
		raise_uncorrected(call->vcpu, bank, mce);
	} else if (!(bank[BANK_STATUS] & MCI_STATUS_VAL) || !(bank[BANK_STATUS] & MCI_STATUS_UC)) {
		log_in_bank(bank, mce);
	} else {
		bank[BANK_STATUS] |= MCI_STATUS_OVER;
	}
	return 0;
}
