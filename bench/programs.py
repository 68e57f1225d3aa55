#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures programs in a guest: Trivet's soft engine beside QEMU TCG and this host, in one run.

The same binaries run in a guest of Trivet, in guests of QEMU TCG with each CPU model, and natively
in a chroot. Each of them in turn runs one group of rows, and so on, so that a change of the host's
load meets all. The medians are compared; of the CPU models the better one counts in each row.

usage: programs.py [--trivet build/trivet] [--cache .cache] [--runs N] [--scale X] [--only ROW,...]
"""
import argparse
import os
import sys

import contender
import machines
import table

# List, group, kind, rows. A group runs in one boot.
GROUPS = (
    ("micro", "kernel", "", "syscall pipe fork exec touch mmap mprotect signal fault"),
    ("micro", "code", "", "switch goto calls jit jit-same movsb memcpy-4k memcpy-64k memcpy-1m"),
    ("real", "pack", "", "zstd xz gzip 7z"),
    ("real", "language", "", "sqlite3 python-loop python-objects python-nbody cc1 shell"),
    ("real", "crypto", "vector", "sha256 aes-128-gcm chacha20 rsa2048"),
    ("real", "stress", "vector", "matrix"),
    ("real", "stress", "", "fp"),
)
ROWS = {row: group[:3] for group in GROUPS for row in group[3].split()}


def choose_rows(names):
    """The rows that --only names: rows, groups or lists."""
    if not names:
        return list(ROWS)
    chosen = set()
    for name in names.split(","):
        found = [row for row, place in ROWS.items() if name in (row, *place[:2])]
        if not found:
            sys.exit("programs.py: --only: no row, group or list \"%s\"; there are %s"
                     % (name, " ".join(["real", "micro", *ROWS])))
        chosen.update(found)
    return [row for row in ROWS if row in chosen]


def groups_of(rows, one_boot):
    if one_boot:
        return [rows]
    names = list(dict.fromkeys(ROWS[row][1] for row in rows))
    return [[row for row in rows if ROWS[row][1] == name] for name in names]


def make_contenders(args):
    """The list of those that take part, natives first."""
    initrd = os.path.join(args.cache, "bench-initramfs.cpio")
    root = os.path.join(args.cache, "bench-root")
    for path in (args.kernel, initrd, root):
        if not os.path.exists(path):
            sys.exit("programs.py: no %s; tools/guest.sh and bench/guest.sh make kernel and guest"
                     % path)

    def append(rows):
        return " ".join(["console=ttyS0 quiet panic=-1 bench.scale=%g bench.budget=%g"
                         % (args.scale, args.budget), "bench=" + ",".join(rows), args.append])

    def native(rows):
        return machines.native(root, "/bench/rows.sh", "%g" % args.scale, "%g" % args.budget, *rows)

    def trivet(rows):
        return machines.trivet(args.trivet, args.kernel, "--initrd", initrd, "--append", append(rows),
                               "--memory", args.memory, "--no-reboot",
                               flags=args.trivet_flags.split())

    def tcg(model):
        return lambda rows: machines.qemu(args.kernel, "-initrd", initrd, "-append", append(rows),
                                          "-m", args.memory, "-cpu", model)

    found = []
    if not args.no_native:
        found.append(contender.Contender("native", native))
    if not args.no_trivet:
        found.append(contender.Contender("trivet", trivet))
    if not args.no_tcg:
        found += [contender.Contender("tcg-" + model, tcg(model)) for model in args.models.split(",")]
    return found


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trivet", default="build/trivet", metavar="FILE")
    parser.add_argument("--trivet-flags", default="--engine soft", metavar="FLAGS",
                        help="options of `trivet run` (default: %(default)s)")
    parser.add_argument("--cache", default=".cache", metavar="DIRECTORY")
    parser.add_argument("--kernel", metavar="FILE", help="default: vmlinuz-cloud-amd64 in the cache")
    parser.add_argument("--append", default="", help="more for the kernel command line, for all guests")
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--models", default="max,qemu64", help="CPU models of QEMU")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1,
                        help="size of the real programs' jobs; 1 is about a second natively")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds of each micro row")
    parser.add_argument("--timeout", type=float, default=600,
                        help="seconds that a boot or a row may take (default: %(default)g)")
    parser.add_argument("--only", metavar="NAME,...", help="rows, groups (%s), real or micro"
                        % " ".join(dict.fromkeys(place[1] for place in ROWS.values())))
    parser.add_argument("--one-boot", action="store_true", help="all rows in one boot")
    parser.add_argument("--no-native", action="store_true")
    parser.add_argument("--no-trivet", action="store_true")
    parser.add_argument("--no-tcg", action="store_true")
    parser.add_argument("--markdown", action="store_true", help="the table as for bench/README.md")
    parser.add_argument("--verbose", action="store_true", help="shows what the guests print")
    args = parser.parse_args()
    args.kernel = args.kernel or os.path.join(args.cache, "vmlinuz-cloud-amd64")
    return args


def main():
    args = parse_arguments()
    rows = choose_rows(args.only)
    contenders = make_contenders(args)
    for run in range(args.runs):
        for group in groups_of(rows, args.one_boot):
            for one in contenders:
                print("programs.py: run %d of %d, %s: %s" % (run + 1, args.runs, one.name,
                                                            " ".join(group)), file=sys.stderr)
                one.run(group, args.timeout, args.verbose)
    contender.compare_digests(contenders)
    result = table.Table({row: ROWS[row] for row in rows}, contenders)
    print("\n".join(result.lines(args.markdown)))
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
