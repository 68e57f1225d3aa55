# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that ask a Linux guest through the shell on its console."""
import os
import re
import shutil
import subprocess
import unittest

import fixture
import messages


MIB = 1 << 20


def pack_program(test, name, archive):
    """A program of the host and its libraries as a disk that is a tar file; its path."""
    program = shutil.which(name)
    if not program:
        test.skipTest(f"no {name}; tools/setup.sh installs it")
    libraries = re.findall(r"(/\S+)", subprocess.run(["ldd", program], capture_output=True, text=True,
                                                     check=True).stdout)
    subprocess.run(["tar", "-chf", archive, "-C", "/", *(name[1:] for name in [program, *libraries])], check=True)
    os.truncate(archive, (os.path.getsize(archive) + MIB - 1) // MIB * MIB)
    return str(archive)


class Case(unittest.TestCase):
    def boot(self, initrd, *args, append="", memory="512M", cpus=1, flavour="cloud-amd64", prefix=()):
        """Up to the prompt. `prefix`: a command that starts the machine."""
        arguments = [*fixture.boots(append, flavour), "--memory", memory, "--cpus", str(cpus), *args]
        arguments[arguments.index(fixture.initrd())] = initrd
        machine = fixture.on_pipes([], command=[*prefix, fixture.trivet, "run", *arguments])
        self.addCleanup(machine.close)
        machine.expect(fixture.PROMPT)
        return machine

    def ask(self, machine, command, seconds=0):
        """The output of a command in the guest, which must succeed; `seconds`: what it takes by itself."""
        machine.send(f"{command}; echo status-$?\n")
        match = machine.expect(rb"\n(.*?)status-(\d+)\r\n" + fixture.PROMPT, fixture.PATIENCE + seconds)
        # What the shell echoed comes first; it holds the text "status-$?".
        output = match[1].decode(errors="replace").replace("\r", "")
        self.assertEqual(match[2], b"0", output)
        return output

    def power_off(self, machine, known="(?!)"):
        """In the guest; the kernel must not have complained of anything but a busy host, and what is `known`."""
        lines = self.ask(machine, "dmesg -r | grep '^<[0-4]>' || true").splitlines()
        self.assertEqual([line for line in lines if re.match(r"<[0-4]>", line)
                          and not messages.BUSY_HOST.search(line) and not re.search(known, line)], [])
        machine.send("poweroff -f\n")
        self.assertEqual(machine.wait(), 0)
        self.assertEqual(machine.process.stderr.read(), b"")
