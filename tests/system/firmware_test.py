#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SeaBIOS and OVMF: to where they find nothing, GRUB from a disk, a kernel by fw_cfg, reboots."""
import datetime
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

import boot_disk
import fixture

SEABIOS = "/usr/share/seabios/bios-256k.bin"
OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd"
# Written by GRUB itself to the serial port; what it has on the screen comes with cursor movements in between.
GRUB = rb"trivet: GRUB on the serial port"
disk = None


class Firmware(unittest.TestCase):
    def run_machine(self, *options):
        return fixture.on_pipes(["--engine", "soft", "--memory", "256M", *options])

    def finish(self, machine):
        machine.send("poweroff -f\n")
        self.assertEqual(machine.wait(), 0, machine.complain("not powered off"))

    def boot(self, firmware, *options):
        machine = self.run_machine("--firmware", firmware, "--disk", f"{disk},read-only=on",
                                   "--smbios", "system,product=My PC,serial=S-1", *options)
        self.addCleanup(machine.close)
        machine.expect(GRUB)
        machine.expect(rb"trivet: user space reached")
        return machine

    def ask(self, machine, command):
        machine.send(command + "; echo 'end of'' it'\n")
        return machine.expect(rb"(.*?)end of it\r\n").group(1).decode()

    def check_system(self, machine):
        self.assertIn("QEMU0002:00", self.ask(machine, "ls /sys/bus/acpi/devices"))
        self.assertRegex(self.ask(machine, "dmesg | grep MMCONFIG"), "MMCONFIG at .* reserved in")
        self.assertIn("\nMy PC\r\nS-1\r\n", self.ask(machine, "cat /sys/class/dmi/id/product_[ns]*"))
        self.assertRegex(self.ask(machine, "cat /sys/class/dmi/id/bios_vendor"), "SeaBIOS|EFI")
        # Windows, addresses and interrupts that firmware chose are what the tables say.
        self.assertEqual(self.ask(machine, "dmesg | grep -c -e 't claim' -e 'irmware Bug'").split()[-1], "0")

    def test_seabios_finds_no_disk(self):
        with self.run_machine("--firmware", "seabios") as machine:
            machine.expect(rb"SeaBIOS \(version")
            machine.expect(rb"No bootable device")

    def test_seabios_starts_grub(self):
        machine = self.boot("seabios", "--cpus", "2")
        self.check_system(machine)
        self.assertIn("\n2\r", self.ask(machine, "nproc"))
        machine.send("reboot -f\n")
        machine.expect(GRUB)
        machine.expect(rb"trivet: user space reached")
        self.finish(machine)

    def test_ovmf_starts_grub_and_keeps_variables(self):
        variables = fixture.TemporaryDirectory(self) / "vars.fd"
        machine = self.boot(f"ovmf,vars={variables}")
        self.check_system(machine)
        self.finish(machine)
        first = variables.read_bytes()
        self.assertIn("Boot0001".encode("utf-16-le"), first)
        machine = self.boot(f"ovmf,vars={variables}")
        status, _, error = fixture.run_to_end(["--engine", "soft", "--firmware", f"ovmf,vars={variables}"])
        self.assertEqual((status, error.count(b"another machine uses it")), (2, 1), error)
        self.finish(machine)

    def test_ovmf_starts_a_kernel(self):
        machine = self.run_machine("--firmware", "ovmf", *fixture.boots(), "--cpus", "2")
        self.addCleanup(machine.close)
        machine.expect(rb"trivet: user space reached")
        self.assertIn("efi: EFI v2", self.ask(machine, "dmesg | grep efi:"))
        machine.send("reboot -f\n")
        machine.expect(rb"trivet: user space reached")
        self.finish(machine)

    def test_seabios_starts_what_bootindex_says(self):
        one, two = self.saying_disk("one"), self.saying_disk("two")
        for options, name in (
                (["--disk", one, "--disk", two], b"one"),
                (["--disk", f"{one},bootindex=2", "--disk", f"{two},bootindex=1"], b"two"),
                (["--disk", f"{one},bootindex=2", "--device", "root-port",
                  "--device", f"virtio-blk,file={two},bootindex=1,port=1"], b"two"),
                (["--disk", one, "--device", f"ahci-disk,file={two},port=3,bootindex=0"], b"two")):
            with self.subTest(options=options), self.run_machine("--firmware", "seabios", *options) as machine:
                self.assertEqual(machine.expect(rb"disk (\w+)!")[1], name)

    def saying_disk(self, name):
        """A disk whose first sector says its name on the serial port."""
        path = fixture.TemporaryDirectory(self) / name
        # out_byte() is of 32-bit code: its prefix is what 16-bit code does without.
        code = b"".join(fixture.out_byte(0x3F8, byte)[1:] for byte in f"disk {name}!".encode()) + fixture.HANG
        path.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
        return f"{path},format=raw"

    def test_ovmf_starts_what_bootindex_says(self):
        image = f"{disk},read-only=on"
        for options, path in (
                (["--disk", f"{image},bootindex=1", "--disk", f"{image},bootindex=2"], rb"Pci(0x1,0x0)"),
                (["--disk", f"{image},bootindex=2", "--disk", f"{image},bootindex=1"], rb"Pci(0x2,0x0)"),
                (["--disk", image, "--device", f"ahci-disk,file={image},port=3,bootindex=0"],
                 rb"Pci(0x2,0x0)/Sata(0x3,")):
            with self.subTest(options=options), self.run_machine("--firmware", "ovmf", *options) as machine:
                started = machine.expect(rb'starting Boot\d+ "[^"]*" from PciRoot\(0x0\)/(\S+)\r')[1]
                self.assertTrue(started.startswith(path), started)

    def test_ovmf_starts_from_the_network(self):
        """What the user-mode network's DHCP and TFTP give it."""
        folder = fixture.TemporaryDirectory(self)
        (folder / "early.cfg").write_text('echo "GRUB came over the network"\nhalt\n')
        boot_disk.run("grub-mkimage", "-O", "x86_64-efi", "-c", str(folder / "early.cfg"), "-p", "/", "-o",
                      str(folder / "boot.efi"), "echo", "halt")
        with self.run_machine("--firmware", "ovmf", "--disk", f"{disk},read-only=on", "--net",
                              f"user,tftp={folder.path},bootfile=boot.efi,bootindex=0") as machine:
            machine.expect(rb"GRUB came over the network")
            self.assertEqual(machine.wait(), 0)

    def test_ovmf_reads_and_sets_the_clock(self):
        """Its runtime services for time, by its shell. What it prints has cursor movements in between."""
        machine = self.run_machine("--firmware", "ovmf")
        self.addCleanup(machine.close)
        machine.expect(rb"any other key to continue")
        machine.send("\r")
        machine.expect(rb"Shell> ")
        machine.send("date\r")
        today = machine.expect(rb"\n(\d\d)/(\d\d)/(\d{4})\r")
        told = datetime.date(int(today[3]), int(today[1]), int(today[2]))
        self.assertLess(abs(told - datetime.datetime.now(datetime.timezone.utc).date()), datetime.timedelta(2))
        machine.send("date 12/31/2031\r")
        machine.expect(rb"Shell> ")
        machine.expect(rb"Shell> ")
        machine.send("time 23:59:58\r")
        machine.expect(rb"Shell> ")
        machine.send("date\r")
        while machine.expect(rb"\n(\d\d/\d\d/\d{4})\r")[1] != b"01/01/2032":
            machine.send("date\r")
        machine.send("reset -s\r")
        self.assertEqual(machine.wait(), 0)

    def test_bad_input(self):
        directory = fixture.TemporaryDirectory(self)
        (directory / "odd").write_bytes(b"x" * 5000)
        (directory / "large").write_bytes(b"")
        os.truncate(directory / "large", 9 << 20)
        (directory / "not-a-kernel").write_bytes(b"x" * 5000)
        for options, message in (
                (["--firmware", "nowhere"], b"firmware nowhere: No such file"),
                (["--firmware", "/"], b"firmware /: must be a file"),
                (["--firmware", str(directory / "odd")], b"multiple of 4 KiB"),
                (["--firmware", str(directory / "large")], b"at most 8 MiB"),
                (["--firmware", "ovmf,vars=/nowhere/x"], b"vars=/nowhere/x: cannot be made"),
                (["--firmware", "ovmf,colour=red"], b"colour"),
                (["--firmware", "seabios", "--kernel", fixture.kernel()], b"SeaBIOS starts no kernel"),
                (["--firmware", "ovmf", "--kernel", str(directory / "not-a-kernel")],
                 b"firmware takes a bzImage only"),
                (["--firmware", "seabios", "--fw-cfg", "name=opt/x"], b"must be name=NAME"),
                (["--firmware", "seabios", "--fw-cfg", "name=opt/x,file=/nowhere"], b"No such file"),
                (["--firmware", "seabios", "--device", "ahci-cd,bootindex=1", "--device", "ahci-cd,bootindex=1"],
                 b"bootindex=1: another device has it"),
                ([], b"nothing to start")):
            with self.subTest(options=options):
                status, _, error = fixture.run_to_end(["--engine", "soft", *options])
                self.assertEqual((status, message in error), (2, True), error)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    lacking = [path for path in (SEABIOS, OVMF) if not os.path.exists(path)] + boot_disk.missing()
    if lacking:
        print(f"skipped: {', '.join(lacking)} missing; tools/setup.sh check installs them")
        sys.exit(fixture.SKIPPED)
    place = pathlib.Path(tempfile.mkdtemp(prefix="trivet-firmware."))
    try:
        disk = boot_disk.make(place, fixture.kernel(), fixture.initrd())
        result = unittest.main(verbosity=2, exit=False).result
    finally:
        shutil.rmtree(place)
    sys.exit(not result.wasSuccessful())
