/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The executors of the integer instructions, by name, for the rows of core/decode.
 *
 * How operands reach them:
 * - `forms_*` are indexed [form][log2 of insn->opsize]. An instruction with no explicit operand
 *   (CBW, string instructions, RET, ENTER, ...) stands under FORM_RR of its operand size; its
 *   memory operands are implicit.
 * - insn->dst and insn->src are byte offsets into x86_cpu.gpr. RR: dst, src. RI: dst, imm.
 *   RM: dst register, src memory. MR: dst memory, src register. MI: dst memory, imm.
 *   One-operand instructions: RR with the register in dst, or MR (memory).
 * - insn->imm is sign-extended (or, MOV Iv, full size); ops cut it to the operand size.
 * - insn->reg, insn->rm, insn->vvvv are register numbers; where "by number" is noted below,
 *   these are used and dst/src are not looked at.
 * - insn->seg is the segment of the explicit memory operand; for string sources, XLAT and moffs,
 *   the DS default with the override applied; for [rBP]-based operands the SS default.
 *
 * Not here but in core/emulate/system.h: PUSHF, POPF, CLI, STI, HLT, MOV/PUSH/POP of segment
 * registers, LDS and kin, far transfers, INT, INT3, INTO, IRET, IN, OUT, INS, OUTS, CPUID, RDTSC,
 * RDPID, RDFSBASE and kin, CLAC, STAC, ARPL, LAR, LSL, VERR, VERW.
 */
#ifndef CORE_EMULATE_EXECUTORS_H
#define CORE_EMULATE_EXECUTORS_H

#include "core/decode/insn.h"

#define FORMS(name) extern const struct exec_forms forms_##name
/* One per condition code, in the order of the encoding. */
#define CONDITIONS(X) X(o) X(no) X(b) X(ae) X(e) X(ne) X(be) X(a) X(s) X(ns) X(p) X(np) X(l) X(ge) \
	X(le) X(g)

/* alu.c: all five forms, sizes 1, 2, 4, 8. TEST Eb,Gb is MR (or RR). */
FORMS(add);
FORMS(or);
FORMS(adc);
FORMS(sbb);
FORMS(and);
FORMS(sub);
FORMS(xor);
FORMS(cmp);
FORMS(test); /* RR, RI, MR, MI */
/* One operand: RR, MR. */
FORMS(inc);
FORMS(dec);
FORMS(not);
FORMS(neg);

/* shift.c: count in imm, masked by the executor (D0, D1: imm is 1): RI, MI. */
FORMS(rol);
FORMS(ror);
FORMS(rcl);
FORMS(rcr);
FORMS(shl); /* also /6, its alias */
FORMS(shr);
FORMS(sar);
/* D2, D3: count in CL: RR (register in dst), MR. */
FORMS(rol_cl);
FORMS(ror_cl);
FORMS(rcl_cl);
FORMS(rcr_cl);
FORMS(shl_cl);
FORMS(shr_cl);
FORMS(sar_cl);
/* dst, src, count in imm / in CL: RR, MR of 2, 4, 8 bytes. */
FORMS(shld);
FORMS(shrd);
FORMS(shld_cl);
FORMS(shrd_cl);

/* muldiv.c: one operand (register in dst, or memory): RR, MR; the accumulator is implicit. */
FORMS(mul);
FORMS(imul);
FORMS(div);
FORMS(idiv);
/* dst *= src: RR, RM; dst = src * imm: RR, RM (imm sign-extended). 2, 4, 8 bytes. */
FORMS(imul2);
FORMS(imul3);

/* bit.c: bit number in src: RR, MR (moves the address); in imm: RI, MI. 2, 4, 8 bytes. */
FORMS(bt);
FORMS(bts);
FORMS(btr);
FORMS(btc);
/*
 * RR, RM of 2, 4, 8 bytes. LZCNT and TZCNT test the guest's CPUID themselves and act as BSR and
 * BSF without it: their rows name FEAT_BASE.
 */
FORMS(bsf);
FORMS(bsr);
FORMS(popcnt);
FORMS(lzcnt);
FORMS(tzcnt);
/*
 * RR, RM by the size of the source: 1, 2, 4, 8 (insn->opsize is the source's). The destination is
 * insn->reg by number; the source register is insn->src.
 */
FORMS(crc32);

/* bmi.c: RR, RM (the ModRM operand) of 4, 8 bytes; registers by number: reg, vvvv, rm. */
FORMS(andn);
FORMS(bextr);
FORMS(blsi);
FORMS(blsmsk);
FORMS(blsr);
FORMS(bzhi);
FORMS(mulx);
FORMS(pdep);
FORMS(pext);
FORMS(rorx); /* count in imm */
FORMS(sarx);
FORMS(shlx);
FORMS(shrx);
/* dst, src: RR, RM of 4, 8 bytes. */
FORMS(adcx);
FORMS(adox);

/* move.c */
FORMS(mov);	  /* all five forms; MR also for MOVNTI */
FORMS(mov_moffs); /* RM: accumulator from [imm]; MR: to it. The address is insn->imm */
FORMS(lea);	  /* RM of 2, 4, 8 bytes; no access */
/* RR, RM by the destination's size; the name tells the source's. */
FORMS(movzx8);	/* 2, 4, 8 */
FORMS(movzx16); /* 2, 4, 8 */
FORMS(movsx8);	/* 2, 4, 8 */
FORMS(movsx16); /* 2, 4, 8 */
FORMS(movsxd);	/* 2, 4, 8 */
FORMS(movbe);	/* RM, MR of 2, 4, 8 bytes */
FORMS(bswap);	/* RR, register in dst; 2, 4, 8 */
FORMS(cbw);	/* CBW, CWDE, CDQE by operand size: RR of 2, 4, 8 */
FORMS(cwd);	/* CWD, CDQ, CQO: RR of 2, 4, 8 */
#define DECLARE_CC(cc) FORMS(cmov_##cc); FORMS(set_##cc); FORMS(jcc_##cc);
/*
 * forms_cmov_o ... forms_cmov_g: RR, RM of 2, 4, 8 bytes. forms_set_*: RR, MR of 1 byte.
 * forms_jcc_*: RI by operand size, see branch.c.
 */
CONDITIONS(DECLARE_CC)
#undef DECLARE_CC
exec_fn exec_xlat;
exec_fn exec_lahf;
exec_fn exec_sahf;
exec_fn exec_salc;
exec_fn exec_clc;
exec_fn exec_stc;
exec_fn exec_cmc;
exec_fn exec_cld;
exec_fn exec_std;

/* atomic.c: XCHG RR, MR (always locked); CMPXCHG, XADD RR, MR. Sizes 1, 2, 4, 8. */
FORMS(xchg);
FORMS(cmpxchg);
FORMS(xadd);
exec_fn exec_cmpxchg8b;
exec_fn exec_cmpxchg16b;

/* stack.c: RR (register in dst), MR of 2, 4, 8 bytes; PUSH also RI. */
FORMS(push);
FORMS(pop);
FORMS(pusha); /* RR of 2, 4 */
FORMS(popa);  /* RR of 2, 4 */
FORMS(leave); /* RR of 2, 4, 8 */
FORMS(enter); /* RR of 2, 4, 8: frame size in imm (16 bit), level in imm2 */

/*
 * branch.c: near transfers by operand size (2, 4, 8; 8 in 64-bit code, and only there).
 * Displacements in imm, sign-extended, relative to the next instruction.
 */
FORMS(jmp_rel);	 /* RI */
FORMS(call_rel); /* RI */
FORMS(jmp);	 /* RR (register in dst), MR */
FORMS(call);	 /* RR (register in dst), MR */
FORMS(ret);	 /* RR: C3; RI: C2, bytes to release in imm */
FORMS(loop);	 /* RI; counts in CX, ECX, RCX by address size */
FORMS(loope);
FORMS(loopne);
FORMS(jcxz);

/* string.c: RR by element size; F3/F2 from insn->flags, the source's segment from insn->seg. */
FORMS(movs);
FORMS(stos);
FORMS(lods);
FORMS(scas);
FORMS(cmps);

/* bcd.c; AAM and AAD take their base from imm. */
exec_fn exec_aaa;
exec_fn exec_aas;
exec_fn exec_aam;
exec_fn exec_aad;
exec_fn exec_daa;
exec_fn exec_das;

/* hint.c */
exec_fn exec_nop; /* also PREFETCH*, hint NOPs, ENDBR */
exec_fn exec_pause;
exec_fn exec_ud; /* UD0, UD1, UD2 */
exec_fn exec_lfence;
exec_fn exec_mfence;
exec_fn exec_sfence;
exec_fn exec_clflush; /* also CLFLUSHOPT, CLWB */
exec_fn exec_clzero;
exec_fn exec_rdrand; /* register in dst; opsize 2, 4, 8 */
exec_fn exec_rdseed;
FORMS(bound); /* RM of 2, 4: dst is the index register */

#undef FORMS
#endif
