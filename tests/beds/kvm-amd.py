#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs trivet on the stock kvm_amd: in a Debian kernel on a CPU with AMD-V emulated by QEMU.

Boots stock Debian kernels with --engine auto and kvm, then runs the API programs of tests/api on
/dev/kvm and the bare-metal guests of tests/guests on --engine kvm, and compares the guests'
results with soft's. Ends with one summary line; status 0 if all is as it should be.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "../guests")]
import l1  # noqa: E402
import known_wrong  # noqa: E402

# Emulated twice: a test's own limit is stretched by this.
SLOWER = 8
BOOT_SECONDS = 400
GUEST_COMMANDS = ("uname -a; grep -c ^processor /proc/cpuinfo; dmesg; echo the guest says goodbye; "
                  "poweroff -f")

# What must not be in a guest's kernel log. (The clocks of a CPU that is emulated twice are poor.)
TROUBLE = re.compile(r"WARNING: CPU|BUG:|Oops|ACPI (Error|Warning|BIOS Error)|Kernel panic")
# QEMU's SVM does not intercept XSETBV, so kvm_amd never hears of the guest's XCR0, and CPUID leaf
# DH goes on telling the size for its reset value.
QEMUS_TROUBLE = re.compile(r"WARNING: .* at arch/x86/kernel/fpu/xstate.c:")


class Check:
    """A job and how its result is judged: complaints(job) returns lines, none if all is well."""

    def __init__(self, job, complaints):
        self.job = job
        self.complaints = complaints


def registered_tests(build):
    return json.loads(l1.run(["meson", "introspect", "--tests", build]))


def complain_status(job, expected=0):
    if job.status is None:
        return ["never ran to its end"]
    if job.status == 137:
        return ["did not end in %d s" % job.seconds]
    if job.status != expected:
        return ["status %d" % job.status]
    return []


# ---- what the host offers, kernels ----


def host_check():
    def complaints(job):
        wrong = complain_status(job)
        if not re.search(r"--engine auto would take kvm$", job.output, re.M):
            wrong.append("--engine auto would not take kvm")
        return wrong

    return Check(l1.Job("host", "./trivet host"), complaints)


def boot_check(flavour, engine, cpus):
    def complaints(job):
        wrong = complain_status(job)
        if "trivet: engine soft" in job.output:
            wrong.append("--engine %s took soft" % engine)
        if "trivet: user space reached" not in job.output:
            wrong.append("no user space")
        if not re.search(r"^%d$" % cpus, job.output, re.M):
            wrong.append("the guest does not see %d CPUs" % cpus)
        if "Hypervisor detected: KVM" not in job.output:
            wrong.append("the guest does not see KVM")
        if not re.search(r"^the guest says goodbye$", job.output, re.M):
            wrong.append("the shell did not run its commands")
        return wrong + [line for line in job.output.splitlines()
                        if TROUBLE.search(line) and not QEMUS_TROUBLE.search(line)]

    script = ("echo '%s' | ./trivet run --engine %s --kernel vmlinuz-%s --initrd initramfs.cpio.gz "
              "--append 'console=ttyS0 quiet nosoftlockup' --memory 384M --cpus %d"
              % (GUEST_COMMANDS, engine, flavour, cpus))
    return Check(l1.Job("boot-%s-%s-%d" % (flavour, engine, cpus), script, BOOT_SECONDS),
                 complaints)


# ---- API programs ----


def api_check(test, share):
    program = test["cmd"][0]
    shutil.copy(program, share)

    def complaints(job):
        wrong = complain_status(job)
        wrong += re.findall(r"^\[  FAILED  \] .*", job.output, re.M)
        if "[  PASSED  ]" not in job.output or re.search(r"SKIPPED \] .* on kvm", job.output):
            wrong.append("did not run on /dev/kvm")
        return wrong

    script = "TRIVET_TEST_ENGINE=kvm ./%s" % os.path.basename(program)
    return Check(l1.Job(test["name"], script, test["timeout"] * SLOWER), complaints)


# ---- bare-metal guests ----


def results(text):
    """Check: ok, FAIL or skip."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"(ok|FAIL|skip) (.*)", line)
        if match:
            found[match.group(2).rsplit(": got ", 1)[0]] = line
    return found


# Checks that QEMU's emulation of AMD-V does not let go on: the guest ends there.
QEMUS_ENDS = {
    # MOV CR3 is not checked in the guest, and the next VMRUN refuses the state.
    "exceptions": "CR3: reserved bit 62",
}


def differences(guest, here, there):
    """Lines on checks that end otherwise on the two engines."""
    ended = re.search(r"^total:", there, re.M)
    here, there = results(here), results(there)
    found = []
    if not ended and QEMUS_ENDS.get(guest) not in here:
        found.append("the guest did not come to its end on kvm")
    # L1's CPU has fewer features than this one, so that some checks have no counterpart.
    here = {check: line for check, line in here.items() if check in there}
    for check in here:
        soft, kvm = here[check], there[check]
        # This kvm_amd stands on QEMU's emulation, so what QEMU has wrong comes through.
        if soft.split(" ")[0] == kvm.split(" ")[0] or known_wrong.reason("kvm", guest, check) or \
           known_wrong.reason("tcg", guest, check):
            continue
        found.append("soft: %s | kvm: %s" % (soft, kvm))
    return found


def guest_options(test):
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine")
    parser.add_argument("--cpus", default="1")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--trivet")
    parser.add_argument("image")
    return parser.parse_known_args(test["cmd"][1:])[0]


def guest_check(test, build, share):
    options = guest_options(test)
    image = os.path.join(build, options.image)
    name = os.path.basename(image)
    command = ["run", "--kernel", image, "--cpus", options.cpus, "--device", "debug-exit",
               "--console", "stdio", "--no-reboot", "--engine"]
    shutil.copy(image, share)
    try:
        soft = subprocess.run([os.path.join(build, "trivet")] + command + ["soft"], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=options.seconds * 4)
        here, status = soft.stdout.decode("latin-1").replace("\r", ""), soft.returncode
    except subprocess.TimeoutExpired:
        here, status = "", None

    def complaints(job):
        if job.status in (None, 137):
            return complain_status(job)
        wrong = differences(name, here, job.output)
        if not wrong and job.status != status and job.status not in (1, 3):
            wrong = ["status %s on kvm, %s on soft" % (job.status, status)]
        return wrong

    command[command.index(image)] = name
    return Check(l1.Job(test["name"], "./trivet " + " ".join(command + ["kvm"]),
                        options.seconds * SLOWER), complaints)


# ---- all of it ----


def script_check(options, share):
    for path in [options.script] + options.bring:
        shutil.copy(path, share)

    def complaints(job):
        print(job.output, end="")
        return complain_status(job)

    return Check(l1.Job("script", "sh ./" + os.path.basename(options.script), options.seconds),
                 complaints)


def make_checks(options, share):
    build = options.build
    if options.script:
        return [script_check(options, share)]
    tests = registered_tests(build)
    shutil.copy(os.path.join(build, "trivet"), share)
    shutil.copy(os.path.join(options.cache, "initramfs.cpio.gz"), share)
    checks = [host_check()]
    for flavour, engine, cpus in (("cloud-amd64", "auto", 1), ("cloud-amd64", "kvm", 2),
                                  ("amd64", "kvm", 1)):
        shutil.copy(os.path.join(options.cache, "vmlinuz-" + flavour), share)
        checks.append(boot_check(flavour, engine, cpus))
    checks += [api_check(t, share) for t in tests if "trivet:api" in t["suite"]]
    checks += [guest_check(t, build, share) for t in tests
               if "trivet:guests" in t["suite"] and t["name"].endswith("-kvm")]
    return [c for c in checks if re.search(options.only, c.job.name)]


def report(check, verbose):
    wrong = check.complaints(check.job)
    print("%-6s %-28s %6.1f s" % ("FAILED" if wrong else "ok", check.job.name, check.job.took),
          flush=True)
    for line in wrong:
        print("       " + line)
    if wrong and verbose:
        print("\n".join("     | " + line for line in check.job.output.splitlines()[-40:]))
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="where trivet and its tests are built")
    parser.add_argument("--cache", default=".cache", help="kernels and initramfs (tools/guest.sh)")
    parser.add_argument("--package", help="L1's kernel, a linux-image .deb; default: fetched")
    parser.add_argument("--work", help="directory for the run; default: CACHE/kvm-amd")
    parser.add_argument("--cpu", default="EPYC", help="QEMU's CPU model for L1")
    parser.add_argument("--cpus", type=int, default=1, help="L1's CPUs")
    parser.add_argument("--only", default="", help="regular expression: the checks to run")
    parser.add_argument("--script", help="run this shell script in L1 instead of the checks")
    parser.add_argument("--bring", nargs="*", default=[], metavar="FILE",
                        help="files to put beside the script")
    parser.add_argument("--seconds", type=int, default=600, help="the script's time limit")
    parser.add_argument("--verbose", action="store_true", help="the output of what fails")
    options = parser.parse_args()
    work = os.path.abspath(options.work or os.path.join(options.cache, "kvm-amd"))
    share = os.path.join(work, "share")
    shutil.rmtree(share, ignore_errors=True)
    os.makedirs(share)
    kernel = l1.unpack_kernel(options.cache, options.package)
    checks = make_checks(options, share)
    programs = [os.path.join(options.build, "trivet")] + \
        [t["cmd"][0] for t in registered_tests(options.build) if "trivet:api" in t["suite"]] + \
        [path for path in options.bring if l1.is_dynamic(path)]
    archive = l1.make_initramfs(kernel, programs, work)
    by_job = {check.job: check for check in checks}
    good = []
    command = l1.qemu_command(kernel, archive, share, os.path.join(work, "console.log"),
                              options.cpu, options.cpus, 2048)
    print("==> Starting L1 on QEMU; its results are in %s/out" % share, flush=True)
    try:
        l1.run_jobs(command, share, [check.job for check in checks],
                    os.path.join(work, "console.log"),
                    lambda job: good.append(report(by_job[job], options.verbose)))
    except l1.BedError as error:
        print("kvm-amd: %s" % error, file=sys.stderr)
        return 1
    print("stock kvm_amd: %d passed, %d failed" % (sum(good), len(good) - sum(good)))
    return 0 if all(good) and good else 1


if __name__ == "__main__":
    sys.exit(main())
