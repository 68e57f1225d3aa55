#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A shell on a terminal: job control, the keys that mean something, the terminal restored."""
import os
import signal
import sys
import unittest

import fixture


class Interactive(unittest.TestCase):
    def start(self, *more):
        machine = fixture.TerminalSession([*fixture.boots(), *more])
        self.addCleanup(machine.close)
        machine.expect(fixture.PROMPT)
        return machine

    def command(self, machine, line, answer):
        machine.send(line + "\n")
        return machine.expect(answer)

    def press(self, machine, key, answer):
        """Until it takes effect: before the job has the terminal, the key is the shell's, which
        leaves it alone."""
        for _ in range(12):
            machine.send(key)
            try:
                return machine.expect(answer, fixture.PATIENCE / 12)
            except fixture.Ended:
                raise
            except AssertionError as error:
                last = error
        raise last

    def test_job_control(self):
        machine = self.start()
        self.assertTrue(machine.is_raw())
        self.assertNotIn(b"job control turned off", machine.seen)
        self.assertNotIn(b"can't access tty", machine.seen)

        # The host's terminal driver adds a carriage return of its own to the guest's.
        self.command(machine, "tty", rb"\n/dev/(console|ttyS0)\r+\n")
        self.command(machine, "sleep 1000 &", fixture.PROMPT)
        self.command(machine, "jobs", rb"\[1\]\+ +Running +sleep 1000\r+\n")
        self.command(machine, "fg", rb"fg\r+\nsleep 1000\r+\n")
        self.press(machine, b"\x1a", rb"\[1\]\+ +Stopped +sleep 1000(\^Z)*\r+\n" + fixture.PROMPT)
        self.command(machine, "bg", rb"\[1\] sleep 1000\r+\n" + fixture.PROMPT)
        self.command(machine, "fg", rb"fg\r+\nsleep 1000\r+\n")
        self.press(machine, b"\x03", fixture.PROMPT)
        self.command(machine, "echo status $?", rb"\nstatus 130\r+\n" + fixture.PROMPT)

        # A pipeline and a shell's child get it, too; the shell stays.
        self.command(machine, "sh -c 'echo ready; sleep 1000' | cat", rb"\nready\r+\n")
        self.press(machine, b"\x03", fixture.PROMPT)
        # Line editing: what was typed is rubbed out.
        self.command(machine, "echo wrong\x15echo right", rb"\nright\r+\n" + fixture.PROMPT)
        # Ctrl-A Ctrl-A is a Ctrl-A of the guest: to the start of the line.
        self.command(machine, "lo\x01\x01echo hel\x05!", rb"\nhello!\r+\n" + fixture.PROMPT)
        self.command(machine, "poweroff -f", rb"poweroff")
        self.assertEqual(machine.wait(), 0)
        self.assertTrue(machine.is_restored())

    def test_leaving_the_shell_powers_off(self):
        machine = self.start("--cpus", "2")
        machine.send(b"\x04")
        self.assertEqual(machine.wait(), 0)
        self.assertTrue(machine.is_restored())


class WaysOut(unittest.TestCase):
    """With a guest of a few instructions; every way gives the terminal back."""

    def setUp(self):
        self.kernel = fixture.TemporaryDirectory(self) / "kernel"

    def start(self, code, *more):
        self.kernel.write_bytes(fixture.multiboot(code))
        machine = fixture.TerminalSession(["--engine", "soft", "--memory", "16M", "--kernel",
                                           str(self.kernel), *more])
        self.addCleanup(machine.close)
        return machine

    def ends(self, machine, status):
        self.assertEqual(machine.wait(), status)
        self.assertTrue(machine.is_restored())

    def test_escape_key(self):
        machine = self.start(fixture.ECHO)
        machine.send(b"abc")
        machine.expect(rb"abc")
        machine.send(b"\x01x")
        self.ends(machine, 0)

    def test_escape_key_while_the_guest_hangs(self):
        machine = self.start(fixture.say(b"here") + fixture.HANG)
        machine.expect(rb"here")
        machine.send(b"never read" * 1000 + b"\x01x")
        self.ends(machine, 0)

    def test_power_off_by_the_guest(self):
        machine = self.start(fixture.ECHO)
        machine.send(b"!")
        self.ends(machine, 0)

    def test_debug_exit(self):
        self.ends(self.start(fixture.debug_exit(5), "--device", "debug-exit"), 11)

    def test_panic(self):
        machine = self.start(fixture.out_byte(0x505, 1) + fixture.HANG)
        self.ends(machine, 6)
        self.assertIn(b"the guest panicked", machine.seen)

    def test_signals(self):
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT:
            with self.subTest(signal=number):
                machine = self.start(fixture.say(b"here") + fixture.HANG)
                machine.expect(rb"here")
                os.kill(machine.process.pid, number)
                self.ends(machine, 10)

    def test_failures_to_start(self):
        for more in (["--kernel", "/nonexistent"], ["--initrd", "/nonexistent"],
                     ["--console", "stdio", "--console", "stdio"], ["--device", "toaster"],
                     ["--append", "x" * 100000], ["--memory", "1000T"], ["--cpus", "0"]):
            with self.subTest(options=more[0]):
                machine = self.start(fixture.HANG, *more)
                self.ends(machine, 2)

    def test_the_terminal_goes_away(self):
        machine = self.start(fixture.say(b"here") + fixture.HANG)
        machine.expect(rb"here")
        os.kill(machine.process.pid, signal.SIGSTOP)
        os.kill(machine.process.pid, signal.SIGCONT)
        os.close(machine.reader)
        os.close(machine.writer)
        machine.reader = machine.writer = -1
        # The kernel's SIGHUP ends it: no process is left on a terminal that is gone.
        self.assertEqual(machine.process.wait(fixture.PATIENCE), 10)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
