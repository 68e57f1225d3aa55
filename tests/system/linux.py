# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that ask a Linux guest through the shell on its console."""
import re
import unittest

import fixture
import messages


class Case(unittest.TestCase):
    def boot(self, initrd, *args, append="", memory="512M", cpus=1, flavour="cloud-amd64"):
        """Up to the prompt."""
        arguments = [*fixture.boots(append, flavour), "--memory", memory, "--cpus", str(cpus), *args]
        arguments[arguments.index(fixture.initrd())] = initrd
        machine = fixture.on_pipes(arguments)
        self.addCleanup(machine.close)
        machine.expect(fixture.PROMPT)
        return machine

    def ask(self, machine, command):
        """The output of a command in the guest, which must succeed."""
        machine.send(f"{command}; echo status-$?\n")
        match = machine.expect(rb"\n(.*?)status-(\d+)\r\n" + fixture.PROMPT)
        # What the shell echoed comes first; it holds the text "status-$?".
        output = match[1].decode(errors="replace").replace("\r", "")
        self.assertEqual(match[2], b"0", output)
        return output

    def power_off(self, machine):
        """In the guest; the kernel must not have complained of anything but a busy host."""
        lines = self.ask(machine, "dmesg -r | grep '^<[0-4]>' || true").splitlines()
        self.assertEqual([line for line in lines if re.match(r"<[0-4]>", line)
                          and not messages.BUSY_HOST.search(line)], [])
        machine.send("poweroff -f\n")
        self.assertEqual(machine.wait(), 0)
        self.assertEqual(machine.process.stderr.read(), b"")
