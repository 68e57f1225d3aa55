#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows translated blocks, guest and host code side by side.

Reads what `trivet run --engine soft,dump=ADDRESS` says on standard error (other lines are passed over)
from a file or standard input; disassembles the host code with objdump.

usage: dump-listing.py [FILE]
"""
import re
import subprocess
import sys
import tempfile

WIDTH = 58


def disassemble(start, code):
    """Lines "address: text" of host code at an address."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(code)
        file.flush()
        text = subprocess.run(["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "--no-show-raw-insn",
                               "--adjust-vma=%#x" % start, file.name],
                              check=True, capture_output=True, text=True).stdout
    return ["%s: %s" % found for found in re.findall(r"^\s*([0-9a-f]+):\t(.*?)\s*$", text, re.M)]


def join(parts):
    """Neighbouring pieces (kind, index, start, bytes) of one kind and index become one."""
    joined = []
    for kind, index, start, code in parts:
        last = joined[-1] if joined else None
        if last and last[:2] == [kind, index] and last[2] + len(last[3]) == start:
            last[3] += code
        else:
            joined.append([kind, index, start, code])
    return joined


def show(header, guest, parts):
    print(header)
    for kind, index, start, code in join(parts):
        if kind == "entry":
            left = ["(entry)"]
        elif kind == "cold":
            left = ["(behind the block, for) " + guest[index][1]]
        else:
            address, text, size = guest[index]
            left = ["%x: %s" % (address, text)] if size else ["%x" % address]
        right = disassemble(start, code)
        for i in range(max(len(left), len(right))):
            print("%-*s | %s" % (WIDTH, left[i] if i < len(left) else "",
                                 right[i] if i < len(right) else ""))
    print()


def read(lines):
    """Yields (header, {index: (address, text, size)}, parts) of each block."""
    header, guest, parts = None, {}, []
    for line in lines:
        words = line.strip().split(" ", 5)
        if words[0] != "dump:" or len(words) < 2:
            continue
        if words[1] == "block":
            header, guest, parts = line.strip()[len("dump: "):], {}, []
        elif words[1] == "end" and header:
            yield header, guest, parts
            header = None
        elif words[1] == "guest":
            guest[int(words[2])] = (int(words[3], 16), " ".join(words[5:]), len(words[4]) // 2)
        elif words[1] in ("entry", "host", "cold"):
            parts.append((words[1], int(words[2]), int(words[3], 16), bytes.fromhex(words[4])))


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    with open(sys.argv[1], errors="replace") if len(sys.argv) == 2 else sys.stdin as file:
        blocks = list(read(file))
    if not blocks:
        sys.exit("dump-listing.py: no block in the input; does the guest execute the address often?")
    for block in blocks:
        show(*block)


if __name__ == "__main__":
    main()
