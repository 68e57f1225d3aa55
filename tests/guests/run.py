#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one bare-metal guest on one engine and judges its output.

Status 0: every check passed, or is in known_wrong.py for this engine; 77: skipped; 1: failed.
"""
import argparse
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import known_wrong  # noqa: E402

SKIPPED = 77


def kvm_refusal(trivet):
    """Why KVM can't run guests here, or None."""
    try:
        text = subprocess.run([trivet, "host"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, check=False).stdout.decode()
    except subprocess.TimeoutExpired:
        return "trivet host did not end within 60 s"
    match = re.search(r"^\s+kvm\s+(usable|not usable: (.*))$", text, re.M)
    if not match:
        return "trivet host says nothing of kvm"
    return match.group(2)


def command(options):
    cpus = str(options.cpus)
    append = "soft=%d scale=%d" % (options.engine == "soft", options.scale)
    if options.engine == "tcg":
        return ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", cpus, "-m", "512",
                "-kernel", options.image, "-append", append, "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                "-serial", "stdio", "-display", "none", "-nodefaults", "-no-reboot"]
    engine = ",".join([options.engine] + ([options.engine_options] if options.engine_options else []))
    return [options.trivet, "run", "--engine", engine, "--kernel", options.image,
            "--append", append, "--cpus", cpus, "--device", "debug-exit", "--console", "stdio", "--no-reboot"]


def run(options):
    """The guest's text and exit status; None for the status if it took too long."""
    process = subprocess.Popen(command(options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        text, _ = process.communicate(timeout=options.seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
        status = None
    return text.decode("latin-1").replace("\r", ""), status


def judge(name, engine, text, status):
    """The complaints, as lines; and a summary."""
    complaints = []
    passed = failed = known = 0
    for line in text.splitlines():
        if line.startswith("ok "):
            passed += 1
        elif line.startswith("FAIL "):
            failed += 1
            check = line[5:].rsplit(": got ", 1)[0]
            reason = known_wrong.reason(engine, name, check)
            if reason:
                known += 1
                print("known wrong: %s (%s)" % (line[5:], reason))
            else:
                complaints.append(line)
        elif line.startswith("skip "):
            print(line)
    total = re.search(r"^total: (\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
    if status is None:
        complaints.append("no end within the time limit; last lines:\n" + tail(text))
    elif not total:
        complaints.append("ended with status %d and no total; last lines:\n%s"
                          % (status, tail(text)))
    elif (int(total.group(1)), int(total.group(2))) != (passed, failed) or not passed:
        complaints.append("the total does not agree with the lines: " + total.group(0))
    # isa-debug-exit and its like: (value << 1) | 1
    elif status != (3 if failed else 1):
        complaints.append("status %d with %d failed checks" % (status, failed))
    return complaints, "%s on %s: %d checks passed, %d failed, %d of these known to be wrong there" \
        % (name, engine, passed, failed, known)


def tail(text):
    return "\n".join("  " + line for line in text.splitlines()[-12:])


def judge_reset(text, status, engine):
    """A guest that must end by a triple fault: it says that it is about to, and never more."""
    # MACHINE_STATUS_TRIPLE_FAULT; QEMU's -no-reboot makes it a normal end.
    expected = 0 if engine == "tcg" else 8
    said = [line for line in text.splitlines() if not line.startswith("trivet: ")]
    if status is None:
        return ["no end within the time limit; last lines:\n" + tail(text)]
    if not said or said[-1] != "now resetting":
        return ["it went on or never came there; last lines:\n" + tail(text)]
    if status != expected:
        return ["status %d, expected %d" % (status, expected)]
    return []


def options_parser():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", required=True, choices=["soft", "kvm", "tcg"])
    parser.add_argument("--engine-options", default="", metavar="KEY=VALUE,...")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--scale", type=int, default=1,
                        help="how many times the rounds of stress guests")
    parser.add_argument("--trivet", default="build/trivet")
    parser.add_argument("--resets", action="store_true", help="the guest must end by a reset")
    parser.add_argument("image")
    return parser


def main():
    options = options_parser().parse_args()
    name = os.path.basename(options.image)
    name = name[6:] if name.startswith("guest-") else name
    if options.engine == "kvm":
        refusal = kvm_refusal(options.trivet)
        if refusal:
            print("skip: %s on kvm: %s" % (name, refusal))
            return SKIPPED
    text, status = run(options)
    if options.resets:
        complaints = judge_reset(text, status, options.engine)
        summary = "%s on %s: %s" % (name, options.engine, "failed" if complaints else "reset")
    else:
        complaints, summary = judge(name, options.engine, text, status)
    for complaint in complaints:
        print(complaint)
    print(summary)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
