#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random loops (long/random_loops.c) by the interpreter, by the translator, in different states, and by both at once.

All must leave the same. What one of them leaves in registers, flags and memory is a line with a hash. --first N --count 1 repeats loop N.
"""
import argparse
import os
import re
import subprocess
import sys

# Interpretations before code is translated (docs/soft-engine.md); groups apart.
REFERENCE = {"TRIVET_SOFT_HEAT": "4000000000"}
VARIANTS = [("soft", {}), ("soft", {"TRIVET_SOFT_HEAT": "0"}),
            ("soft", {"TRIVET_SOFT_HEAT": "1", "TRIVET_SOFT_APART": "1"}),
            ("soft", {"TRIVET_SOFT_HEAT": "0", "TRIVET_SOFT_APART": "1"}),
            ("soft,check=on", {"TRIVET_SOFT_HEAT": "0"}),
            ("soft", {"TRIVET_SOFT_HEAT": "0", "TRIVET_SOFT_FOLLOW": "1"}),
            ("soft,check=on", {"TRIVET_SOFT_HEAT": "0", "TRIVET_SOFT_FOLLOW": "1"})]


def run(options, settings, engine="soft"):
    """{loop: hash}, or None if the guest did not come to its end."""
    command = [options.trivet, "run", "--engine", engine, "--cpus", "1", "--kernel", options.guest, "--append",
               "soft=1 scale=1 first=%d count=%d" % (options.first, options.count),
               "--device", "debug-exit", "--console", "stdio", "--no-reboot"]
    done = subprocess.run(command, env=dict(os.environ, **settings), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=options.seconds)
    loops = dict(re.findall(r"^loop (\d+): ([0-9a-f]+)", done.stdout, re.M))
    if len(loops) == options.count:
        return loops
    print("%d of %d loops, status %d; last lines:" % (len(loops), options.count, done.returncode))
    print("\n".join("  " + line for line in done.stdout.splitlines()[-8:]))
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trivet", default="build/trivet")
    parser.add_argument("--guest", default="build/tests/guests/random_loops")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=600, help="for each run")
    options = parser.parse_args()
    expected = run(options, REFERENCE)
    failed = expected is None
    for engine, settings in VARIANTS if expected else []:
        loops = run(options, settings, engine)
        name = " ".join([engine] + ["%s=%s" % item for item in settings.items()])
        if loops is None:
            failed = True
            continue
        wrong = [loop for loop in expected if loops.get(loop) != expected[loop]]
        print("%s: %d loops, %d different%s" % (name, len(loops), len(wrong),
                                                ": " + " ".join(wrong[:10]) if wrong else ""))
        failed |= bool(wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
