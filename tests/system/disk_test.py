#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux with virtio disks: raw and qcow2, fio's verification, a root file system, kills.

TRIVET_DISK_SECONDS has fio and the kills go on for that long, TRIVET_DISK_KILLS the kills until there were so many.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import fixture
import linux

SECONDS = int(os.environ.get("TRIVET_DISK_SECONDS", "0"))
KILLS = int(os.environ.get("TRIVET_DISK_KILLS", "1"))
MIB = 1 << 20

# The first process of an initramfs that does no more than to find the root file system.
GO = """#!/bin/sh
/bin/busybox mkdir -p /dev /new
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox modprobe -a virtio_pci virtio_mmio virtio_blk
/bin/busybox mount -t ext4 /dev/vda /new
/bin/busybox umount /dev
exec /bin/busybox switch_root /new /init
"""

# Numbered blocks, each flushed and then said.
WRITE = """#!/bin/busybox sh
/bin/busybox mkdir -p /dev
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox modprobe -a virtio_pci virtio_blk
i=1
while true; do
	(echo block-$i; /bin/busybox cat /init) | /bin/busybox dd of=/dev/vda bs=4096 count=1 conv=sync,fsync \\
		seek=$((where + i * 37 % 4096)) 2>/dev/null && echo done-$i
	i=$((i + 1))
done
"""


def make_raw(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def make_qcow2(path, size):
    subprocess.run([fixture.trivet, "image", "create", "-q", "-f", "qcow2", path, str(size)], check=True)
    return path


def check_qcow2(path, fine=(0,)):
    """By our own program and by the format's reference."""
    for program in [fixture.trivet, "image"], ["qemu-img"]:
        done = subprocess.run([*program, "check", "-q", path], capture_output=True)
        if done.returncode not in fine:
            raise AssertionError(f"{program} check: {done.returncode}: {done.stdout + done.stderr}")


class Disk(linux.Case):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self)
        self.initrd = fixture.initrd_with_modules(self.scratch / "initrd")

    def path(self, name):
        return str(self.scratch / name)

    def append_to_initrd(self, name, text):
        with open(self.scratch / name, "w") as file:
            file.write(text)
        os.chmod(self.scratch / name, 0o755)
        packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=name.encode(),
                                cwd=self.scratch.path, capture_output=True, check=True).stdout
        with open(self.initrd, "ab") as file:
            # Plain archives start on a multiple of four.
            file.write(bytes(-file.tell() % 4) + packed)

    def start(self, *args, **options):
        """Up to the prompt, with the driver loaded."""
        machine = self.boot(self.initrd, *args, **{"cpus": 2, **options})
        self.ask(machine, "modprobe -a virtio_pci virtio_blk")
        return machine

    def test_disks_in_order_with_what_was_asked_for(self):
        raw, qcow2 = make_raw(self.path("a,b.raw"), 64 * MIB), make_qcow2(self.path("c"), 32 * MIB)
        escaped = raw.replace(",", ",,")
        machine = self.start("--disk", f"{escaped},format=raw,serial=FIRST", "--disk", f"{qcow2},packed=on",
                             "--disk", f"{fixture.initrd()},format=raw,read-only=on,cache=writethrough,locking=off")
        facts = self.ask(machine, "cd /sys/block; for d in vda vdb vdc; do"
                                  " echo $d $(cat $d/serial)/$(cat $d/size)/$(cat $d/ro)/$(cat $d/queue/write_cache);"
                                  " done; cd")
        self.assertIn("vda FIRST/131072/0/write back", facts)
        self.assertIn("vdb /65536/0/write back", facts)
        self.assertRegex(facts, "vdc /[0-9]+/1/write through")
        self.ask(machine, "dd if=/dev/urandom of=/tmp/data bs=1M count=16 2>/dev/null")
        for disk in "vda", "vdb":
            self.ask(machine, f"dd if=/tmp/data of=/dev/{disk} bs=64k conv=fsync 2>/dev/null")
            self.ask(machine, "echo 3 > /proc/sys/vm/drop_caches")
            self.ask(machine, f"dd if=/dev/{disk} bs=1M count=16 2>/dev/null | cmp - /tmp/data")
        self.ask(machine, "blkdiscard -o 1048576 -l 1048576 /dev/vda && "
                          "dd if=/dev/vda bs=1M skip=1 count=1 2>/dev/null | tr -d '\\0' | wc -c | grep -q '^0$'")
        # Without a cache each write goes through, and with one again.
        self.ask(machine, "echo 'write through' > /sys/block/vda/cache_type && "
                          "dd if=/tmp/data of=/dev/vda bs=64k 2>/dev/null && "
                          "echo 'write back' > /sys/block/vda/cache_type")
        self.ask(machine, "sync")
        # A reset ends reads that are on their way, before the next kernel is in memory.
        self.ask(machine, "(while true; do dd if=/dev/vdb of=/dev/null bs=1M iflag=direct; done) 2>/dev/null & true")
        machine.send("reboot -f\n")
        machine.expect(rb"trivet: user space reached")
        machine.expect(fixture.PROMPT)
        self.power_off(machine)
        check_qcow2(qcow2)
        with open(raw, "rb") as file:
            data = file.read(16 * MIB)
        subprocess.run([fixture.trivet, "image", "convert", "-O", "raw", qcow2, self.path("d")], check=True)
        with open(self.path("d"), "rb") as file:
            self.assertEqual(file.read(16 * MIB), data)
        self.assertNotEqual(data, bytes(16 * MIB))

    def test_fio_verifies(self):
        archive = linux.pack_program(self, "fio", self.path("fio.tar"))
        raw, qcow2 = make_raw(self.path("raw"), 48 * MIB), make_qcow2(self.path("qcow2"), 48 * MIB)
        machine = self.start("--disk", f"{raw},format=raw,iothread=1,queues=2,irqfd=on", "--disk", f"{qcow2},iothread=2,packed=on",
                             "--disk", f"{archive},format=raw,read-only=on", memory="1G")
        self.ask(machine, "tar -xf /dev/vdc -C /")
        how = f"--time_based --runtime={SECONDS}" if SECONDS else "--io_size=24M"
        for disk in "vda", "vdb":
            output = self.ask(machine, "fio --name=verify --ioengine=libaio --direct=1 --iodepth=16 --size=48M"
                                       f" --filename=/dev/{disk} --rw=randwrite --bsrange=4k-64k --verify=crc32c"
                                       f" --verify_backlog=64 --fsync=32 --minimal {how}")
            self.assertNotIn("verify:", output)
        self.power_off(machine)
        check_qcow2(qcow2)

    def test_a_file_that_grows_and_shrinks(self):
        disk = make_raw(self.path("raw"), 16 * MIB)
        machine = self.start("--disk", f"{disk},format=raw")

        def resize(size):
            os.truncate(disk, size)
            machine.process.send_signal(signal.SIGUSR2)
            self.ask(machine, f"until [ $(cat /sys/block/vda/size) = {size // 512} ]; do sleep 0.1; done")

        self.ask(machine, "dd if=/dev/vda of=/dev/null bs=64k")
        resize(64 * MIB)
        self.ask(machine, "dd if=/init of=/dev/vda bs=4k count=1 seek=16000 conv=fsync")
        resize(8 * MIB)
        self.ask(machine, "dd if=/dev/vda of=/dev/null bs=64k iflag=direct")
        # Cut off without a word: the guest has an error, and nobody dies.
        os.truncate(disk, 4 * MIB)
        self.ask(machine, "! dd if=/dev/vda of=/dev/null bs=64k skip=100 iflag=direct")
        self.power_off(machine, "I/O error, dev vda|capacity change")

    def losetup(self, path, sector):
        done = subprocess.run(["losetup", "-f", "--show", "-b", str(sector), path], capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f"no loop device: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["losetup", "-d", done.stdout.strip()], check=True)
        return done.stdout.strip()

    def test_block_devices(self):
        """Raw and past the host's page cache; qcow2 on what was something else before."""
        files = [self.path(name) for name in ("512", "4096", "qcow2")]
        for path in files:
            with open(path, "wb") as file:
                file.write(os.urandom(32 * MIB))
        blkdiscard = shutil.which("blkdiscard")
        archive = linux.pack_program(self, "blkdiscard", self.path("archive"))
        devices = [self.losetup(path, sector) for path, sector in zip(files, (512, 4096, 512))]
        make_qcow2(devices[2], 16 * MIB)
        machine = self.start("--disk", f"{devices[0]},format=raw,cache=none", "--disk",
                             f"{devices[1]},format=raw,cache=none,iothread=1", "--disk", f"{devices[2]},cache=none",
                             "--disk", f"{archive},format=raw,read-only=on")
        self.ask(machine, "tar -xf /dev/vdd -C /")
        for disk in "vda", "vdb":
            self.assertIn(f"{32 * MIB // 512}\n", self.ask(machine, f"cat /sys/block/{disk}/size"))
            # Blocks of 512 bytes, several at a time: also on the device that has larger ones.
            self.ask(machine, f"dd if=/dev/urandom of=/tmp/data bs=512 count=1001 2>/dev/null;"
                              f"dd if=/tmp/data of=/dev/{disk} bs=512 seek=3 oflag=direct 2>/dev/null;"
                              f"dd if=/dev/{disk} bs=512 skip=3 count=1001 iflag=direct 2>/dev/null | cmp - /tmp/data")
            self.ask(machine, f"{blkdiscard} -o 8388608 -l 8388608 /dev/{disk} && {blkdiscard} -z -o 4194304 -l 1048576 /dev/{disk}")
            for start, length in (4, 1), (8, 8):
                self.ask(machine, f"dd if=/dev/{disk} bs=1M skip={start} count={length} 2>/dev/null |"
                                  " tr -d '\\0' | wc -c | grep -q '^0$'")
        self.ask(machine, "dd if=/dev/vdc bs=1M 2>/dev/null | tr -d '\\0' | wc -c | grep -q '^0$'")
        self.ask(machine, "dd if=/tmp/data of=/dev/vdc bs=512 seek=9 conv=fsync 2>/dev/null")
        self.power_off(machine)
        for path in files[:2]:
            self.assertLess(os.stat(path).st_blocks * 512, 25 * MIB)
            with open(path, "rb") as file:
                file.seek(3 * 512)
                self.assertNotEqual(file.read(512), bytes(512))
        check_qcow2(devices[2])
        raw = self.path("copy")
        subprocess.run(["qemu-img", "convert", "-O", "raw", devices[2], raw], check=True)
        with open(raw, "rb") as file:
            data = file.read()
        # Nothing but what was written: the rest of a new cluster is not what the device had there.
        self.assertEqual(data[:9 * 512] + data[1010 * 512:], bytes(16 * MIB - 1001 * 512))

    def check_root(self, *args, known="(?!)"):
        """The small system on ext4; the initramfs does no more than to go there."""
        root = self.path("tree")
        os.mkdir(root)
        with open(fixture.initrd(), "rb") as packed:
            unpacked = subprocess.run(["gzip", "-dc"], stdin=packed, capture_output=True, check=True).stdout
        subprocess.run(["cpio", "-id", "--quiet"], input=unpacked, cwd=root, check=True)
        disk = make_raw(self.path("root"), 64 * MIB)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, disk], check=True)
        self.append_to_initrd("go", GO)
        machine = self.boot(self.initrd, "--disk", f"{disk},format=raw", *args, append="rdinit=/go", cpus=2)
        self.assertIn("/dev/vda / ext4", self.ask(machine, "cat /proc/mounts"))
        self.ask(machine, "dd if=/dev/zero of=/file bs=1M count=8 2>/dev/null && sync")
        self.ask(machine, "mount -o remount,ro /")
        interrupts = self.ask(machine, "cat /proc/interrupts")
        self.power_off(machine, known)
        subprocess.run(["e2fsck", "-fn", disk], check=True, stdout=subprocess.DEVNULL)
        return interrupts

    def test_root_on_a_disk(self):
        self.assertRegex(self.check_root(), r"PCI-MSI.*virtio0-req")

    def test_root_on_a_disk_of_a_machine_without_pci(self):
        interrupts = self.check_root("--pci", "off", known="PCI: (Fatal: No config space|System does not support)")
        self.assertRegex(interrupts, r"20: .*IO-APIC +20-fasteoi +virtio0")
        self.assertNotIn("PCI-MSI", interrupts)

    def kill_once(self, disk, options, where, patience):
        """The process dies at some point of the writing; what was said is there."""
        machine = fixture.on_pipes(["--engine", "soft", "--kernel", fixture.kernel(), "--initrd", self.initrd,
                                    "--memory", "192M", "--disk", disk + options, "--append",
                                    f"console=ttyS0 quiet rdinit=/write where={where}"])
        self.addCleanup(machine.close)
        machine.expect(rb"\ndone-3\r")
        time.sleep(patience)
        machine.process.kill()
        machine.wait()
        machine.close()
        check_qcow2(disk, fine=(0, 3))  # leaked clusters are what may be left (docs/block.md)
        said = [int(number) for number in re.findall(rb"\ndone-(\d+)\r", machine.seen)]
        raw = self.path("copy")
        subprocess.run([fixture.trivet, "image", "convert", "-O", "raw", disk, raw], check=True)
        subprocess.run(["qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", disk, raw], check=True)
        with open(raw, "rb") as file:
            for number in said[-2000:]:
                file.seek((where + number * 37 % 4096) * 4096)
                self.assertTrue(file.read(4096).startswith(b"block-%d\n" % number), number)

    def test_flushed_data_survives_a_kill(self):
        disk = make_qcow2(self.path("kill"), 64 * MIB)
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        self.append_to_initrd("write", WRITE)
        end = time.monotonic() + SECONDS
        kills = 0
        while kills < KILLS or time.monotonic() < end:
            # I/O threads write to the host's page cache themselves.
            self.kill_once(disk, ("", ",iothread=1")[kills % 2], kills % 3 * 4096, chance.uniform(0, 1.5))
            kills += 1
            print(f"killed {kills}", flush=True)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
