# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own messages of a boot, and what is wrong with them next to QEMU's."""
import re
import subprocess

import fixture

MARK = "kernel-messages"
# What must not be there at all, at whatever level.
ALARMS = re.compile(
    r"WARNING: CPU|BUG:|Oops|Call Trace|unstable|Marking TSC|clocksource.*(skew|wrong)|soft lockup|"
    r"hard LOCKUP|rcu.*stall|hung_task|blocked for more than|ACPI.*(Error|Exception|Warning)|"
    r"Firmware (Bug|Warn)|\[Firmware|protection fault|Unexpected|irq \d+: nobody cared|spurious|"
    r"do_IRQ.*No irq handler|Kernel panic|segfault|mce:.*error|timer doesn't work", re.I)
# "BUG"-like words that report nothing.
HARMLESS = re.compile(r"BUGs? (is|are)? ?enabled|debug|Spurious LAPIC timer interrupt .*ignored", re.I)


class Message:
    def __init__(self, level, text):
        self.level, self.text = level, text

    def normal(self):
        """Without what differs from boot to boot: addresses, numbers that were measured."""
        text = re.sub(r"0x[0-9a-f]+", "ADDRESS", self.text)
        text = re.sub(r"\b[0-9a-f]{8,}\b", "ADDRESS", text)
        return re.sub(r"\b\d+(\.\d+)?\b", "N", text)

    def __str__(self):
        return f"<{self.level}> {self.text}"


def parse(output):
    """Messages of `dmesg -r` between the marks."""
    parts = output.decode(errors="replace").replace("\r", "").split(f"{MARK}\n")
    if len(parts) != 3:
        raise AssertionError(f"no kernel messages in the output, which ends with {output[-1500:]!r}")
    messages = []
    for line in parts[1].splitlines():
        match = re.match(r"<(\d+)>\[[^\]]*\] ?(.*)", line)
        if match:
            messages.append(Message(int(match[1]) & 7, match[2]))
    return messages


# guest.run= has commas for blanks.
APPEND = f"guest.run=echo,{MARK};dmesg,-r;echo,{MARK};nproc;grep,MemTotal,/proc/meminfo"


def on_trivet(flavour, cpus, memory, engine="soft", patience=fixture.PATIENCE):
    args = [*fixture.boots(APPEND, flavour, engine), "--cpus", str(cpus), "--memory", memory]
    with fixture.on_pipes(args, stdin=b"") as machine:
        status = machine.wait(patience)
        if status:
            raise AssertionError(machine.complain(f"status {status}, {machine.process.stderr.read()!r}"))
        if b"\n%d\r\n" % cpus not in machine.seen:
            raise AssertionError(machine.complain(f"not {cpus} CPUs"))
        return parse(machine.seen)


def on_qemu(flavour, cpus, memory, patience=fixture.PATIENCE):
    """The same kernel, initramfs and command line under QEMU TCG."""
    done = subprocess.run(
        ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", str(cpus), "-m", memory,
         "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel",
         fixture.kernel(flavour), "-initrd", fixture.initrd(), "-append",
         f"console=ttyS0 quiet {APPEND}"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=patience)
    return parse(done.stdout)


# Said once when the host took the processor away for long: says nothing of the machine.
BUSY_HOST = re.compile(r"hrtimer: interrupt took \d+ ns|tsc: Unable to calibrate against PIT")


def faults(ours, theirs):
    """What our boot says that it should not."""
    ours = [message for message in ours if not BUSY_HOST.search(message.text)]
    known = {message.normal() for message in theirs}
    return [str(message) for message in ours
            if (message.level <= 4 and message.normal() not in known)
            or (ALARMS.search(message.text) and not HARMLESS.search(message.text))]
