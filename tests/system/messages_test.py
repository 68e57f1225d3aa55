#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel warns of nothing that it does not warn of under QEMU."""
import pathlib
import re
import shutil
import sys
import unittest

import fixture
import linux
import messages


class Messages(linux.Case):
    def test_cloud_kernel(self):
        if not shutil.which("qemu-system-x86_64"):
            self.skipTest("skipped: qemu-system-x86_64 is missing")
        theirs = messages.on_qemu("cloud-amd64", 2, "512M")
        ours = messages.on_trivet("cloud-amd64", 2, "512M")
        self.assertGreater(len(ours), 100)
        self.assertEqual(messages.faults(ours, theirs), [])

    def test_all_devices_at_once(self):
        """Every kind of device, behind root ports and beside them, with drivers and four CPUs: not a word of complaint."""
        scratch = fixture.TemporaryDirectory(self)
        initrd = pathlib.Path(fixture.initrd_with_modules(scratch / "initrd", "amd64"))
        with open(initrd, "ab") as file:
            file.write((fixture.cache() / "modules-ata-amd64.cpio.gz").read_bytes())
        for name in "one", "two", "disc":
            with open(scratch / name, "wb") as image:
                image.truncate(16 << 20)
        (scratch / "share").mkdir()
        ports = [option for _ in range(8) for option in ("--device", "root-port")]
        machine = self.boot(
            str(initrd), *ports, "--device", "virtio-rng,port=1", "--device", "virtio-rng,packed=on",
            "--disk", f"{scratch / 'one'},format=raw,port=2,queues=4", "--net", "user,queues=4,port=3", "--net", "none",
            "--share", f"{scratch / 'share'},tag=s,port=4", "--vsock", f"cid=5,socket={scratch / 'vsock'},port=5",
            "--device", "virtio-balloon,size=16M,port=6", "--device", "virtio-console,port=7",
            "--device", "virtio-console,char=none,port=8,packed=on", "--cdrom", str(scratch / "disc"),
            "--device", f"ahci-disk,file={scratch / 'two'},format=raw", flavour="amd64", cpus=4, memory="1G")
        # Of two archives of modules the later one has the list of its own.
        self.ask(machine, "depmod && modprobe -a virtio_pci virtio_net virtio_blk virtio_console virtio_balloon virtio-rng 9pnet_virtio "
                          "9p vmw_vsock_virtio_transport ahci sd_mod sr_mod")
        self.ask(machine, "mkdir -p /mnt && mount -t 9p -o trans=virtio,version=9p2000.L s /mnt && ls /mnt && "
                          "ip link set eth0 up && ip link set eth1 up")
        self.ask(machine, "for disk in vda sda; do until [ -e /dev/$disk ]; do sleep 0.1; done; "
                          "dd if=/dev/zero of=/dev/$disk bs=1M count=16; done 2>/dev/null && sync")
        self.ask(machine, "until [ -e /dev/sr0 ]; do sleep 0.1; done; dd if=/dev/sr0 bs=2048 count=100 >/dev/null 2>&1")
        # Each has a driver: the host and the ISA bridge need none.
        lost = self.ask(machine, "cd /sys/bus/pci/devices; for d in *; do [ -e $d/driver ] || echo no-driver $d; done; cd")
        self.assertEqual(re.findall(r"^no-driver (\S+)", lost, re.M), ["0000:00:00.0", "0000:00:1f.0"])
        self.assertTrue(self.ask(machine, "ls -d /sys/class/net/eth?/queues/rx-* | wc -l").endswith("5\n"))
        output = self.ask(machine, "dmesg -r")
        strange = [line for line in output.splitlines()
                   if messages.ALARMS.search(line) and not messages.HARMLESS.search(line)
                   or re.search(r"can't (claim|assign)|no space for|failed to assign|BAR .*: (no|failed)", line)]
        self.assertEqual(strange, [])
        self.power_off(machine)

    def test_it_can_fail(self):
        text = b"kernel-messages\n<4>[    0.1] Known 12\n<4>[ 0.2] strange\n<6>[ 0.3] BUG: x\nkernel-messages\n"
        ours = messages.parse(text)
        theirs = [messages.Message(4, "Known 7")]
        self.assertEqual(messages.faults(ours, theirs), ["<4> strange", "<6> BUG: x"])


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
