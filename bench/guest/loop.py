# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain loops over small integers: loop.py TURNS."""
import sys


def run(turns):
    a, b, total = 1, 2, 0
    for i in range(turns):
        a = (a * 5 + i) & 0xFFFF
        if a & 1:
            b ^= a
        else:
            b += i >> 3
        total += b & 0xFF
    return a, b, total


print(*run(int(sys.argv[1])))
