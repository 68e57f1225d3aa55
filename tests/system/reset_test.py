#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest resets, panics and ends the machine in every way it can."""
import sys
import unittest

import fixture


class Linux(unittest.TestCase):
    def test_reboot_in_every_way(self):
        """One machine that boots five times."""
        with fixture.on_pipes(fixture.boots()) as machine:
            for way in "acpi", "kbd", "pci", "triple":
                machine.expect(fixture.PROMPT)
                machine.send(f"echo {way} >/sys/kernel/reboot/type; cat /sys/kernel/reboot/type; "
                             "reboot -f\n")
                machine.expect(rb"\r\n%s\r\n" % way.encode())
                machine.expect(rb"trivet: user space reached")
            machine.expect(fixture.PROMPT)
            machine.send("poweroff -f\n")
            self.assertEqual(machine.wait(), 0)
            said = machine.process.stderr.read()
        self.assertEqual(said, b"trivet: the guest triple-faulted; resetting it\n")

    def test_no_reboot(self):
        commands = b"reboot -f\n"
        with fixture.on_pipes([*fixture.boots(), "--no-reboot", "--cpus", "2"], stdin=commands) as machine:
            self.assertEqual(machine.wait(), 0)
            self.assertEqual(machine.seen.count(b"user space reached"), 1)

    def test_panic(self):
        """panic= makes the kernel reset; that ends this machine."""
        args = [*fixture.boots("panic=-1"), "--no-reboot"]
        with fixture.on_pipes(args, stdin=b"echo c >/proc/sysrq-trigger\n") as machine:
            machine.expect(rb"Kernel panic - not syncing: sysrq triggered crash")
            self.assertEqual(machine.wait(), 0)


class Small(unittest.TestCase):
    def setUp(self):
        self.kernel = fixture.TemporaryDirectory(self) / "kernel"

    def run_code(self, code, *more):
        self.kernel.write_bytes(fixture.multiboot(code))
        return fixture.run_to_end(["--engine", "soft", "--memory", "16M", "--kernel",
                                   str(self.kernel), *more])

    def test_debug_exit(self):
        for number in 0, 1, 0x21, 0x7F:
            with self.subTest(number=number):
                result = self.run_code(fixture.debug_exit(number), "--device", "debug-exit")
                self.assertEqual(result, (number << 1 | 1, b"", b""))
        # Elsewhere, if asked for.
        code = fixture.out_byte(0x501, 3) + fixture.HANG
        self.assertEqual(self.run_code(code, "--device", "debug-exit,port=0x500")[0], 7)

    def test_debug_exit_is_off_unless_asked_for(self):
        code = fixture.debug_exit(5)[:-len(fixture.HANG)] + fixture.say(b"on") + fixture.POWER_OFF
        self.assertEqual(self.run_code(code), (0, b"on", b""))

    def test_panic(self):
        code = fixture.say(b"so") + fixture.out_byte(0x505, 1) + fixture.HANG
        self.assertEqual(self.run_code(code), (6, b"so", b"trivet: the guest panicked\n"))

    def test_no_reboot(self):
        for name, code in {"cf9": fixture.out_byte(0xCF9, 6), "keyboard": b"\xb0\xfe\xe6\x64",
                           "port 92": b"\xb0\x01\xe6\x92"}.items():
            with self.subTest(name):
                result = self.run_code(fixture.say(b"x") + code + fixture.HANG, "--no-reboot")
                self.assertEqual(result, (0, b"x", b""))

    def test_triple_fault(self):
        fault = b"\x0f\x01\x1d" + (0x300000).to_bytes(4, "little") + b"\xcc"  # lidt, int3
        self.assertEqual(self.run_code(fault, "--no-reboot"),
                         (8, b"", b"trivet: the guest triple-faulted\n"))
        status, _, said = self.run_code(fault)
        self.assertEqual(status, 8)
        self.assertIn(b"giving up\n", said)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
