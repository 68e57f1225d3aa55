#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal: raw while a guest has it, as it was before on every way out."""
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

TRIVET = sys.argv.pop(1)
PATIENCE = 100  # seconds, for what a busy host may delay


def write_guest(path):
    """A Multiboot ELF whose guest repeats on COM1 what it reads there, by polling."""
    code = bytes.fromhex(
        "66bafd03"  # 1: mov dx, 3fdh
        "eca801"    #    in al, dx; test al, 1
        "74f7"      #    jz 1
        "66baf803"  #    mov dx, 3f8h
        "ecee"      #    in al, dx; out dx, al
        "ebef")     #    jmp 1
    base, header = 0x100000, 52 + 32
    entry = base + header + 12
    size = header + 12 + len(code)
    elf = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, entry, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 7, 1)
    multiboot = struct.pack("<III", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF)
    with open(path, "wb") as out:
        out.write(elf + segment + multiboot + code)


class Terminal(unittest.TestCase):
    def setUp(self):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.kernel = tempfile.NamedTemporaryFile(suffix=".elf")
        write_guest(self.kernel.name)
        self.process = subprocess.Popen(
            [TRIVET, "run", "--engine", "soft", "--memory", "16M", "--kernel", self.kernel.name],
            stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE, start_new_session=True,
            # In a sanitized build SIGSEGV has its default action, too.
            env={**os.environ, "ASAN_OPTIONS": "handle_segv=0"})
        deadline = time.time() + PATIENCE
        while termios.tcgetattr(self.slave)[3] & termios.ICANON:
            self.assertIsNone(self.process.poll(), "it ended at once")
            self.assertLess(time.time(), deadline, "the terminal never became raw")
            time.sleep(0.01)

    def tearDown(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)

    def read_until(self, text):
        seen, deadline = b"", time.time() + PATIENCE
        while text not in seen:
            self.assertLess(time.time(), deadline, f"{text!r} did not come, but {seen!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                seen += os.read(self.master, 4096)
        return seen

    def wait_for_guest(self):
        """Until it runs. The terminal is raw from before the machine is complete."""
        os.write(self.master, b".")
        self.read_until(b".")

    def check_end(self, *statuses):
        self.assertIn(self.process.wait(PATIENCE), statuses)
        self.assertEqual(termios.tcgetattr(self.slave), self.before)

    def test_keys_reach_the_guest(self):
        os.write(self.master, b"a\x03\x1a\x01\x01b")
        self.assertIn(b"a\x03\x1a\x01b", self.read_until(b"b"))
        os.write(self.master, b"\x01x")
        self.check_end(0)

    def test_help(self):
        os.write(self.master, b"\x01h")
        self.read_until(b"Ctrl-A x")
        os.write(self.master, b"\x01x")
        self.check_end(0)

    def test_terminating_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(signal=number):
                self.wait_for_guest()
                os.kill(self.process.pid, number)
                self.check_end(10)
                self.tearDown()
                self.setUp()
        os.write(self.master, b"\x01x")
        self.check_end(0)

    def test_terminating_signals_while_starting(self):
        """Before the machine runs they have their default action; the terminal is as it was."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(signal=number):
                os.kill(self.process.pid, number)
                self.check_end(-number, 10)
                self.tearDown()
                self.setUp()

    def test_crash(self):
        os.kill(self.process.pid, signal.SIGSEGV)
        self.check_end(-signal.SIGSEGV)

    def test_stopped_and_continued(self):
        os.kill(self.process.pid, signal.SIGSTOP)
        os.kill(self.process.pid, signal.SIGCONT)
        os.write(self.master, b"z")
        self.read_until(b"z")
        os.write(self.master, b"\x01x")
        self.check_end(0)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # test_crash waits for no core to be written
    unittest.main()
