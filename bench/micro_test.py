#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows that bench/micro.c gives every row a number on this host, with a tiny budget.

usage: micro_test.py MICRO
"""
import re
import subprocess
import sys


def main(micro):
    listed = [line.split() for line in
              subprocess.check_output([micro, "--list"], text=True).splitlines()]
    said = subprocess.run([micro, "--budget", "0.001"], stdout=subprocess.PIPE, text=True)
    problems = [] if said.returncode == 0 else ["status %d" % said.returncode]
    for name, unit in listed:
        match = re.search(r"^%s: start\n%s: ([0-9]+) %s ([0-9.]+)$" % (name, name, unit),
                          said.stdout, re.M)
        if not match or int(match.group(1)) < 1 or float(match.group(2)) <= 0:
            problems.append("%s: no number" % name)
    if subprocess.run([micro, "no-such-row"], stderr=subprocess.DEVNULL).returncode != 2:
        problems.append("an unknown row is not refused")
    for problem in problems:
        print(problem)
    print("%d rows, %d problems" % (len(listed), len(problems)))
    return 1 if problems or not listed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: micro_test.py MICRO")
    sys.exit(main(sys.argv[1]))
