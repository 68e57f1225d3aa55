# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks in which an engine is known to differ from the manuals: the guest is right, it is wrong.

Nothing of trivet's own engines belongs here.
"""
from fnmatch import fnmatchcase

# engine: [(guest, check, reason)]; * and ? as in file names
KNOWN_WRONG = {
    "tcg": [
        # SDM vol. 3, 4.7: "bit 3 of the error code can be set only if bit 0 is also set".
        ("paging", "*NX reserved", "QEMU reports reserved bits without P in the error code"),
        ("paging", "address bit 51 reserved *",
         "QEMU reports reserved bits without P in the error code"),
        ("paging", "PS at level 4", "QEMU reports reserved bits without P in the error code"),
        ("paging", "* low address bits reserved",
         "QEMU reports reserved bits without P in the error code"),
        # SDM vol. 3, 4.7: W/R is 1 for writes; a locked read-modify-write is one.
        ("paging", "crossing locked RMW*", "QEMU reports the read half of a locked access"),
        # SDM vol. 1, 3.3.7.1: #SS for references that use the stack segment.
        ("paging", "non-canonical push", "QEMU raises #GP where the stack is addressed"),
        ("paging", "non-canonical read through RBP",
         "QEMU raises #GP where the stack is addressed"),
    ],
}


def reason(engine, guest, check):
    for where, pattern, why in KNOWN_WRONG.get(engine, []):
        if where == guest and fnmatchcase(check, pattern):
            return why
    return None
