#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Small kernels by Multiboot 1 and PVH: what they are handed, as they see it themselves."""
import re
import sys
import unittest

import fixture

MIB = 1 << 20
STATUS = 0x21 << 1 | 1
PROTECTED_MODE = 1
PAGING = 1 << 31


class Protocols(unittest.TestCase):
    def setUp(self):
        self.directory = fixture.TemporaryDirectory(self)

    def run_guest(self, name, memory, *more):
        status, out, err = fixture.run_to_end(
            ["--engine", "soft", "--kernel", str(fixture.directory / name), "--memory", memory,
             "--device", "debug-exit", *more])
        self.assertEqual((status, err), (STATUS, b""), out)
        facts, ranges = {}, []
        for line in out.decode().splitlines():
            key, _, value = line.partition(" ")
            if key == "map":
                ranges.append(tuple(int(field, 16) for field in value.split()))
            else:
                facts[key] = value
        self.assertIn("end", facts)
        return facts, ranges

    def check_cpu(self, facts):
        """Protected mode without paging, flat segments, interrupts off."""
        self.assertEqual(int(facts["cr0"], 16) & (PROTECTED_MODE | PAGING), PROTECTED_MODE)
        self.assertEqual(int(facts["eflags"], 16) & 0x200, 0)
        self.assertEqual(facts["code"], "ffffffff")
        self.assertEqual(facts["data"], "ffffffff")

    def check_ranges(self, ranges, memory):
        """In order, apart, and all of the RAM but for the holes below 1 MiB."""
        end = 0
        for start, size, kind in ranges:
            self.assertGreaterEqual(start, end)
            self.assertGreater(size, 0)
            self.assertIn(kind, (1, 2, 3))
            end = start + size
        usable = sum(size for _, size, kind in ranges if kind == 1)
        self.assertLessEqual(usable, memory)
        self.assertGreater(usable, memory - MIB // 2)
        for start, size, kind in ranges:
            if kind == 1 and start < 3 << 30:
                self.assertLessEqual(start + size, 3 << 30)

    def check_module(self, facts, data):
        start, size = int(facts["module"], 16), int(facts["size"], 16)
        self.assertEqual(start % 4096, 0)
        self.assertGreaterEqual(start, MIB)
        self.assertEqual(size, len(data))
        self.assertEqual(int(facts["sum"], 16), sum(data) & 0xFFFFFFFF)

    def test_multiboot(self):
        facts, ranges = self.run_guest("boot-guest-32", "64M", "--append", "one two=three")
        self.assertEqual(facts["protocol"], "multiboot")
        self.assertEqual(facts["magic"], "2badb002")
        self.assertEqual(facts["cmdline"], "one two=three")
        self.assertEqual(facts["loader"], "trivet")
        self.check_cpu(facts)
        self.check_ranges(ranges, 64 * MIB)
        self.assertEqual(int(facts["upper"], 16), 63 * 1024)
        self.assertIn(int(facts["lower"], 16), range(600, 641))
        self.assertNotIn("module", facts)

    def test_multiboot_module(self):
        data = bytes(i * 7 & 0xFF for i in range(100_001))
        (self.directory / "module").write_bytes(data)
        facts, _ = self.run_guest("boot-guest-32", "16M", "--initrd", str(self.directory / "module"))
        self.check_module(facts, data)
        self.assertEqual(facts["string"], str(self.directory / "module"))

    def test_pvh(self):
        # The Multiboot header would win.
        image = (fixture.directory / "boot-guest-64").read_bytes()
        magic = re.search(rb"\x02\xb0\xad\x1b", image)
        pvh = image[:magic.start()] + bytes(4) + image[magic.end():]
        (self.directory / "kernel").write_bytes(pvh)
        data = bytes(i * 13 & 0xFF for i in range(70_000))
        (self.directory / "module").write_bytes(data)
        facts, ranges = self.run_guest(self.directory / "kernel", "5G", "--append", "pvh text",
                                       "--initrd", str(self.directory / "module"))
        self.assertEqual(facts["protocol"], "pvh")
        self.assertEqual(facts["magic"], "336ec578")
        self.assertEqual(facts["version"], "00000001")
        self.assertEqual(facts["cmdline"], "pvh text")
        self.assertEqual(facts["rsdp"], "20445352")
        self.check_cpu(facts)
        self.check_ranges(ranges, 5 << 30)
        self.assertIn((4 << 30, 3 << 30, 1), ranges)
        self.check_module(facts, data)

    def test_elf64_by_multiboot(self):
        facts, _ = self.run_guest("boot-guest-64", "16M")
        self.assertEqual(facts["protocol"], "multiboot")


if __name__ == "__main__":
    fixture.start(sys.argv)
    unittest.main(verbosity=2)
