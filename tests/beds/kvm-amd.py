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
from fnmatch import fnmatchcase

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "../guests")]
import l1  # noqa: E402
import known_wrong  # noqa: E402
import run as guest_runner  # noqa: E402

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
        return ["L1 ended in the middle of it"]
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


# ---- interrupts by irqfd ----

DISK_COMMANDS = """modprobe -a virtio_pci virtio_blk virtio_rng
dd if=/dev/urandom of=/tmp/data bs=4k count=512 2>/dev/null
dd if=/tmp/data of=/dev/vda bs=4k conv=fsync 2>/dev/null
rng=$(grep 'virtio.-input' /proc/interrupts | cut -d: -f1)
for cpu in 1 0; do
	echo $cpu > /proc/irq/$((rng))/smp_affinity_list
	taskset $((1 << cpu)) dd if=/dev/vda bs=4k count=512 iflag=direct 2>/dev/null | cmp - /tmp/data && echo "read back on CPU $cpu"
	dd if=/dev/hwrng of=/dev/null bs=64 count=100 2>/dev/null
done
grep virtio /proc/interrupts
poweroff -f
"""

# How many eventfds it has at most, as long as it runs.
DISK_SCRIPT = """cat initramfs.cpio.gz modules-cloud-amd64.cpio.gz > /initrd
for irqfd in on off; do
	dd if=/dev/zero of=/disk bs=1M count=16 2>/dev/null
	./trivet run --engine kvm --kernel vmlinuz-cloud-amd64 --initrd /initrd --memory 256M --cpus 2 \\
		--append 'console=ttyS0 quiet nosoftlockup' --disk /disk,format=raw,iothread=1,queues=2,irqfd=$irqfd \\
		--device virtio-rng,irqfd=$irqfd < disk.sh &
	pid=$!
	most=0
	while kill -0 $pid 2>/dev/null; do
		now=$(ls -l /proc/$pid/fd 2>/dev/null | grep -c eventfd)
		test "$now" -gt $most && most=$now
		sleep 1
	done
	wait $pid || exit 1
	echo "irqfd=$irqfd: $most eventfds"
done
"""


def irqfd_check(cache, share):
    """A disk whose interrupts the kernel's KVM takes from eventfds, and as requests."""
    for name in ("vmlinuz-cloud-amd64", "modules-cloud-amd64.cpio.gz"):
        shutil.copy(os.path.join(cache, name), share)
    with open(os.path.join(share, "disk.sh"), "w", encoding="ascii") as file:
        file.write(DISK_COMMANDS)

    def complaints(job):
        wrong = complain_status(job)
        for cpu in 0, 1:
            if len(re.findall(r"^read back on CPU %d$" % cpu, job.output, re.M)) != 2:
                wrong.append("data was not read back twice with interrupts on CPU %d" % cpu)
        vectors = [(name, int(a), int(b)) for a, b, name in
                   re.findall(r"^ *\d+: +(\d+) +(\d+) .*virtio\d-(\S+)", job.output, re.M)]
        # Each queue of the disk belongs to a CPU; that of the random numbers was moved.
        if sum(a > 500 for name, a, _ in vectors if name.startswith("req")) != 2 or \
                sum(b > 500 for name, _, b in vectors if name.startswith("req")) != 2 or \
                sum(a > 50 and b > 50 for name, a, b in vectors if name == "input") != 2:
            wrong.append("interrupts on other CPUs than were asked for: %s" % vectors)
        counts = dict(re.findall(r"^irqfd=(on|off): (\d+) eventfds$", job.output, re.M))
        if int(counts.get("on", 0)) <= int(counts.get("off", 0)):
            wrong.append("no eventfds for interrupts: %s" % counts)
        return wrong + [line for line in job.output.splitlines()
                        if TROUBLE.search(line) and not QEMUS_TROUBLE.search(line)]

    return Check(l1.Job("irqfd", DISK_SCRIPT, 2 * BOOT_SECONDS), complaints)


# ---- API programs ----


# Hardware breakpoints that KVM sets for a debugger do not trap in QEMU's guests.
API_SKIP = "breakpoints_exit"


def api_check(test, share):
    program = test["cmd"][0]
    shutil.copy(program, share)

    def complaints(job):
        wrong = complain_status(job)
        wrong += re.findall(r"^\[  FAILED  \] .*", job.output, re.M)
        if "[  PASSED  ]" not in job.output or re.search(r"SKIPPED \] .* on kvm", job.output):
            wrong.append("did not run on /dev/kvm")
        return wrong

    script = ("TRIVET_TEST_ENGINE=kvm TRIVET_TEST_SKIP='%s' ./%s"
              % (API_SKIP, os.path.basename(program)))
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


# What a guest sees here and not on the CPU: (guest, check, reason). Checks that fail on QEMU's TCG
# without any KVM need no entry.
KNOWN = [
    ("apic", "TPR reads back", "kvm_amd keeps the upper half of the TPR in V_TPR"),
    ("apic", "PPR follows TPR", "kvm_amd keeps the upper half of the TPR in V_TPR"),
    ("apic", "TPR reserved bits", "the kernel's KVM ignores them in x2APIC mode"),
    ("apic", "EOI must be 0", "the kernel's KVM ignores it in x2APIC mode"),
    ("apic", "one-shot fires once", "the guest is too slow for its own time limit"),
    ("debug", "general detect*", "QEMU does not stop at MOV DR that KVM let pass"),
    ("exceptions", "CR0: bit 32*", "KVM's emulator, needed without decode assists, drops it"),
    ("exceptions", "group 11 /1*", "KVM's emulator takes it"),
    ("timers", "*", "emulated twice, the guest is too slow for real time"),
    ("vectors", "XCR0 reads back", "QEMU's SVM does not intercept XSETBV"),
    ("vectors", "AVX", "QEMU's SVM does not intercept XSETBV"),
    ("vectors", "CPUID 0DH: size with AVX", "QEMU's SVM does not intercept XSETBV"),
    ("paging32", "PAE: pointers are registers", "with nested paging AMD's CPUs read them each time"),
    ("paging32", "PAE: reserved bit in a pointer", "with nested paging AMD's CPUs look at use"),
]

# Guests that QEMU's SVM does not let come to their end.
ENDS_EARLY = {
    "debug": "QEMU does not stop at MOV DR that KVM let pass",
    "exceptions": "MOV CR3 with reserved bits is not checked, and the next VMRUN refuses it",
    "ticks": "QEMU's SVM does not intercept XSETBV: AVX instructions raise #UD behind it",
    "vectors": "QEMU's SVM does not intercept XSETBV, and KVM loads its own XCR0 later",
}


def is_known(guest, check):
    return any(where == guest and fnmatchcase(check, pattern) for where, pattern, _ in KNOWN) or \
        known_wrong.reason("kvm", guest, check)


def differences(guest, soft, kvm, tcg):
    """Lines on checks that end otherwise on the two engines."""
    ended = re.search(r"^total:", kvm, re.M)
    soft, kvm, tcg = results(soft), results(kvm), results(tcg)
    found = []
    if not ended and guest not in ENDS_EARLY:
        found.append("the guest did not come to its end on kvm")
    # L1's CPU has fewer features than this one, so that some checks have no counterpart.
    for check in [name for name in soft if name in kvm]:
        if soft[check].split(" ")[0] == kvm[check].split(" ")[0] or is_known(guest, check):
            continue
        # This kvm_amd stands on QEMU's emulation, so what QEMU has wrong comes through.
        if not tcg.get(check, "ok").startswith("FAIL"):
            found.append("soft: %s | kvm: %s" % (soft[check], kvm[check]))
    return found


def guest_options(test):
    return guest_runner.options_parser().parse_args(test["cmd"][1:])


def run_here(engine, options, build, image):
    """Output and status of a guest on an engine of this host."""
    settings = argparse.Namespace(**vars(options))
    settings.engine = engine
    settings.image = image
    settings.trivet = os.path.join(build, "trivet")
    settings.seconds *= 4
    return guest_runner.run(settings)


def guest_check(test, build, share):
    options = guest_options(test)
    image = os.path.join(build, options.image)
    name = os.path.basename(image)
    shutil.copy(image, share)
    soft, status = run_here("soft", options, build, image)
    tcg, _ = run_here("tcg", options, build, image)

    def complaints(job):
        if job.status in (None, 137):
            return complain_status(job)
        if options.resets:
            right = "now resetting" in job.output and job.status == status
            return [] if right else ["status %s on kvm, %s on soft" % (job.status, status)]
        wrong = differences(name, soft, job.output, tcg)
        if not wrong and job.status not in (1, 3) and name not in ENDS_EARLY:
            wrong = ["status %s on kvm, %s on soft" % (job.status, status)]
        return wrong

    script = ("./trivet run --engine kvm --kernel %s --cpus %s --device debug-exit "
              "--console stdio --no-reboot" % (name, options.cpus))
    return Check(l1.Job(test["name"], script, options.seconds * SLOWER), complaints)


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
    checks.append(irqfd_check(options.cache, share))
    checks += [api_check(t, share) for t in tests if "trivet:api" in t["suite"]]
    print("==> Running the guests on soft and on TCG here, to compare with", flush=True)
    checks += [guest_check(t, build, share) for t in tests
               if "trivet:guests" in t["suite"] and t["name"].endswith("-kvm")
               and re.search(options.only, t["name"])]
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
