#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Bad input: status 2, one line on standard error that names the thing and what would be right,
nothing on standard output, nothing left behind.
"""
import gzip
import lzma
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import unittest

import fixture


def children_of(pid):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == pid:  # the session
            found.append(stat.parent.name)
    return found


class BadInput(unittest.TestCase):
    def setUp(self):
        self.directory = fixture.TemporaryDirectory(self)
        self.good = self.file("good", fixture.multiboot(fixture.POWER_OFF))

    def file(self, name, data):
        (self.directory / name).write_bytes(data)
        return str(self.directory / name)

    def refused(self, *args, names=(), kernel=None, **options):
        """Starts it with a good kernel unless told otherwise; `names` must be in the line."""
        before = self.snapshot()
        argv = ["--engine", "soft"]
        if kernel is not False:
            argv += ["--kernel", kernel or self.good]
        process = subprocess.Popen([fixture.trivet, "run", *argv, *args], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True, cwd=self.directory.path, **options)
        try:
            out, err = process.communicate(timeout=fixture.PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.fail(f"{args} was not refused")
        err = err.decode()
        self.assertEqual(process.returncode, 2, err)
        self.assertEqual(out, b"")
        self.assertRegex(err, r"\Atrivet: [^\n]+\n\Z")
        for name in names:
            self.assertIn(name, err)
        self.assertEqual(self.snapshot(), before)
        self.assertEqual(children_of(process.pid), [])
        return err

    def snapshot(self):
        root = self.directory.path
        return sorted((str(path.relative_to(root)), path.lstat().st_mtime_ns, path.lstat().st_size)
                      for path in root.rglob("*"))

    # ---- kernel ----

    def test_kernel_files(self):
        os.mkdir(self.directory / "directory")
        os.mkfifo(self.directory / "fifo")
        cases = {
            "/nonexistent/kernel": "No such file",
            str(self.directory / "directory"): "not a regular file",
            str(self.directory / "fifo"): "not a regular file",
            "/dev/zero": "not a regular file",
            self.file("empty", b""): "empty",
            self.file("text", b"#!/bin/sh\necho hello\n" * 1000): "bzImage",
            self.file("zeros", bytes(1 << 20)): "bzImage",
            self.good + "/below": "Not a directory",
            "": "No such file",
        }
        for path, reason in cases.items():
            with self.subTest(kernel=path):
                self.refused(kernel=path or None, *(["--kernel", ""] if not path else []),
                             names=["kernel", path, reason])

    def test_kernel_without_permission(self):
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            self.skipTest("needs setpriv or a user who is not root")
        path = self.file("secret", b"x")
        os.chmod(path, 0)
        os.chmod(self.directory.path, 0o755)
        line = self.as_nobody("--kernel", path)
        self.assertIn("Permission denied", line)
        self.assertIn(path, line)

    def as_nobody(self, *args):
        command = [fixture.trivet, "run", "--engine", "soft", *args]
        if os.geteuid() == 0:
            # A copy, as the build may lie where nobody else may look.
            copy = shutil.copy(fixture.trivet, self.directory / "trivet")
            command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy,
                       *command[1:]]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=fixture.PATIENCE)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, b"")
        return done.stderr.decode()

    def test_foreign_elf(self):
        data = bytearray(fixture.multiboot(fixture.HANG))
        arm = bytearray(data)
        struct.pack_into("<H", arm, 18, 40)
        self.refused(kernel=self.file("arm", arm), names=["machine 40", "x86"])
        big_endian = bytearray(data)
        big_endian[5] = 2
        self.refused(kernel=self.file("big", big_endian), names=["foreign"])
        program = pathlib.Path(sys.executable).resolve()
        self.refused(kernel=str(program), names=[str(program), "PVH"])

    def test_truncated_elf(self):
        data = fixture.multiboot(fixture.HANG * 100)
        for size in 100, 200, len(data) - 1:
            with self.subTest(size=size):
                self.refused(kernel=self.file("short", data[:size]), names=["short"])

    def test_truncated_linux(self):
        if not os.path.exists(fixture.kernel()):
            self.skipTest("skipped: no stock kernel")
        data = pathlib.Path(fixture.kernel()).read_bytes()
        for size in 512, 600, 0x8000, len(data) // 2, len(data) - 4096:
            with self.subTest(size=size):
                self.refused(kernel=self.file("short", data[:size]), names=["short"])

    def test_no_kernel(self):
        self.refused(kernel=False, names=["--kernel"])

    # ---- initrd ----

    def linux(self):
        if not os.path.exists(fixture.kernel()):
            self.skipTest("skipped: no stock kernel")
        return fixture.kernel()

    def test_initrd_files(self):
        os.mkdir(self.directory / "directory")
        for path, reason in {"/nonexistent/initrd": "No such file",
                             str(self.directory / "directory"): "not a regular file",
                             self.file("empty", b""): "empty"}.items():
            with self.subTest(initrd=path):
                self.refused("--initrd", path, names=["initrd", path, reason])

    def test_foreign_initrd(self):
        kernel = self.linux()
        for name, data in {"text": b"not an archive\n" * 100, "zeros": bytes(8192),
                           "elf": fixture.multiboot(fixture.HANG), "short": b"\x1f"}.items():
            with self.subTest(initrd=name):
                self.refused("--initrd", self.file(name, data), kernel=kernel,
                             names=["initrd", name, "cpio"])

    def test_truncated_initrd(self):
        kernel = self.linux()
        packed = pathlib.Path(fixture.initrd()).read_bytes()
        archive = gzip.decompress(packed)
        forms = {"gzip": packed, "cpio": archive, "xz": lzma.compress(
            archive, check=lzma.CHECK_CRC32, preset=0)}
        if shutil.which("zstd"):
            forms["zstd"] = subprocess.run(["zstd", "-1", "-c"], input=archive, check=True,
                                           capture_output=True).stdout
        for name, data in forms.items():
            for size in 20, len(data) // 3, len(data) - 600, len(data) - 5:
                if name == "cpio" and size == len(data) - 5:
                    continue  # only its padding
                with self.subTest(initrd=name, size=size):
                    self.refused("--initrd", self.file(name, data[:size]), kernel=kernel,
                                 names=["initrd", name, "truncated"])

    def test_initrd_that_does_not_fit(self):
        path = str(self.directory / "huge")
        with open(path, "wb") as file:
            file.truncate(1 << 30)
        line = self.refused("--initrd", path, "--memory", "64M", names=["initrd", path, "memory"])
        self.assertIn("do not fit", line)
        self.refused("--initrd", path, "--memory", "1G", names=["initrd", path, "memory"])

    # ---- sizes ----

    def test_memory(self):
        for size in "0", "1", "1M1", "64k", "-1", "12X", "", "1000T", "99999999999999999999", "0x1000", \
                    "1048577", "16 M", "1.5G":
            with self.subTest(memory=size):
                self.refused("--memory", size, names=["--memory", size])

    def test_too_little_for_the_kernel(self):
        self.refused("--memory", "16M", kernel=self.linux(), names=["memory", "--memory"])

    def test_cpus(self):
        for cpus in "0", "10000", "-1", "256", "two", "", "1x", "99999999999999999999", " 1", "+1":
            with self.subTest(cpus=cpus):
                self.refused("--cpus", cpus, names=["--cpus", cpus, "255"])

    # ---- words ----

    def test_options(self):
        self.refused("--krenel", "x", names=["--krenel", "--help"])
        self.refused("-m", "1G", names=["-m"])
        self.refused("stray", names=["stray"])
        self.refused("--", names=["--"])
        self.refused("--memory", names=["--memory"])
        self.refused("--no-reboot=yes", names=["--no-reboot"])
        self.refused("--engine", "tcg", names=["tcg", "auto, kvm or soft"])
        self.refused("--engine", "", names=["--engine", "soft"])

    def test_devices(self):
        for device, word in {
                "toaster": "toaster", "": "class", "debug-exit,port=0xf4,": "option=value",
                "debug-exit,nosuch=1": "nosuch", "debug-exit,port": "option=value",
                "debug-exit,port=": "port", "debug-exit,port=0x10000": "0xffff",
                "debug-exit,port=-1": "port", "debug-exit,port=0x3f8": "0x3f8",
                "debug-exit,size=9": "size", "rtc": "rtc", "serial,irq=77": "irq",
                "serial,char=nosuch": "nosuch"}.items():
            with self.subTest(device=device):
                self.refused("--device", device, names=["device" if word != "nosuch" else "", word])
        self.refused("--device", "debug-exit", "--device", "debug-exit,port=0x500",
                     names=["debug-exit", "1"])
        self.refused(*["--device", "debug-exit"] * 100, names=["--device"])

    def test_shares(self):
        folder = str(self.directory.path)
        for share, words in {
                folder: ["tag", "64"], f"{folder},tag=": ["tag"], f"{folder},tag={'x' * 65}": ["tag", "64"],
                f"{folder}/none,tag=a": ["/none", "No such file"], f"{self.good},tag=a": ["Not a directory"],
                ",tag=a": ["--share", "path of a folder"], f"{folder},tag=a,security=all": ["none or mapped"],
                f"{folder},tag=a,open-files=1": ["open-files", "0x10"]}.items():
            with self.subTest(share=share):
                self.refused("--share", share, names=words)

    def test_without_pci(self):
        self.refused("--pci", "maybe", names=["--pci", "on or off"])
        for device in "ahci-disk,file=/dev/null", "root-port", "virtio-rng,transport=pci":
            self.refused("--pci", "off", "--device", device, names=[device.split(",")[0], "PCI"])
        self.refused("--pci", "off", "--device", "virtio-rng,addr=2", names=["addr"])
        self.refused("--pci", "off", "--firmware", "seabios", names=["PCI"])

    def test_append(self):
        self.refused("--append", "x" * 100000, names=["--append", "100000"])
        self.refused("--append", "x" * 5000, kernel=self.linux(), names=["--append", "5000", "2047"])

    # ---- consoles ----

    def test_consoles(self):
        os.mkdir(self.directory / "directory")
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(str(self.directory / "busy"))
        bound.listen()
        self.addCleanup(bound.close)
        self.file("file", b"precious")
        for console, word in {
                "nosuch": "stdio", "": "stdio", "file:": "file:PATH", "unix:": "path",
                "stdiox": "stdio", f"file:{self.directory / 'directory'}": "directory",
                "file:/nonexistent/file": "No such file", "unix:/nonexistent/socket": "No such file",
                f"unix:{'x' * 200}": "107", f"unix:{self.directory / 'file'}": "in use",
                f"unix:{self.directory / 'busy'}": "in use",
                f"unix:{self.directory / 'directory'}": "in use"}.items():
            with self.subTest(console=console):
                self.refused("--console", console, names=["console", console, word])
        self.refused(*["--console", "none"] * 5, names=["--console", "4"])
        self.refused("--console", "stdio", "--console", "stdio", names=["console stdio"])

    def test_console_without_permission(self):
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            self.skipTest("needs setpriv or a user who is not root")
        os.chmod(self.directory.path, 0o755)
        os.mkdir(self.directory / "closed", 0o755)
        for form in "file", "unix":
            with self.subTest(form=form):
                spec = f"{form}:{self.directory / 'closed' / 'name'}"
                line = self.as_nobody("--kernel", self.good, "--console", spec)
                self.assertIn(spec, line)
                self.assertIn("Permission denied", line)

    def test_nothing_is_touched_for_a_bad_kernel(self):
        """A console's file is neither made nor emptied for a machine that can't start."""
        self.file("log", b"the log of the last run")
        for console in "file:log", "file:new", "unix:socket":
            with self.subTest(console=console):
                self.refused("--console", console, kernel="/nonexistent/kernel", names=["kernel"])
                self.refused("--console", console, "--initrd", "/nonexistent", names=["initrd"])
                self.refused("--console", console, "--device", "toaster", names=["toaster"])
                self.refused("--console", console, "--append", "x" * 100000, names=["--append"])
                self.refused("--console", console, "--console", "unix:/nonexistent/socket",
                             names=["/nonexistent"])

    def test_commands(self):
        for argv, word in (["nosuch"], "nosuch"), ([], "usage"), (["host", "--nosuch"], "--nosuch"):
            done = subprocess.run([fixture.trivet, *argv], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stdout, "")
            self.assertIn(word, done.stderr)


if __name__ == "__main__":
    fixture.start(sys.argv)
    unittest.main(verbosity=2)
