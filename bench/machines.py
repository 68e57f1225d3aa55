# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, as command lines: Trivet, QEMU TCG, and this host itself."""
import os

QEMU = "qemu-system-x86_64"

# Everything happens in a mount namespace and ends with it.
NATIVE = """set -e
root=$1; shift
mount -t tmpfs tmp "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
exec chroot "$root" "$@"
"""


def trivet(program, kernel, *more, flags=("--engine", "soft")):
    return [program, "run", *flags, "--kernel", kernel, *more]


def qemu(kernel, *more):
    return [QEMU, "-accel", "tcg", "-nodefaults", "-display", "none", "-no-reboot",
            "-serial", "stdio", "-kernel", kernel, *more]


def native(root, *command):
    """A command in the tree `root`, on one CPU as in a guest of one vCPU."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["taskset", "-c", str(max(os.sched_getaffinity(0))),
            "unshare", *as_root, "--mount", "--pid", "--fork", "--kill-child",
            "sh", "-c", NATIVE, "sh", root, *command]
