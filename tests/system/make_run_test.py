#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run` and `make run-tiny`, with a pipe and with a terminal: the steps before the machine
leave input alone, and the systems are what the README says."""
import hashlib
import os
import pathlib
import re
import subprocess
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
        port = self.serve_repository()
        lines = [f"rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] http://10.0.2.2:{port} ./' >/etc/apt/sources.list;"
                 " apt-get -q update && apt-get -qqy install greeting </dev/null >/dev/null 2>&1; cat /greeting",
                 "cat /etc/debian_version", "systemctl --failed --plain --no-legend --no-pager",
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
        apt, version, failed, errors, terminal, root = (answer[1] for answer in answers)
        self.assertRegex(apt, r"(?s)Get:.*Reading package lists.*from the host\n\Z")
        self.assertRegex(version, r"\A12\.\d+\n\Z")
        self.assertEqual(failed, "")
        self.assertEqual(errors, "")
        self.assertEqual(terminal, "/dev/ttyS0\n")
        self.assertEqual(root, "/dev/vda ext4\n")
        self.assertEqual(sorted(fixture.cache().iterdir()), before)

    def serve_repository(self):
        """A package on a server of this host; the server's port."""
        tree, folder = self.scratch / "tree", self.scratch / "repository"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "greeting").write_text("from the host\n")
        control = "Package: greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.test>\n" \
                  "Description: a file\n"
        (tree / "DEBIAN" / "control").write_text(control)
        folder.mkdir()
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, folder / "greeting.deb"], check=True,
                       stdout=subprocess.DEVNULL)
        package = (folder / "greeting.deb").read_bytes()
        (folder / "Packages").write_text(f"{control}Filename: ./greeting.deb\nSize: {len(package)}\n"
                                         f"SHA256: {hashlib.sha256(package).hexdigest()}\n")

        return fixture.serve_files(self, folder)

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
