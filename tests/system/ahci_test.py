#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""AHCI: Linux reads a CD and verifies a disk, with messages and with the pin; firmware boots from a CD."""
import os
import random
import shutil
import subprocess
import sys
import unittest

import fixture
import linux

FLAVOUR = "amd64"  # the cloud kernel has no AHCI
MIB = 1 << 20

GRUB = """serial --unit=0
terminal_output serial
md5sum /data
halt
"""


def md5(path):
    return subprocess.run(["md5sum", path], capture_output=True, text=True, check=True).stdout.split()[0]


class Ahci(linux.Case):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self)
        self.tree = self.scratch / "tree"
        (self.tree / "folder").mkdir(parents=True)
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        (self.tree / "data").write_bytes(chance.randbytes(4 * MIB + 321))
        (self.tree / "folder" / "A file with a long name, and a comma").write_bytes(chance.randbytes(2049))

    def path(self, name):
        return str(self.scratch / name)

    def make_iso(self):
        if not shutil.which("xorriso"):
            self.skipTest("no xorriso; tools/setup.sh installs it")
        iso = self.path("a,b.iso")
        subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", iso, str(self.tree)], check=True,
                       stderr=subprocess.DEVNULL)
        return iso

    def start(self, *args, append=""):
        fixture.require_kernel(FLAVOUR)
        initrd = fixture.initrd_with_modules(self.scratch / "initrd", f"ata-{FLAVOUR}")
        machine = self.boot(initrd, *args, append=append, flavour=FLAVOUR)
        self.ask(machine, "modprobe -a ahci sd_mod sr_mod isofs")
        self.ask(machine, "while [ ! -b /dev/sr0 ] || [ ! -b /dev/sda ]; do sleep 0.1; done")
        return machine

    def check_cd(self, machine):
        self.ask(machine, "mkdir -p /cd && mount -t iso9660 -o ro /dev/sr0 /cd")
        sums = self.ask(machine, "cd /cd && find . -type f -exec md5sum {} +; cd")
        for name in "data", "folder/A file with a long name, and a comma":
            self.assertIn(f"{md5(self.tree / name)}  ./{name}", sums)

    def check_disk(self, machine, disk):
        """What the CD has is written, trimmed in part, and read by the guest and from the image."""
        self.ask(machine, "dd if=/cd/data of=/dev/sda bs=64k conv=fsync 2>/dev/null")
        self.ask(machine, "echo 3 > /proc/sys/vm/drop_caches")
        self.ask(machine, "head -c $(stat -c %s /cd/data) /dev/sda | cmp - /cd/data")
        self.ask(machine, "blkdiscard -o 1048576 -l 1048576 /dev/sda")
        self.ask(machine, "umount /cd")

    def test_linux_reads_a_cd_and_a_disk(self):
        disk = self.path("disk")
        with open(disk, "wb") as file:
            file.truncate(16 * MIB)
        machine = self.start("--cpus", "2", "--cdrom", self.make_iso(),
                             "--device", f"ahci-disk,file={disk},format=raw,serial=NUMBER-1")
        self.check_cd(machine)
        self.check_disk(machine, disk)
        self.assertRegex(self.ask(machine, "cat /proc/interrupts"), r"PCI-MSI.*ahci")
        self.assertIn("NCQ (depth 32)", self.ask(machine, "dmesg | grep ata1.00"))
        # Ejected when it is closed; without a medium it cannot be read; the tray closes when it is opened.
        read = "dd if=/dev/sr0 of=/dev/null count=1 2>/dev/null"
        self.ask(machine, f"cd /proc/sys/dev/cdrom && echo 1 > autoeject && {read} && echo 0 > autoclose")
        self.ask(machine, f"! {read} && echo 1 > autoclose && echo 0 > autoeject && {read}")
        self.power_off(machine)
        data = (self.tree / "data").read_bytes()
        with open(disk, "rb") as file:
            self.assertEqual(file.read(len(data)), data[:MIB] + bytes(MIB) + data[2 * MIB:])

    def test_with_the_interrupt_pin(self):
        disk = self.path("disk")
        with open(disk, "wb") as file:
            file.truncate(16 * MIB)
        machine = self.start("--cdrom", self.make_iso(), "--device", f"ahci-disk,file={disk},format=raw",
                             append="pci=nomsi")
        self.check_cd(machine)
        self.assertRegex(self.ask(machine, "cat /proc/interrupts"), r"IO-APIC +1[6-9]-fasteoi +ahci")
        self.power_off(machine)

    def boot_firmware(self, firmware):
        if not shutil.which("grub-mkrescue") or not shutil.which("xorriso"):
            self.skipTest("no grub-mkrescue or xorriso; tools/setup.sh installs them")
        (self.tree / "boot" / "grub").mkdir(parents=True)
        (self.tree / "boot" / "grub" / "grub.cfg").write_text(GRUB)
        iso = self.path("boot.iso")
        subprocess.run(["grub-mkrescue", "-o", iso, str(self.tree)], check=True, capture_output=True)
        machine = fixture.on_pipes(["--engine", "soft", "--firmware", firmware, "--memory", "256M",
                                    "--cdrom", iso])
        self.addCleanup(machine.close)
        match = machine.expect(rb"([0-9a-f]{32})  /data")
        self.assertEqual(match[1].decode(), md5(self.tree / "data"))
        self.assertEqual(machine.wait(), 0)

    def test_seabios_boots_from_a_cd(self):
        if not os.path.exists("/usr/share/seabios/bios-256k.bin"):
            self.skipTest("no SeaBIOS; tools/setup.sh installs it")
        self.boot_firmware("seabios")

    def test_ovmf_boots_from_a_cd(self):
        if not os.path.exists("/usr/share/OVMF/OVMF_CODE_4M.fd"):
            self.skipTest("no OVMF; tools/setup.sh installs it")
        self.boot_firmware("ovmf")


if __name__ == "__main__":
    fixture.start(sys.argv)
    unittest.main(verbosity=2)
