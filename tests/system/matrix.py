#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Boots every stock kernel with 1 and 4 vCPUs and 256 MiB and 8 GiB of memory, and compares the
kernel's warnings with the same boot under QEMU. Longer than `make check` should be (half an hour
on two cores; no two machines at once):

    tests/system/matrix.py build/trivet [FLAVOUR/CPUS/MEMORY...]

Status 1 if anything differs. The kernels come from `tools/guest.sh .cache amd64 cloud-amd64 rt-amd64`.
"""
import itertools
import subprocess
import sys
import time

import fixture
import messages

PATIENCE = 1200


def check(flavour, cpus, memory):
    """The lines that should not be there."""
    try:
        ours = messages.on_trivet(flavour, cpus, memory, patience=PATIENCE)
        theirs = messages.on_qemu(flavour, cpus, memory, patience=PATIENCE)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return [str(error)]
    return messages.faults(ours, theirs)


def main():
    fixture.start(sys.argv)
    cases = [tuple(case.split("/")) for case in sys.argv[1:]] or list(
        itertools.product(fixture.FLAVOURS, ("1", "4"), ("256M", "8G")))
    failed = 0
    for flavour, cpus, memory in cases:
        fixture.require_kernel(flavour)
        start = time.monotonic()
        lines = check(flavour, int(cpus), memory)
        failed += bool(lines)
        print(f"{'FAIL' if lines else 'ok  '} {flavour} {cpus} vCPU {memory} "
              f"({time.monotonic() - start:.0f} s)", flush=True)
        for line in lines:
            print(f"     {line}", flush=True)
    print(f"{len(cases) - failed} of {len(cases)} machines boot like QEMU's")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
