#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's network installer from a CD, under both firmwares, to its network and partitions.

Not in the test suite: `make check-installer` fetches the installer and runs this.
"""
import subprocess
import sys
import unittest

import fixture

ENTER = b"\r"


class Installer(unittest.TestCase):
    def start(self, firmware):
        scratch = fixture.TemporaryDirectory(self)
        disk = str(scratch / "disk.qcow2")
        subprocess.run([fixture.trivet, "image", "create", "-q", "-f", "qcow2", disk, "4G"], check=True)
        machine = fixture.on_pipes(["--engine", "soft", "--memory", "1G", "--firmware", firmware, "--disk", disk,
                                    "--net", "user", "--cdrom", str(fixture.cache() / "debian-installer.iso")])
        self.addCleanup(machine.close)
        return machine

    def answer(self, machine, dialogue, keys=ENTER):
        machine.expect(dialogue)
        # The whole dialogue is there when the line of the screen's foot is.
        machine.expect(rb"activates buttons")
        machine.send(keys)

    def go_through(self, firmware):
        """From the first question to the one behind DHCP."""
        machine = self.start(firmware)
        self.answer(machine, rb"Select a language")
        self.answer(machine, rb"Select your location")
        self.answer(machine, rb"Configure the keyboard")
        self.answer(machine, rb"Hostname:")

    def test_seabios(self):
        self.go_through("seabios")

    def test_ovmf(self):
        self.go_through("ovmf")


if __name__ == "__main__":
    fixture.start(sys.argv)
    unittest.main(verbosity=2)
