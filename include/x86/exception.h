/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exception vectors and the page-fault error code (APM vol. 2, 8.2; SDM vol. 3, 6.3). */
#ifndef X86_EXCEPTION_H
#define X86_EXCEPTION_H

#include "base/types.h"

enum x86_vector {
	X86_DE = 0,
	X86_DB = 1,
	X86_NMI = 2,
	X86_BP = 3,
	X86_OF = 4,
	X86_BR = 5,
	X86_UD = 6,
	X86_NM = 7,
	X86_DF = 8,
	X86_TS = 10,
	X86_NP = 11,
	X86_SS_FAULT = 12,
	X86_GP = 13,
	X86_PF = 14,
	X86_MF = 16,
	X86_AC = 17,
	X86_MC = 18,
	X86_XM = 19,
};

#define PFERR_PRESENT BIT64(0)
#define PFERR_WRITE BIT64(1)
#define PFERR_USER BIT64(2)
#define PFERR_RSVD BIT64(3)
#define PFERR_FETCH BIT64(4)
#define PFERR_PK BIT64(5)

#endif
