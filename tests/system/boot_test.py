#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's cloud kernel boots to the shell; what was piped in before is all read there. How it gets its initrd."""
import gzip
import lzma
import pathlib
import subprocess
import sys
import tempfile
import unittest

import fixture


UUID = "00112233-4455-6677-8899-aabbccddeeff"


class Boot(unittest.TestCase):
    def check(self, cpus, memory, *options):
        commands = (b"uname -a\nnproc\ngrep MemTotal /proc/meminfo\ngrep HPET /proc/iomem\n"
                    b"cat /sys/devices/system/clocksource/clocksource0/av*\n"
                    b"cat /sys/class/dmi/id/product_[nu]*\necho last-of-the-input\npoweroff -f\n")
        with fixture.on_pipes([*fixture.boots(), "--cpus", str(cpus), "--memory", memory, "--uuid", UUID,
                               "--smbios", "system,product=My PC,, large", *options],
                              stdin=commands) as machine:
            machine.expect(rb"trivet: user space reached")
            machine.expect(fixture.PROMPT + rb"uname -a\r\nLinux trivet \S+ .*x86_64 GNU/Linux\r\n")
            machine.expect(fixture.PROMPT + rb"nproc\r\n%d\r\n" % cpus)
            machine.expect(fixture.PROMPT + rb"grep[^\n]*\nMemTotal: +\d+ kB\r\n")
            machine.expect(rb"fed00000-fed003ff : HPET 0\r\n")
            machine.expect(rb"clocksource0/av\*\r\n[^\n]*\bhpet\b[^\n]*\n")
            machine.expect(rb"\nMy PC, large\r\n" + UUID.encode() + rb"\r\n")
            machine.expect(fixture.PROMPT + rb"echo last-of-the-input\r\nlast-of-the-input\r\n")
            self.assertEqual(machine.wait(), 0, machine.complain("not powered off"))
            self.assertEqual(machine.process.stderr.read(), b"")

    def test_one_cpu(self):
        self.check(1, "256M")

    def test_four_cpus(self):
        self.check(4, "512M")

    def test_kernel_unpacks_itself(self):
        self.check(1, "256M", "--unpack", "off")


class Initrd(unittest.TestCase):
    """The kernel tells how much memory the initrd took: whether it was unpacked for it."""

    @classmethod
    def setUpClass(cls):
        cls.plain = gzip.decompress(pathlib.Path(fixture.initrd()).read_bytes())

    def check(self, packed, size, *options):
        with tempfile.NamedTemporaryFile(prefix="trivet-initrd-") as file:
            file.write(packed)
            file.flush()
            output = subprocess.run(
                [fixture.trivet, "run", "--engine", "soft", "--memory", "256M", "--kernel", fixture.kernel("cloud-amd64"),
                 "--initrd", file.name, "--append", "console=ttyS0 quiet guest.run=dmesg,-r", *options],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=300, check=True).stdout
        self.assertIn(b"user space reached", output)
        self.assertIn(b"Freeing initrd memory: %dK" % (-(-size // 4096) * 4), output)

    def test_gzip(self):
        self.check(gzip.compress(self.plain), len(self.plain))

    def test_xz_behind_a_plain_one(self):
        empty = self.plain[self.plain.rindex(b"070701"):]
        empty += bytes(-len(empty) % 512)
        self.check(empty + lzma.compress(self.plain, check=lzma.CHECK_CRC32), len(empty) + len(self.plain))

    def test_too_much_for_the_memory(self):
        """The kernel makes files of 20 MiB, for which it would not have room beside as much."""
        name = b"zeros\0"
        size = 20 << 20
        fields = [1, 0o100644, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name), 0]
        more = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        more += bytes(-len(more) % 4 + size) + self.plain[self.plain.rindex(b"070701"):]
        packed = gzip.compress(self.plain + bytes(-len(self.plain) % 4)) + gzip.compress(more + bytes(-len(more) % 4))
        self.check(packed, len(packed), "--memory", "128M")

    def test_the_kernel_unpacks_it(self):
        packed = gzip.compress(self.plain)
        self.check(packed, len(packed), "--unpack", "off")


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
