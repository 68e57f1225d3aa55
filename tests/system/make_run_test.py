#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run`, with a pipe and with a terminal: the steps before the machine leave input alone."""
import os
import pathlib
import sys
import unittest

import fixture

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent


class MakeRun(unittest.TestCase):
    def command(self):
        return ["make", "-C", str(PROJECT), "run", f"BUILD={os.path.dirname(fixture.trivet)}",
                f"CACHE={fixture.cache()}", "KERNEL=cloud-amd64"]

    def test_pipe(self):
        with fixture.on_pipes([], command=self.command(), stdin=b"uname -a; poweroff -f\n") as machine:
            machine.expect(rb"\nLinux trivet [^\n]* x86_64 GNU/Linux\r\n")
            self.assertEqual(machine.wait(), 0)

    def test_terminal(self):
        machine = fixture.TerminalSession([], command=self.command())
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


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
