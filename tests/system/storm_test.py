#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals at 10 kHz, pages that come and go and code that changes, in a stock kernel's user space.

TRIVET_STORM=ROUNDS in the environment: for longer.
"""
import os
import sys
import unittest

import fixture

ROUNDS = int(os.environ.get("TRIVET_STORM", "120"))


class Storm(unittest.TestCase):
    def setUp(self):
        self.directory = fixture.TemporaryDirectory(self)

    def check(self, environment):
        initrd = self.directory / "initramfs"
        with open(fixture.initrd(), "rb") as base, open(fixture.directory / "storm", "rb") as storm:
            initrd.write_bytes(base.read() + fixture.archive(b"storm", storm.read()))
        args = ["--engine", "soft", "--kernel", fixture.kernel(), "--initrd", str(initrd),
                "--append", f"console=ttyS0 quiet guest.run=/storm,{ROUNDS}", "--cpus", "4",
                "--memory", "512M"]
        with fixture.on_pipes(args, env=dict(os.environ, **environment)) as machine:
            patience = fixture.PATIENCE * max(1, ROUNDS / 1000)
            match = machine.expect(rb"storm: (\d+) signals, (\d+) faults, (\d+) changes[^\n]*\n",
                                   patience)
            for number in match.groups():
                self.assertGreater(int(number), 0, match.group(0))
            wrong = machine.expect(rb"storm: (\d+) wrong: [^\n]*\n")
            self.assertEqual(wrong.group(1), b"0", wrong.group(0))
            self.assertEqual(machine.wait(), 0, machine.complain("not powered off"))

    def test_as_it_is(self):
        self.check({})

    def test_all_translated(self):
        self.check({"TRIVET_SOFT_HEAT": "0"})


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    if not (fixture.directory / "storm").exists():
        print("skipped: this build has no static program for the guest")
        sys.exit(fixture.SKIPPED)
    unittest.main(verbosity=2)
