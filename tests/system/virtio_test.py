#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux's own drivers with the PCI and virtio devices: quiet, and with the facts right."""
import re
import socket
import sys
import time
import unittest

import fixture
import linux


class Virtio(linux.Case):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self)
        self.initrd = fixture.initrd_with_modules(self.scratch / "initrd")

    def start(self, *args, **options):
        initrd = self.initrd
        if "flavour" in options:
            initrd = fixture.initrd_with_modules(self.scratch / "other-initrd", options["flavour"])
        return self.boot(initrd, *args, **options)

    def check_rng(self, append, interrupt, *args, **options):
        machine = self.start("--device", "virtio-rng", "--device", "root-port",
                             "--device", "virtio-rng,port=1,packed=on", *args, append=append, **options)
        self.ask(machine, "modprobe -a virtio_pci virtio-rng")
        for number in 0, 1:
            self.ask(machine, f"echo virtio_rng.{number} > /sys/class/misc/hw_random/rng_current")
            one = self.ask(machine, "dd if=/dev/hwrng bs=512 count=64 2>&1 | md5sum")
            other = self.ask(machine, "dd if=/dev/hwrng bs=512 count=64 2>&1 | md5sum")
            self.assertRegex(one, r"[0-9a-f]{32}")
            self.assertNotEqual(one, other)
            self.assertIn("32768", self.ask(machine, "dd if=/dev/hwrng bs=512 count=64 2>/dev/null | wc -c"))
        self.assertRegex(self.ask(machine, "cat /proc/interrupts"), interrupt)
        return machine

    def test_entropy_on_the_root_bus_and_behind_a_port(self):
        machine = self.check_rng("", r"PCI-MSI.*virtio[01]-input")
        devices = self.ask(machine, "cd /sys/bus/pci/devices; for d in *; do"
                                    " echo $d $(cat $d/vendor) $(cat $d/device) $(cat $d/class); done; cd")
        for line in ("0000:00:00.0 0x8086 0x29c0 0x060000", "0000:00:01.0 0x1b36 0x000c 0x060400",
                     "0000:00:02.0 0x1af4 0x1044 0x00ff00", "0000:01:00.0 0x1af4 0x1044 0x00ff00"):
            self.assertIn(line, devices)
        self.assertIn("PCIe", self.ask(machine, "dmesg | grep 'OS now controls'"))
        self.assertIn("reserved in ACPI", self.ask(machine, "dmesg | grep MMCONFIG"))
        memory = self.ask(machine, "cat /proc/iomem")
        self.assertRegex(memory, r"c0[0-9a-f]{6}-c0[0-9a-f]{6} : 0000:01:00.0")
        self.assertRegex(memory, r"PCI MMCONFIG 0000 \[bus 00-3f\]")
        self.power_off(machine)

    def test_interrupts_by_irqfd_move_between_cpus(self):
        machine = self.start("--device", "virtio-rng,irqfd=on,iothread=1", cpus=2)
        self.ask(machine, "modprobe -a virtio_pci virtio-rng")
        number = re.search(r"^ *(\d+):.*virtio0-input", self.ask(machine, "cat /proc/interrupts"), re.M)[1]
        # Each change of the affinity masks the vector and changes its message; the device goes on meanwhile.
        self.ask(machine, "( (dd if=/dev/hwrng of=/dev/null bs=64 count=4000; touch /tmp/done) 2>/dev/null & )")
        self.ask(machine, f"for i in $(seq 100); do echo $((1 + i % 2)) > /proc/irq/{number}/smp_affinity; done")
        self.ask(machine, "until [ -e /tmp/done ]; do sleep 0.1; done")
        for cpu in 1, 2:
            self.ask(machine, f"echo {cpu} > /proc/irq/{number}/smp_affinity;"
                              " dd if=/dev/hwrng of=/dev/null bs=64 count=50 2>/dev/null")
        counts = re.search(rf"^ *{number}: +(\d+) +(\d+) ", self.ask(machine, "cat /proc/interrupts"), re.M)
        self.assertGreater(int(counts[1]), 0)
        self.assertGreater(int(counts[2]), 0)
        self.power_off(machine)

    def test_interrupt_pins(self):
        self.power_off(self.check_rng("pci=nomsi", r"IO-APIC +1[6-9]-fasteoi +virtio"))

    def test_interrupt_pins_through_the_pic(self):
        machine = self.check_rng("pci=nomsi noapic", r"1[01]: .*XT-PIC +virtio")
        machine.send("poweroff -f\n")
        self.assertEqual(machine.wait(), 0)

    def test_interrupt_pins_by_the_multiprocessor_table(self):
        # The cloud kernel does not read it.
        machine = self.check_rng("acpi=off pci=nomsi", r"IO-APIC +(?:1[6-9]|2[0-3])-fasteoi +virtio", "--no-reboot",
                                 cpus=2, flavour="amd64")
        self.assertIn("2", self.ask(machine, "nproc"))
        self.assertRegex(self.ask(machine, "cat /proc/interrupts"), r"IO-APIC +4-edge +ttyS0")
        self.assertIn("found SMP MP-table at [mem 0x0009fc00-", self.ask(machine, "dmesg | grep MP-table"))
        machine.send("reboot -f\n")
        self.assertEqual(machine.wait(), 0)

    def test_memory_on_both_sides_of_the_hole(self):
        machine = self.start("--device", "virtio-rng", memory="5G", cpus=2)
        self.ask(machine, "modprobe -a virtio_pci virtio-rng")
        self.assertIn("16384", self.ask(machine, "dd if=/dev/hwrng bs=512 count=32 2>/dev/null | wc -c"))
        memory = self.ask(machine, "cat /proc/iomem")
        self.assertRegex(memory, r"100000000-1bfffffff : System RAM")
        self.assertRegex(memory, r"1c0000000-[0-9a-f]+ : PCI Bus 0000:00")
        self.power_off(machine)

    def dial(self, path):
        """A client of a UNIX socket of the machine's."""
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(fixture.PATIENCE)
        client.connect(str(path))
        self.addCleanup(client.close)
        return client

    def test_console_and_ports(self):
        console, port, out = (str(self.scratch / name) for name in ("console", "port", "out"))
        machine = self.start("--device", f"virtio-console,char=unix:{console},port1=org.test.one:unix:{port},"
                             f"port2=two:file:{out}", cpus=2)
        self.ask(machine, "modprobe -a virtio_pci virtio_console")
        self.ask(machine, "while [ ! -e /dev/vport0p2 ]; do sleep 0.1; done")
        self.assertEqual(self.ask(machine, "cat /sys/class/virtio-ports/*/name").split()[-2:],
                         ["org.test.one", "two"])
        # A port, both ways; a reader that was not there yet gets what came before.
        client = self.dial(port)
        client.sendall(b"hello guest\n")
        self.assertIn("hello guest", self.ask(machine, "head -n1 /dev/vport0p1"))
        self.ask(machine, "echo hello host > /dev/vport0p1")
        self.assertEqual(client.recv(100), b"hello host\n")
        # The console, both ways.
        terminal = self.dial(console)
        self.ask(machine, "echo to-the-host > /dev/hvc0")
        self.assertEqual(terminal.recv(100), b"to-the-host\r\n")
        terminal.sendall(b"from-the-host\n")
        self.assertIn("from-the-host", self.ask(machine, "head -n1 /dev/hvc0"))
        # More than any buffer holds, to a file.
        self.ask(machine, "dd if=/dev/zero bs=65536 count=64 2>/dev/null | tr '\\0' x > /dev/vport0p2")
        self.power_off(machine)
        with open(out, "rb") as file:
            self.assertEqual(file.read(), b"x" * (64 * 65536))

    def resident(self, machine):
        """MiB of the machine's process."""
        with open(f"/proc/{machine.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) >> 10

    def wait_resident(self, machine, below):
        deadline = time.monotonic() + fixture.PATIENCE
        while self.resident(machine) >= below:
            self.assertLess(time.monotonic(), deadline, f"{self.resident(machine)} MiB stay resident")
            time.sleep(0.1)

    def test_balloon_gives_memory_back(self):
        machine = self.start("--device", "virtio-balloon,size=64M,deflate-on-oom=off")
        # Memory that was in use and is free.
        self.ask(machine, "mkdir -p /m; mount -t tmpfs none /m; dd if=/dev/zero of=/m/x bs=1M count=150; rm /m/x")
        full = self.resident(machine)
        self.assertGreater(full, 150)
        total = int(self.ask(machine, "grep MemTotal /proc/meminfo").split()[-2])
        # The driver comes: 64 MiB leave the guest, and what is free leaves the host.
        self.ask(machine, "modprobe -a virtio_pci virtio_balloon")
        self.wait_resident(machine, full - 100)
        self.ask(machine, f"while [ $(awk '/MemTotal/ {{ print $2 }}' /proc/meminfo) -gt {total - 64 * 1024} ];"
                          " do sleep 0.1; done")
        # It can be used again, and given back again.
        self.ask(machine, "dd if=/dev/zero of=/m/x bs=1M count=100")
        self.assertGreater(self.resident(machine), 100)
        zeros = self.ask(machine, "head -c 4194304 /m/x | tr -d '\\0' | wc -c")
        self.assertEqual(zeros.split()[-1], "0")
        before = self.resident(machine)
        self.ask(machine, "rm /m/x")
        self.wait_resident(machine, before - 70)
        self.power_off(machine)

    def test_windows_that_share_lines(self):
        port = str(self.scratch / "port")
        rngs = ["--device", "virtio-rng,transport=mmio,packed=on"] * 4
        machine = self.start(*rngs, "--device", f"virtio-console,transport=mmio,port1=one:unix:{port}", cpus=2)
        for last in False, True:
            self.ask(machine, "modprobe -a virtio_mmio virtio-rng virtio_console")
            for number in range(4):
                self.ask(machine, f"echo virtio_rng.{number} > /sys/class/misc/hw_random/rng_current")
                self.assertIn("16384", self.ask(machine, "dd if=/dev/hwrng bs=512 count=32 2>/dev/null | wc -c"))
            self.ask(machine, "while [ ! -e /dev/vport4p1 ]; do sleep 0.1; done")
            client = self.dial(port)
            client.sendall(b"hello guest\n")
            self.assertIn("hello guest", self.ask(machine, "head -n1 /dev/vport4p1"))
            self.ask(machine, "echo hello host > /dev/vport4p1")
            self.assertEqual(client.recv(100), b"hello host\n")
            client.close()
            self.assertRegex(self.ask(machine, "cat /proc/interrupts"),
                             r"20: .*IO-APIC +20-fasteoi +virtio0, virtio4")
            if not last:
                machine.send("reboot -f\n")
                machine.expect(rb"user space reached")
                machine.expect(fixture.PROMPT)
        self.power_off(machine)

    def test_devices_survive_a_reset(self):
        machine = self.start("--device", "root-port", "--device", "virtio-rng,port=1")
        for last in False, True:
            self.ask(machine, "modprobe -a virtio_pci virtio-rng")
            self.assertIn("16384", self.ask(machine, "dd if=/dev/hwrng bs=512 count=32 2>/dev/null | wc -c"))
            if not last:
                machine.send("reboot -f\n")
                machine.expect(rb"user space reached")
                machine.expect(fixture.PROMPT)
        self.power_off(machine)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
