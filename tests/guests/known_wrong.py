# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks in which an engine is known to differ from the manuals: the guest is right, it is wrong.

Nothing of trivet's own engines belongs here.
"""
from fnmatch import fnmatchcase

# engine: [(guest, check, reason)]; * and ? as in file names
KNOWN_WRONG = {
    "kvm": [
        # APM vol. 2, 15.25.10: with nested paging the pointers are read at each walk.
        ("paging32", "PAE: pointers are registers", "AMD's nested paging has none"),
        ("paging32", "PAE: reserved bit in a pointer", "AMD's nested paging has none"),
    ],
    "tcg": [
        # SDM vol. 3, 4.7: "bit 3 of the error code can be set only if bit 0 is also set".
        ("paging", "*NX reserved", "QEMU reports reserved bits without P in the error code"),
        ("paging", "address bit 51 reserved *",
         "QEMU reports reserved bits without P in the error code"),
        ("paging", "PS at level 4", "QEMU reports reserved bits without P in the error code"),
        ("paging", "* low address bits reserved",
         "QEMU reports reserved bits without P in the error code"),
        ("paging5", "top entry with PS", "QEMU reports reserved bits without P in the error code"),
        ("paging5", "top entry with address bit 51",
         "QEMU reports reserved bits without P in the error code"),
        # SDM vol. 2, WRMSR, LGDT, LLDT, WRFSBASE: #GP for what is not canonical.
        ("paging5", "? levels: * of 58 bits", "QEMU does not check the address"),
        # SDM vol. 3, 4.7: W/R is 1 for writes; a locked read-modify-write is one.
        ("paging", "crossing locked RMW*", "QEMU reports the read half of a locked access"),
        # SDM vol. 1, 3.3.7.1: #SS for references that use the stack segment.
        ("paging", "non-canonical push", "QEMU raises #GP where the stack is addressed"),
        ("paging", "push over the canonical end*", "QEMU raises #GP where the stack is addressed"),
        ("paging", "read over the canonical end, from*", "QEMU meets the absent page first"),
        ("paging", "non-canonical read through RBP",
         "QEMU raises #GP where the stack is addressed"),
        ("paging5", "push before the upper half", "QEMU raises #GP where the stack is addressed"),
        # SDM vol. 2, LOCK: #UD for instructions other than those it lists.
        ("exceptions", "LOCK MOV*", "QEMU ignores the prefix"),
        ("exceptions", "group 11 /1*", "QEMU decodes only /0 and /7, and those too broadly"),
        ("exceptions", "CR8: 16*", "QEMU masks the value"),
        ("exceptions", "EFER: reserved bit 1*", "QEMU ignores reserved bits"),
        ("exceptions", "RDMSR of no MSR*", "QEMU knows no unknown MSR"),
        ("exceptions", "null SS with RPL 3 at CPL 0*", "QEMU does not compare RPL with CPL"),
        ("exceptions", "far return to CS with L and D*", "QEMU does not check D with L"),
        # SDM vol. 3, 6.13: the index is the vector, times 8 in the error code, in all modes.
        ("exceptions", "INT through a* gate", "QEMU takes the vector times 16 in long mode"),
        ("exceptions", "INT* through an absent gate",
         "QEMU takes the vector times 16 in long mode"),
        ("exceptions", "#UD through an absent gate", "QEMU takes the vector times 16 and no EXT"),
        ("exceptions", "CPL 3: INT to a DPL 0 gate",
         "QEMU takes the vector times 16 in long mode"),
        ("exceptions", "#UD on a non-canonical stack",
         "QEMU raises #GP where the stack is addressed"),
        ("exceptions", "CPL 3: INT1 whatever the DPL", "QEMU treats it as a privileged instruction"),
        ("exceptions", "CPL 3: XSETBV without OSXSAVE", "QEMU checks the privilege first"),
        ("exceptions", "misaligned*, AM and AC", "QEMU has no alignment checks"),
        # SDM vol. 3, 10.5.1: bits 12, 16 and 0-7 exist; 10.4.7.2: disabling masks the LVT.
        ("apic", "LVT error: bits that exist", "QEMU keeps what is written"),
        ("apic", "software disable masks the LVT", "QEMU does not mask it"),
        ("apic", "the LVT stays masked while disabled", "QEMU does not mask it"),
        # QEMU drops translations before the store: the other CPU can translate the old bytes again.
        ("selfmod", "the patching CPU sees its patches", "QEMU races with the other CPU"),
        ("selfmod", "the other CPU sees them after it was told",
         "QEMU races with the patching CPU"),
        ("bounds", "*the TPR is written", "QEMU looks at the end of a translated block"),
        ("bounds", "behind the write of the TPR", "QEMU looks at the end of a translated block"),
        # SDM vol. 2, STI: the instruction behind it ends the shadow, a jump or INT, too.
        ("shadows", "*STI; JZ taken", "QEMU keeps the shadow at the target"),
        ("shadows", "STI; INT through a trap gate", "QEMU keeps the shadow in the handler"),
        ("shadows", "sent: none *", "QEMU keeps the shadow over the jump back, and MOV SS makes no new one then"),
        ("crossmod", "*: * changes by each", "QEMU races with the patching CPU"),
        # A processor executes what this program has written (tests/guests/long/ways.c says where).
        ("ways", "written by itself, *", "QEMU executes old code of a block on two pages"),
        ("ways", "another CPU changed it, *", "QEMU executes old code of a block on two pages"),
        ("syscall", "SYSCALL: RFLAGS", "QEMU loses the arithmetic flags"),
        ("syscall", "SYSCALL: empty mask", "QEMU loses the arithmetic flags"),
        ("sysret", "*: RFLAGS behind SYSCALL", "QEMU loses the arithmetic flags"),
        ("sysret", "alignment is checked*", "QEMU has no alignment checks"),
        ("syscall", "SYSRETQ arrives", "QEMU takes VM from R11"),
        ("syscall", "SYSRETQ: flags without RF and VM", "QEMU takes them from R11"),
        ("syscall", "MSR * non-canonical", "QEMU does not check the address"),
        ("syscall", "PAT with a reserved type", "QEMU does not check the types"),
        ("syscall", "TSC_AUX has 32 bits", "QEMU does not check the upper half"),
        ("syscall", "WRFSBASE non-canonical*", "QEMU does not check the address"),
        # SDM vol. 3, 5.3 and 5.4: limits and types are checked.
        ("gates", "*limit*", "QEMU checks no segment limits"),
        ("gates", "offset -1*", "QEMU checks no segment limits"),
        ("gates", "*expand-down*", "QEMU checks no segment limits"),
        ("gates", "write to a *", "QEMU checks no segment types on accesses"),
        ("gates", "write through CS*", "QEMU checks no segment types on accesses"),
        ("gates", "use of a null segment*", "QEMU checks no null segments on accesses"),
        ("tasks", "T bit: *", "QEMU ignores the T bit"),
        ("tasks", "EIP is the new task's", "QEMU reports it with the EIP of the old task"),
        # SDM vol. 3, 7.3: the new state is loaded before what it names is checked.
        ("tasks16", "switch to a task with *: IP is its own",
         "QEMU reports it with the IP of the old task"),
        # SDM vol. 2, SYSENTER, SYSEXIT: bits 2-15 are looked at.
        ("sysenter", "SYSENTER with CS 3*", "QEMU takes 3 for a selector that is not null"),
        ("sysenter", "SYSENTER with a null CS at CPL 0*",
         "QEMU takes 3 for a selector that is not null"),
        ("sysenter", "SYSEXIT with a null CS*", "QEMU takes 3 for a selector that is not null"),
        # SDM vol. 2, CALL: CS(RPL) := CPL; RET: #SS(selector) for an absent SS, RIP is checked.
        ("callgate", "conforming code runs at the caller's level", "QEMU takes the DPL"),
        ("callgate", "RET to CPL 3 with an absent SS", "QEMU raises #NP"),
        ("callgate", "RET to a non-canonical address: at CPL 0", "QEMU faults at the target"),
        ("targets", "*: no address", "QEMU faults at the target"),
        ("v86", "word at FFFFH", "QEMU checks no segment limits"),
        ("v86", "byte at 10000H", "QEMU checks no segment limits"),
        ("v86", "PUSH at SP 1", "QEMU checks no segment limits"),
        ("v86", "jump over 64 KiB", "QEMU checks no segment limits"),
        ("paging32", "*reserved", "QEMU reports reserved bits without P in the error code"),
        ("paging32", "PAE: NX without NXE",
         "QEMU reports reserved bits without P in the error code"),
        # SDM vol. 3, 4.4.1: MOV CR3 loads and checks the four pointers.
        ("paging32", "PAE: pointers are registers", "QEMU reads them at each walk"),
        ("paging32", "PAE: reserved bit in a pointer", "QEMU does not check them"),
        ("debug", "general detect*", "QEMU ignores DR7.GD"),
        # SDM vol. 3, 2.3: faults other than instruction breakpoints save RF as 1.
        ("debug", "RF in the flags a fault saves", "QEMU never sets RF for faults"),
        ("debug", "execution breakpoint behind MOV SS", "QEMU does not suppress it"),
        ("debug", "step and data breakpoint: one trap", "QEMU makes two"),
        ("debug", "data breakpoint at MOV SS: one instruction late", "QEMU does not put it off"),
        # SDM vol. 1, 11.5, 10.2.3, 8.1.5, 8.5.1, 8.7; vol. 3, 2.5, 13.5.
        ("vectors", "*reserved*bit*", "QEMU takes any MXCSR"),
        ("vectors", "refused images change nothing", "QEMU takes any MXCSR"),
        ("vectors", "MMX write: exponent all ones", "QEMU leaves the exponent alone"),
        ("vectors", "TS: XSAVE*", "QEMU does not look at TS there"),
        ("vectors", "SSE *", "QEMU has no unmasked SSE exceptions and no DE flag"),
        ("loops", "division by 0*", "QEMU has no unmasked SSE exceptions"),
        ("loops", "taken away, *", "QEMU says of an increment that it was a read"),
        ("vectors", "VDIVPD by zero*", "QEMU has no unmasked SSE exceptions"),
        ("vectors", "CVTTSD2SI of*", "QEMU has no unmasked SSE exceptions"),
        ("vectors", "COMISD of a quiet NaN", "QEMU has no unmasked SSE exceptions"),
        ("vectors", "x87: *", "QEMU raises #MF for FWAIT only, and has no stack faults"),
        # Intel 231164 (8254), mode definitions, read-back and BCD; MC146818 data sheet.
        ("timers", "mode [0-5]: *", "QEMU's counters count whatever the gate says"),
        ("timers", "mode 6 is mode 2", "QEMU keeps the number as it is"),
        ("timers", "null count until*", "QEMU has no null count"),
        ("timers", "low byte alone*", "QEMU's counters count whatever the gate says"),
        ("timers", "high byte alone", "QEMU's counters count whatever the gate says"),
        ("timers", "both bytes: *", "QEMU's counters count whatever the gate says"),
        ("timers", "a second latch*", "QEMU's counters count whatever the gate says"),
        ("timers", "count 0*", "QEMU's counters count whatever the gate says"),
        ("timers", "BCD counts", "QEMU counts in binary"),
        ("timers", "RTC: no more until*", "QEMU sends an edge each time, high or not"),
        ("timers", "RTC, leap day*", "QEMU takes the alarm's half of the day from the time's"),
    ],
}


def reason(engine, guest, check):
    for where, pattern, why in KNOWN_WRONG.get(engine, []):
        if where == guest and fnmatchcase(check, pattern):
            return why
    return None
