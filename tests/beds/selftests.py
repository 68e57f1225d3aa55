#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the Linux kernel's own KVM selftests on the soft engine, with the library preloaded.

Takes them from Debian's linux-source-6.1, builds them, and compares each result with what is
known here. Ends with one summary line; status 0 if there are no surprises.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import time

SKIPPED = 4 # kselftest's exit status
KILLED = -9

# Tests that cannot pass, and why.
EXPECTED_FAILURES = {
    "hyperv_clock": "asks for Hyper-V's CPUID without looking for the capability",
    "hyperv_features": "switches Hyper-V on without looking for the capability",
    "smm_test": "uses SMM's address space without looking for the capability",
    "vmx_pmu_caps_test": "reads an MSR of Intel's performance monitoring before it looks for it",
    "userspace_io_test": "depends on how many items of INS the kernel's KVM hands out at once",
}
# Not run.
LEFT_OUT = {
    "hardware_disable_test": "33,000 threads that race with the kernel switching hardware off",
}
SELFTESTS = "tools/testing/selftests/kvm"
# What the build reads, of a source tree of 80,000 files.
PARTS = ["tools", "include", "arch/x86", "scripts", "usr", "Makefile", "Kbuild", "Kconfig"]


def run(command, **options):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **options)


def fetch(work):
    print("==> Fetching linux-source-6.1", flush=True)
    run(["apt-get", "-q", "download", "-o", "APT::Sandbox::User=root", "linux-source-6.1"],
        cwd=work, stdout=subprocess.DEVNULL)
    return os.path.join(work, [n for n in os.listdir(work) if n.endswith(".deb")][0])


def unpack(work, package):
    tree = os.path.join(work, "linux-source-6.1")
    if os.path.exists(os.path.join(tree, "Kconfig")):
        return tree
    package = package or fetch(work)
    print("==> Unpacking the source", flush=True)
    package_tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    run_in = {"stdin": package_tar.stdout, "check": True, "cwd": work}
    subprocess.run(["tar", "-x", "--wildcards", "./usr/src/*.tar.xz"], **run_in)
    package_tar.wait()
    archive = os.path.join(work, "usr/src/linux-source-6.1.tar.xz")
    run(["tar", "-xJf", archive] + ["linux-source-6.1/" + part for part in PARTS], cwd=work)
    shutil.rmtree(os.path.join(work, "usr"))
    return tree


def build(work, tree):
    output = os.path.join(work, "built")
    print("==> Building the selftests", flush=True)
    with open(os.path.join(work, "build.log"), "wb") as log:
        # "headers" leaves them in usr/include; installing them would need rsync.
        run(["make", "-s", "-C", tree, "headers"], stdout=log, stderr=log)
        # dirty_log_test uses a name that came later. Goes on behind what does not build.
        subprocess.run(["make", "-j2", "-k", "-C", os.path.join(tree, SELFTESTS),
                        "OUTPUT=" + output, "EXTRA_CFLAGS=-DTEST_ASSERT_EQ=ASSERT_EQ"],
                       check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    return output


def find_programs(directory):
    found = []
    for where, _, names in os.walk(directory):
        found += [os.path.join(where, n) for n in names
                  if "." not in n and os.access(os.path.join(where, n), os.X_OK)]
    return sorted(found)


def judge(name, status):
    """The verdict, and whether it is as it should be."""
    if status == 0:
        return "pass", name not in EXPECTED_FAILURES
    if status == SKIPPED:
        return "skip", True
    return "TIMEOUT" if status == KILLED else "fail", name in EXPECTED_FAILURES


def run_one(program, preload, seconds, logs):
    log = os.path.join(logs, os.path.basename(program) + ".log")
    environment = dict(os.environ, LD_PRELOAD=preload)
    with open(log, "wb") as file:
        test = subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                env=environment, cwd=logs, start_new_session=True)
        try:
            return test.wait(timeout=seconds), log
        except subprocess.TimeoutExpired:
            # With its children: some fork.
            os.killpg(test.pid, signal.SIGKILL)
            test.wait()
            return KILLED, log


def why_skipped(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in file if "skip" in line.lower()]
    return lines[0].replace("1..0 # SKIP - ", "") if lines else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="where libtrivet-preload.so is built")
    parser.add_argument("--work", default=".cache/selftests")
    parser.add_argument("--source", help="linux-source-6.1's .deb; default: fetched")
    parser.add_argument("--seconds", type=int, default=120, help="time limit of each")
    parser.add_argument("names", nargs="*", help="run only these")
    options = parser.parse_args()
    work = os.path.abspath(options.work)
    logs = os.path.join(work, "logs")
    os.makedirs(logs, exist_ok=True)
    preload = os.path.abspath(os.path.join(options.build, "tests/beds/libtrivet-preload.so"))
    programs = find_programs(build(work, unpack(work, options.source)))
    count = {"pass": 0, "fail": 0, "skip": 0, "TIMEOUT": 0}
    surprises = 0
    for program in programs:
        name = os.path.basename(program)
        if name in LEFT_OUT or (options.names and name not in options.names):
            continue
        start = time.monotonic()
        status, log = run_one(program, preload, options.seconds, logs)
        verdict, right = judge(name, status)
        count[verdict] += 1
        surprises += not right
        note = EXPECTED_FAILURES.get(name, why_skipped(log) if verdict == "skip" else "")
        print("%-8s%-42s %6.1f s  %s" % (verdict if right else verdict + " !", name,
                                        time.monotonic() - start, note), flush=True)
    print("KVM selftests on soft: %d passed, %d skipped, %d failed, %d of these unexpectedly"
          % (count["pass"], count["skip"], count["fail"] + count["TIMEOUT"], surprises))
    return 1 if surprises or not count["pass"] else 0


if __name__ == "__main__":
    sys.exit(main())
