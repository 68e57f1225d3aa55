#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures Trivet's soft engine beside QEMU TCG, paired in one run: medians and ratios.

usage: bench.py [--trivet build/trivet] [--cache .cache] [--runs N] [ROW...]
rows: mips boot start memory disk net login
"""
import argparse
import os
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import machines
import net_server

MARK = b"trivet: user space reached"


def multiboot(code):
    """A Multiboot 1 kernel that is nothing but `code`, loaded and entered at 1 MiB."""
    magic, flags = 0x1BADB002, 0x00010000
    base = 0x100000
    header = struct.pack("<8I", magic, flags, -(magic + flags) & 0xFFFFFFFF,
                         base, base, 0, 0, base + 32)
    return header + code


def exit_code(value):
    """mov $value,%eax; out %eax,$0xf4; hlt."""
    return b"\xb8" + struct.pack("<I", value) + b"\xe7\xf4\xf4\xeb\xfd"


# Many times over: eight ALU instructions, a load, a store, dec and jnz: 12 instructions a turn.
LOOP_TURNS = 20_000_000
LOOP = (b"\xb9" + struct.pack("<I", LOOP_TURNS) + b"\xbf\x00\x00\x20\x00"  # mov ecx; mov edi,2M
        + b"\x01\xc8"          # add eax,ecx
        + b"\x31\xd0"          # xor eax,edx
        + b"\x8d\x50\x07"      # lea edx,[eax+7]
        + b"\xc1\xe2\x03"      # shl edx,3
        + b"\x8b\x1f"          # mov ebx,[edi]
        + b"\x01\xc3"          # add ebx,eax
        + b"\x89\x1f"          # mov [edi],ebx
        + b"\x39\xd3"          # cmp ebx,edx
        + b"\x21\xd8"          # and eax,ebx
        + b"\x42"              # inc edx
        + b"\x49"              # dec ecx
        + b"\x75\xe8"          # jnz
        + exit_code(0))
LOOP_INSNS = LOOP_TURNS * 12


def run(command, marker=None):
    """Runs to the end. Returns (wall, cpu, wall to marker) in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    seen, buffered = None, b""
    while True:
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            break
        buffered += chunk
        if marker and seen is None and marker in buffered:
            seen = time.monotonic() - start
    process.wait()
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if marker and seen is None:
        sys.exit("bench.py: no \"%s\" in the output of %s" % (marker.decode(), " ".join(command)))
    return wall, cpu, seen


def run_to(command, marker):
    """Runs until the output has the marker, and ends it there. Returns (wall, cpu) in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    buffered = b""
    while marker not in buffered:
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            sys.exit("bench.py: no \"%s\" in the output of %s" % (marker.decode(), " ".join(command)))
        buffered += chunk
    wall = time.monotonic() - start
    process.kill()
    process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Bench:
    def __init__(self, args):
        self.args = args
        self.directory = tempfile.TemporaryDirectory()

    def kernel(self, name, code):
        path = os.path.join(self.directory.name, name)
        with open(path, "wb") as file:
            file.write(multiboot(code))
        return path

    def trivet(self, kernel, *more):
        return machines.trivet(self.args.trivet, kernel, *more)

    def qemu(self, kernel, *more):
        return machines.qemu(kernel, *more)

    def boot_pair(self):
        kernel = os.path.join(self.args.cache, "vmlinuz-" + self.args.flavour)
        initrd = os.path.join(self.args.cache, "initramfs.cpio.gz")
        append = "console=ttyS0 quiet guest.run=true"
        cache = os.path.join(self.directory.name, "kernels")
        ours = self.trivet(kernel, "--initrd", initrd, "--append", append, "--memory", "512M")
        return (ours + ["--kernel-cache", "off"], ours + ["--kernel-cache", cache],
                self.qemu(kernel, "-initrd", initrd, "-append", append, "-m", "512", "-cpu", "max"))

    def row_mips(self):
        path = self.kernel("loop", LOOP)
        idle = self.kernel("idle", exit_code(0))
        ours, theirs = [], []
        debug = ["--device", "debug-exit", "--console", "none"]
        qemu_debug = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-cpu", "max"]
        for _ in range(self.args.runs):
            ours.append(run(self.trivet(path, *debug))[1] - run(self.trivet(idle, *debug))[1])
            theirs.append(run(self.qemu(path, *qemu_debug))[1] - run(self.qemu(idle, *qemu_debug))[1])
        a, b = statistics.median(ours), statistics.median(theirs)
        print("mips    trivet %.0f M insns/s, QEMU TCG %.0f M insns/s, ratio %.2f"
              % (LOOP_INSNS / a / 1e6, LOOP_INSNS / b / 1e6, a / b))

    def row_boot(self):
        pair = self.boot_pair()
        for _ in range(2):  # the second time keeps the kernel unpacked
            run(pair[1], MARK)
        runs = [[run(command, MARK) for command in pair] for _ in range(self.args.runs)]
        for name, column in (("cpu", 1), ("wall to user space", 2)):
            first, again, theirs = (statistics.median(r[i][column] for r in runs) for i in range(3))
            print("boot    %s: trivet %.2f s, with its kernel cache %.2f s, QEMU TCG %.2f s, ratios %.2f, %.2f"
                  % (name, first, again, theirs, first / theirs, again / theirs))

    def row_start(self):
        path = self.kernel("exit", exit_code(0))
        ours, theirs = [], []
        for _ in range(max(self.args.runs, 11)):
            ours.append(run(self.trivet(path, "--device", "debug-exit", "--console", "none"))[0])
            theirs.append(run(self.qemu(path, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"))[0])
        a, b = statistics.median(ours), statistics.median(theirs)
        first = [self.first_instruction(path) for _ in range(max(self.args.runs, 11))]
        print("start   process start to first guest instruction: trivet %.1f ms"
              % statistics.median(first))
        print("start   process start to end of a guest that exits at once: trivet %.1f ms, "
              "QEMU TCG %.1f ms, ratio %.3f" % (a * 1e3, b * 1e3, a / b))

    def first_instruction(self, path):
        """Milliseconds, by the machine's own --verbose line."""
        command = self.trivet(path, "--device", "debug-exit", "--console", "none", "--verbose")
        said = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE).stderr
        match = re.search(rb"([0-9.]+) ms: first guest instruction", said)
        if not match:
            sys.exit("bench.py: --verbose did not tell the time of the first guest instruction")
        return float(match.group(1))

    def resident(self, command, guest_name):
        """Resident KiB beyond guest memory, at the guest's shell prompt."""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        buffered = b""
        while b"# " not in buffered:
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                sys.exit("bench.py: the guest ended before its prompt")
            buffered += chunk
        time.sleep(1)
        total = guest = 0
        with open("/proc/%d/smaps" % process.pid) as file:
            name, size = "", 0
            for line in file:
                match = re.match(r"^[0-9a-f]+-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)$", line)
                if match:
                    low, high = line.split()[0].split("-")
                    name, size = match.group(2), int(high, 16) - int(low, 16)
                elif line.startswith("Rss:"):
                    rss = int(line.split()[1])
                    total += rss
                    if guest_name(name, size):
                        guest += rss
        process.kill()
        process.wait()
        return total - guest

    def row_memory(self):
        size = 512 << 20
        ours, _, theirs = self.boot_pair()
        ours = [x.replace(" guest.run=true", "") for x in ours]
        theirs = [x.replace(" guest.run=true", "") for x in theirs]
        a = self.resident(ours, lambda name, length: length == size)
        b = self.resident(theirs, lambda name, length: length == size)
        print("memory  resident beyond guest memory at the prompt: trivet %.1f MiB, QEMU TCG %.1f MiB"
              % (a / 1024, b / 1024))

    def initrd_with(self, name):
        """The small guest with the modules of its kernel and a program that measures."""
        path = os.path.join(self.directory.name, "initrd")
        parts = [os.path.join(self.args.cache, part)
                 for part in ("initramfs.cpio.gz", "modules-%s.cpio.gz" % self.args.flavour)]
        folder = os.path.join(os.path.dirname(self.args.trivet), "bench")
        packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=name.encode(),
                                cwd=folder, stdout=subprocess.PIPE, check=True).stdout
        with open(path, "wb") as file:
            for part in parts:
                with open(part, "rb") as source:
                    file.write(source.read())
            # A plain archive begins at a multiple of 4.
            file.write(bytes(-file.tell() % 4) + packed)
        return path

    def disk_pair(self):
        image = os.path.join(self.directory.name, "disk")
        with open(image, "wb") as file:
            for _ in range(64):
                file.write(os.urandom(1 << 20))
        kernel = os.path.join(self.args.cache, "vmlinuz-" + self.args.flavour)
        initrd = self.initrd_with("disk")
        append = ("console=ttyS0 quiet guest.run=modprobe,-a,virtio_pci,virtio_blk;"
                  "/disk,/dev/vda,%d" % self.args.part_ms)
        return (self.trivet(kernel, "--initrd", initrd, "--append", append, "--memory", "512M",
                            "--disk", image.replace(",", ",,") + ",format=raw,iothread=1"),
                self.qemu(kernel, "-initrd", initrd, "-append", append, "-m", "512", "-cpu", "max",
                          "-object", "iothread,id=io1",
                          "-drive", "file=%s,format=raw,if=none,id=disk" % image.replace(",", ",,"),
                          "-device", "virtio-blk-pci,drive=disk,iothread=io1"))

    def measure_parts(self, row, pair):
        """Rates that a program in the guest prints as "ROW PATTERN RATE"."""
        def measure(command):
            said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
            found = re.findall(rb"^%s (\S+) ([0-9.]+)" % row.encode(), said, re.M)
            if not found:
                sys.exit("bench.py: no measurement in the output of %s" % " ".join(command))
            return {name.decode(): float(value) for name, value in found}

        results = [[measure(command) for command in pair] for _ in range(self.args.runs)]
        for name in results[0][0]:
            a, b = (statistics.median(result[i][name] for result in results) for i in (0, 1))
            print("%-7s %s: trivet %.0f/s, QEMU TCG %.0f/s, ratio %.2f" % (row, name, a, b, a / b))

    def row_disk(self):
        """Operations per second; the file is in the host's page cache for both."""
        self.measure_parts("disk", self.disk_pair())

    def row_net(self):
        """User-mode networks of both, to a server on the host."""
        server = net_server.Server()
        kernel = os.path.join(self.args.cache, "vmlinuz-" + self.args.flavour)
        initrd = self.initrd_with("net")
        append = ("console=ttyS0 quiet guest.run=modprobe,-a,virtio_pci,virtio_net;"
                  "ip,addr,add,10.0.2.15/24,dev,eth0;ip,link,set,eth0,up;"
                  "/net,10.0.2.2,%d,%d" % (server.port, self.args.part_ms))
        self.measure_parts("net", (
            self.trivet(kernel, "--initrd", initrd, "--append", append, "--memory", "512M", "--net", "user"),
            self.qemu(kernel, "-initrd", initrd, "-append", append, "-m", "512", "-cpu", "max",
                      "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net")))


    def row_login(self):
        """Debian 12 from a qcow2 disk to root's prompt: direct kernel boot, SeaBIOS, OVMF."""
        images = {"root": "debian-12.qcow2", "disk": "debian-12-disk.qcow2"}
        for name in images:
            base = os.path.abspath(os.path.join(self.args.cache, images[name]))
            if not os.path.exists(base):
                sys.exit("bench.py: no %s: tools/debian-image.sh %s %s %s makes it"
                         % (base, self.args.cache, self.args.trivet, name))
            images[name] = os.path.join(self.directory.name, name + ".qcow2")
            subprocess.run([self.args.trivet, "image", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2",
                            images[name]], check=True)
        kernel, initrd = (os.path.join(self.args.cache, "debian-12." + end) for end in ("vmlinuz", "initrd"))
        append = "root=LABEL=trivet-root ro console=ttyS0 console=tty0 quiet"
        ours = [self.args.trivet, "run", "--engine", "soft", "--memory", "512M", "--net", "user"]
        theirs = [machines.QEMU, "-accel", "tcg", "-cpu", "max", "-machine", "q35", "-m", "512", "-nodefaults",
                  "-display", "none", "-serial", "stdio", "-netdev", "user,id=net", "-device",
                  "virtio-net-pci,netdev=net"]
        code, variables = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
        pairs = {
            "direct": ("root", ["--kernel", kernel, "--initrd", initrd, "--append", append],
                       ["-kernel", kernel, "-initrd", initrd, "-append", append]),
            "seabios": ("disk", ["--firmware", "seabios"], []),
            "ovmf": ("disk", ["--firmware", "ovmf"],
                     ["-drive", "if=pflash,format=raw,readonly=on,file=" + code,
                      "-drive", "if=pflash,format=raw,snapshot=on,file=" + variables]),
        }
        for name, (image, a, b) in pairs.items():
            drive = "file=%s,format=qcow2,if=virtio,snapshot=on" % images[image].replace(",", ",,")
            commands = (ours + a + ["--disk", images[image].replace(",", ",,")], theirs + b + ["-drive", drive])
            results = [[run_to(command, b"root@trivet:~#") for command in commands] for _ in range(self.args.runs)]
            for what, column in (("wall", 0), ("cpu", 1)):
                x, y = (statistics.median(result[i][column] for result in results) for i in (0, 1))
                print("login   %s, %s: trivet %.1f s, QEMU TCG %.1f s, ratio %.2f" % (name, what, x, y, x / y))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trivet", default="build/trivet")
    parser.add_argument("--cache", default=".cache")
    parser.add_argument("--flavour", default="amd64")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--part-ms", type=int, default=1000, help="of each pattern of the rows disk and net")
    parser.add_argument("rows", nargs="*", default=[])
    args = parser.parse_args()
    bench = Bench(args)
    for row in args.rows or ["mips", "start", "boot", "memory"]:
        getattr(bench, "row_" + row)()


if __name__ == "__main__":
    main()
