/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control, flag and segment register layouts (AMD APM vol. 2 ch. 3 and 4; Intel SDM vol. 3 ch. 2). */
#ifndef X86_REGS_H
#define X86_REGS_H

#include "base/types.h"

enum x86_gpr {
	X86_RAX,
	X86_RCX,
	X86_RDX,
	X86_RBX,
	X86_RSP,
	X86_RBP,
	X86_RSI,
	X86_RDI,
	X86_R8,
	X86_R9,
	X86_R10,
	X86_R11,
	X86_R12,
	X86_R13,
	X86_R14,
	X86_R15,
	X86_NR_GPR,
};

/* The order of the sreg field of an instruction. */
enum x86_segreg { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_NR_SEG };

#define RFLAGS_CF BIT64(0)
#define RFLAGS_FIXED BIT64(1)
#define RFLAGS_PF BIT64(2)
#define RFLAGS_AF BIT64(4)
#define RFLAGS_ZF BIT64(6)
#define RFLAGS_SF BIT64(7)
#define RFLAGS_TF BIT64(8)
#define RFLAGS_IF BIT64(9)
#define RFLAGS_DF BIT64(10)
#define RFLAGS_OF BIT64(11)
#define RFLAGS_IOPL_SHIFT 12
#define RFLAGS_IOPL (3ULL << 12)
#define RFLAGS_NT BIT64(14)
#define RFLAGS_RF BIT64(16)
#define RFLAGS_VM BIT64(17)
#define RFLAGS_AC BIT64(18)
#define RFLAGS_VIF BIT64(19)
#define RFLAGS_VIP BIT64(20)
#define RFLAGS_ID BIT64(21)
/* The six flags that arithmetic writes. */
#define RFLAGS_ARITH                                                                               \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

#define CR0_PE BIT64(0)
#define CR0_MP BIT64(1)
#define CR0_EM BIT64(2)
#define CR0_TS BIT64(3)
#define CR0_ET BIT64(4)
#define CR0_NE BIT64(5)
#define CR0_WP BIT64(16)
#define CR0_AM BIT64(18)
#define CR0_NW BIT64(29)
#define CR0_CD BIT64(30)
#define CR0_PG BIT64(31)

#define CR3_PCID_MASK 0xfffULL
#define CR3_NOFLUSH BIT64(63)

#define CR4_VME BIT64(0)
#define CR4_PVI BIT64(1)
#define CR4_TSD BIT64(2)
#define CR4_DE BIT64(3)
#define CR4_PSE BIT64(4)
#define CR4_PAE BIT64(5)
#define CR4_MCE BIT64(6)
#define CR4_PGE BIT64(7)
#define CR4_PCE BIT64(8)
#define CR4_OSFXSR BIT64(9)
#define CR4_OSXMMEXCPT BIT64(10)
#define CR4_UMIP BIT64(11)
#define CR4_LA57 BIT64(12)
#define CR4_FSGSBASE BIT64(16)
#define CR4_PCIDE BIT64(17)
#define CR4_OSXSAVE BIT64(18)
#define CR4_SMEP BIT64(20)
#define CR4_SMAP BIT64(21)
#define CR4_PKE BIT64(22)

#define EFER_SCE BIT64(0)
#define EFER_LME BIT64(8)
#define EFER_LMA BIT64(10)
#define EFER_NX BIT64(11)
#define EFER_SVME BIT64(12)
#define EFER_LMSLE BIT64(13)
#define EFER_FFXSR BIT64(14)
#define EFER_TCE BIT64(15)
#define EFER_AIBRSE BIT64(21)

#define DR6_BS BIT64(14)
#define DR6_BT BIT64(15)
#define DR6_BD BIT64(13)
#define DR6_FIXED 0xffff0ff0ULL
#define DR7_FIXED 0x400ULL
#define DR7_GD BIT64(13)

/* A segment descriptor's type field when S is 1 (APM vol. 2, 4.7). */
#define SEG_TYPE_ACCESSED 1
#define SEG_TYPE_WRITABLE 2 /* data */
#define SEG_TYPE_READABLE 2 /* code */
#define SEG_TYPE_EXPAND_DOWN 4
#define SEG_TYPE_CONFORMING 4
#define SEG_TYPE_CODE 8

#endif
