#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run` and `make run-tiny`, with a pipe and with a terminal: the steps before the machine
leave input alone, and the systems are what the README says."""
import os
import pathlib
import re
import sys
import unittest

import fixture

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent


def require_image():
    for name in "debian-12.qcow2", "debian-12.vmlinuz", "debian-12.initrd":
        if not (fixture.cache() / name).exists():
            print(f"skipped: {fixture.cache() / name} is missing; tools/debian-image.sh makes it")
            sys.exit(fixture.SKIPPED)


def make(target, *variables):
    return ["make", "-C", str(PROJECT), target, f"BUILD={os.path.dirname(fixture.trivet)}",
            f"CACHE={fixture.cache()}", *variables]


class Tiny(unittest.TestCase):
    def setUp(self):
        self.command = make("run-tiny", "KERNEL=cloud-amd64")

    def test_pipe(self):
        with fixture.on_pipes([], command=self.command, stdin=b"uname -a; poweroff -f\n") as machine:
            machine.expect(rb"\nLinux trivet [^\n]* x86_64 GNU/Linux\r\n")
            self.assertEqual(machine.wait(), 0)

    def test_terminal(self):
        machine = fixture.TerminalSession([], command=self.command)
        self.addCleanup(machine.close)
        machine.expect(rb"Ctrl-A x leaves")
        machine.expect(fixture.PROMPT)
        self.assertTrue(machine.is_raw())
        self.assertNotIn(b"job control turned off", machine.seen)
        # Its own word says that it runs in the foreground: a Ctrl-C before that would reach the
        # shell alone. The quotes keep the echo of the line from matching.
        machine.send(b"sh -c 'echo be\"\"gun; exec sleep 1000'\n")
        machine.expect(rb"\nbegun\r+\n")
        machine.send(b"\x03")
        machine.expect(fixture.PROMPT)
        machine.send(b"\x01x")
        self.assertEqual(machine.wait(), 0)
        self.assertTrue(machine.is_restored())


class Debian(unittest.TestCase):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self)

    def test_pipe(self):
        """All of it is in the pipe long before anybody in the guest reads."""
        lines = ["cat /etc/debian_version", "systemctl --failed --plain --no-legend --no-pager",
                 "journalctl -q -b -p err --no-pager", "tty", "findmnt -no SOURCE,FSTYPE /",
                 "systemctl poweroff"]
        script = "".join(f"echo '[{number}'; {line}; echo '{number}]'\n"
                         for number, line in enumerate(lines[:-1])) + lines[-1] + "\n"
        before = sorted(fixture.cache().iterdir())
        with fixture.on_pipes([], command=make("run"), stdin=script.encode()) as machine:
            self.assertEqual(machine.wait(), 0, machine.complain("the machine failed"))
            said = machine.seen.decode(errors="replace").replace("\r", "")
        answers = [re.search(rf"^\[{number}\n(.*?)^{number}\]$", said, re.S | re.M)
                   for number in range(len(lines) - 1)]
        self.assertNotIn(None, answers, said)
        version, failed, errors, terminal, root = (answer[1] for answer in answers)
        self.assertRegex(version, r"\A12\.\d+\n\Z")
        self.assertEqual(failed, "")
        self.assertEqual(errors, "")
        self.assertEqual(terminal, "/dev/ttyS0\n")
        self.assertEqual(root, "/dev/vda ext4\n")
        self.assertEqual(sorted(fixture.cache().iterdir()), before)

    def run_other_kernel(self, *variables):
        """The steps around the machine, with a guest that powers off at once."""
        kernel = self.scratch / "kernel"
        kernel.write_bytes(fixture.multiboot(fixture.POWER_OFF))
        command = make("run", f"RUN_FLAGS=--engine soft --kernel {kernel}", *variables)
        with fixture.on_pipes([], command=command, stdin=b"") as machine:
            self.assertEqual(machine.wait(), 0, machine.process.stderr.read())

    def test_own_disk(self):
        disk = self.scratch / "my,disk.qcow2"
        self.run_other_kernel(f"DISK={disk}")
        self.assertEqual(disk.read_bytes()[:4], b"QFI\xfb")
        # It is whole without the image in the cache, and is not made again.
        self.assertNotIn(b"debian-12.qcow2", disk.read_bytes()[:65536])
        made = disk.stat()
        self.run_other_kernel(f"DISK={disk}")
        self.assertEqual((disk.stat().st_ino, disk.stat().st_size), (made.st_ino, made.st_size))


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    require_image()
    unittest.main(verbosity=2)
