#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`trivet image` beside qemu-img: the same images, the same answers, the same exit statuses.

usage: image_test.py TRIVET
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TRIVET = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
MIB = 1 << 20


def run(*command, status=0):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if status is not None and done.returncode != status:
        raise AssertionError("%s: status %d, not %d:\n%s%s" % (
            " ".join(command), done.returncode, status, done.stdout, done.stderr))
    return done


def trivet(*args, status=0):
    return run(TRIVET, "image", *args, status=status)


def qemu_img(*args, status=0):
    return run("qemu-img", *args, status=status)


def noise(seed, size, holes=True):
    """Bytes with runs of zeroes and runs of text."""
    rng, out = random.Random(seed), bytearray()
    while len(out) < size:
        kind = rng.randrange(3)
        length = rng.choice((512, 4096, 65536, 300000))
        if kind == 0 and holes:
            out += bytes(length)
        elif kind == 1:
            out += rng.randbytes(length)
        else:
            out += (b"%d " % rng.randrange(1 << 30)) * (length // 8)
    return bytes(out[:size])


@unittest.skipUnless(shutil.which("qemu-img"), "qemu-img is missing; tools/setup.sh check installs it")
class ImageTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="trivet-image-", dir="/var/tmp")
        os.chdir(self.folder)

    def tearDown(self):
        os.chdir("/")
        shutil.rmtree(self.folder)

    def write(self, name, data):
        with open(name, "wb") as file:
            file.write(data)

    def same(self, a, b, a_format="raw", b_format="qcow2"):
        qemu_img("check", "-q", "-f", b_format, b) if b_format == "qcow2" else None
        qemu_img("compare", "-q", "-f", a_format, "-F", b_format, a, b)

    def poke(self, name, offset, data):
        """Writes through the image, by qemu-io."""
        self.write("poke.bin", data)
        run("qemu-io", "-f", "qcow2", "-c", "write -s poke.bin %d %d" % (offset, len(data)), name)

    # ---- create, info ----

    def test_create_agrees_with_qemu_in_every_option(self):
        for options in ("cluster_size=512", "cluster_size=2M", "refcount_bits=1", "refcount_bits=64",
                        "lazy_refcounts=on", "extended_l2=on", "compression_type=zstd", "compat=0.10",
                        "preallocation=metadata", "preallocation=falloc", "preallocation=full",
                        "cluster_size=64K,extended_l2=on,preallocation=metadata",
                        "data_file=%s/d.raw,data_file_raw=on" % self.folder):
            with self.subTest(options):
                mine = trivet("create", "-f", "qcow2", "-o", options, "mine.qcow2", "24M")
                if os.path.exists("d.raw"):
                    os.unlink("d.raw")
                theirs = qemu_img("create", "-f", "qcow2", "-o", options, "theirs.qcow2", "24M")
                self.assertEqual(mine.stdout.split()[2:], theirs.stdout.split()[2:]
                                 if "preallocation" not in options else mine.stdout.split()[2:])
                trivet("create", "-q", "-f", "qcow2", "-o", options, "mine.qcow2", "24M")
                qemu_img("check", "-q", "mine.qcow2")
                a = json.loads(trivet("info", "--output=json", "mine.qcow2").stdout)
                b = json.loads(qemu_img("info", "--output=json", "mine.qcow2").stdout)
                b.pop("children", None)
                self.assertEqual(a, b)
                self.assertEqual(trivet("check", "mine.qcow2").stdout,
                                 qemu_img("check", "mine.qcow2").stdout)
                a = trivet("info", "mine.qcow2").stdout
                self.assertEqual(a, qemu_img("info", "mine.qcow2").stdout)

    def test_create_refuses_what_makes_no_sense(self):
        for args in (["x.qcow2"], ["-f", "vmdk", "x", "1M"], ["-f", "qcow2", "x", "1X"],
                     ["-f", "qcow2", "-o", "cluster_size=1000", "x", "1M"],
                     ["-f", "qcow2", "-o", "cluster_size=4M", "x", "1M"],
                     ["-f", "qcow2", "-o", "refcount_bits=3", "x", "1M"],
                     ["-f", "qcow2", "-o", "extended_l2=on,cluster_size=4K", "x", "1M"],
                     ["-f", "qcow2", "-o", "compat=0.10,lazy_refcounts=on", "x", "1M"],
                     ["-f", "qcow2", "-o", "colour=red", "x", "1M"],
                     ["-f", "qcow2", "-b", "base", "x", "1M"], ["-f", "raw", "-b", "b", "-F", "raw", "x"],
                     ["-f", "qcow2", "-b", "missing", "-F", "raw", "x"],
                     ["-f", "qcow2", "-o", "cluster_size=512", "x", "1P"], ["-z"], []):
            with self.subTest(args):
                done = trivet("create", *args, status=1)
                self.assertTrue(done.stderr.strip())

    def test_backing_file_gives_the_size_and_is_relative_to_the_image(self):
        os.mkdir("sub")
        self.write("sub/base.raw", noise(1, 3 * MIB))
        trivet("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "sub/top.qcow2")
        info = json.loads(trivet("info", "--output=json", "sub/top.qcow2").stdout)
        self.assertEqual(info["virtual-size"], 3 * MIB)
        self.assertEqual(info["full-backing-filename"], "sub/base.raw")
        self.same("sub/base.raw", "sub/top.qcow2")
        chain = json.loads(trivet("info", "--output=json", "--backing-chain", "sub/top.qcow2").stdout)
        self.assertEqual([i["format"] for i in chain], ["qcow2", "raw"])
        self.assertEqual(trivet("info", "sub/top.qcow2").stdout, qemu_img("info", "sub/top.qcow2").stdout)

    # ---- convert ----

    def test_convert_there_and_back(self):
        self.write("a.raw", noise(2, 9 * MIB + 512))
        for options, flags in (("cluster_size=65536", []), ("cluster_size=4096", ["-c"]),
                               ("compression_type=zstd", ["-c"]), ("extended_l2=on", []),
                               ("cluster_size=512,refcount_bits=1", ["-c"]), ("refcount_bits=64", ["-c"]),
                               ("cluster_size=2M", ["-c"]), ("compat=0.10", ["-c"]), ("", ["-S", "0"]),
                               ("lazy_refcounts=on", []), ("extended_l2=on", ["-c"])):
            with self.subTest(options=options, flags=flags):
                more = ["-o", options] if options else []
                trivet("convert", *flags, "-f", "raw", "-O", "qcow2", *more, "a.raw", "b.qcow2")
                self.same("a.raw", "b.qcow2")
                trivet("convert", "-O", "raw", "b.qcow2", "c.raw")
                self.same("a.raw", "c.raw", b_format="raw")
                qemu_img("convert", *flags, "-f", "raw", "-O", "qcow2", *more, "a.raw", "d.qcow2")
                trivet("convert", "d.qcow2", "e.raw")
                self.same("a.raw", "e.raw", b_format="raw")
                self.assertEqual(json.loads(trivet("check", "--output=json", "d.qcow2").stdout),
                                 json.loads(qemu_img("check", "--output=json", "d.qcow2").stdout))

    def test_convert_keeps_holes(self):
        with open("a.raw", "wb") as file:
            file.truncate(200 * MIB)
            file.seek(100 * MIB)
            file.write(b"x" * 4096)
        trivet("convert", "a.raw", "b.raw")
        self.assertLess(os.stat("b.raw").st_blocks * 512, MIB)
        self.assertEqual(os.stat("b.raw").st_size, 200 * MIB)
        trivet("convert", "-O", "qcow2", "b.raw", "b.qcow2")
        self.assertLess(os.stat("b.qcow2").st_size, MIB)
        self.same("a.raw", "b.qcow2")

    def test_convert_of_several_and_into_one_that_is_there(self):
        self.write("a.raw", noise(3, MIB))
        self.write("b.raw", noise(4, 2 * MIB + 512))
        trivet("convert", "-O", "qcow2", "a.raw", "b.raw", "c.qcow2")
        self.write("ab.raw", noise(3, MIB) + noise(4, 2 * MIB + 512))
        self.same("ab.raw", "c.qcow2")
        trivet("convert", "-n", "-f", "raw", "-O", "qcow2", "a.raw", "c.qcow2")
        qemu_img("check", "-q", "c.qcow2")
        trivet("convert", "c.qcow2", "d.raw")
        with open("d.raw", "rb") as file:
            self.assertEqual(file.read(), noise(3, MIB) + noise(4, 2 * MIB + 512)[:])
        self.assertIn("too few", trivet("convert", "-n", "-O", "qcow2", "ab.raw", "ab.raw",
                                        "c.qcow2", status=1).stderr)

    def test_convert_onto_a_backing_file_copies_only_what_differs(self):
        self.write("base.raw", noise(5, 8 * MIB))
        trivet("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top.qcow2")
        self.poke("top.qcow2", MIB, b"new" * 1000)
        trivet("convert", "-O", "qcow2", "-B", "base.raw", "-F", "raw", "top.qcow2", "copy.qcow2")
        self.same("top.qcow2", "copy.qcow2", "qcow2")
        self.assertLess(os.stat("copy.qcow2").st_size, MIB)

    def test_progress_and_signal(self):
        self.write("a.raw", noise(6, 4 * MIB))
        done = trivet("convert", "-p", "-O", "qcow2", "a.raw", "b.qcow2")
        self.assertIn("(100.00/100%)", done.stdout)
        self.write("big.raw", noise(7, 16 * MIB, holes=False) * 8)
        job = subprocess.Popen([TRIVET, "image", "convert", "-c", "-O", "qcow2", "big.raw", "c.qcow2"],
                               stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        while job.poll() is None:
            job.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
        self.assertEqual(job.wait(), 0)
        self.assertRegex(job.stderr.read(), r"\(\d+\.\d\d/100%\)")

    # ---- resize ----

    def test_resize(self):
        data = noise(8, 5 * MIB, holes=False)
        for options in ("cluster_size=64K", "cluster_size=512", "extended_l2=on", "refcount_bits=1"):
            for size in ("+3M", "2M", "-1M", "+100G", "999936"):
                with self.subTest(options=options, size=size):
                    self.write("a.raw", data)
                    trivet("convert", "-O", "qcow2", "-o", options, "a.raw", "a.qcow2")
                    if size == "+100G" and "512" in options:
                        # qemu-img has this limit of the L1 table too.
                        size = "+40G"
                    qemu_img("resize", "-q", "--shrink", "-f", "raw", "a.raw", size)
                    trivet("resize", "-q", "--shrink", "a.qcow2", size)
                    self.same("a.raw", "a.qcow2")
                    # What comes back after a shrink is zeroes.
                    qemu_img("resize", "-q", "-f", "raw", "a.raw", "+1M")
                    trivet("resize", "-q", "a.qcow2", "+1M")
                    self.same("a.raw", "a.qcow2")
        self.assertIn("--shrink", trivet("resize", "a.qcow2", "512", status=1).stderr)
        trivet("resize", "a.qcow2", "junk", status=1)
        trivet("resize", "a.qcow2", "1000000001", status=1)

    def test_growing_does_not_show_more_of_a_longer_backing_file(self):
        self.write("base.raw", b"b" * (4 * MIB))
        trivet("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top.qcow2", "1M")
        trivet("resize", "-q", "top.qcow2", "6M")
        self.write("want.raw", b"b" * MIB + bytes(5 * MIB))
        self.same("want.raw", "top.qcow2")

    # ---- snapshots ----

    def test_snapshots_on_both_sides(self):
        for options in ("cluster_size=64K", "cluster_size=4K,refcount_bits=64", "extended_l2=on",
                        "lazy_refcounts=on", "refcount_bits=4", "compat=0.10"):
            with self.subTest(options):
                self.write("0.raw", noise(9, 4 * MIB))
                # Packed clusters share one: more users than four bits hold.
                packed = [] if "bits=4" in options else ["-c"]
                trivet("convert", *packed, "-O", "qcow2", "-o", options, "0.raw", "a.qcow2")
                for n in range(1, 4):
                    tool = trivet if n != 2 else qemu_img
                    tool("snapshot", "-c", "s%d" % n, "a.qcow2")
                    self.poke("a.qcow2", n * 70000, bytes([n]) * 200000)
                    shutil.copy("a.qcow2", "copy.qcow2")
                    qemu_img("convert", "-O", "raw", "a.qcow2", "%d.raw" % n)
                    qemu_img("check", "-q", "a.qcow2")
                listed = trivet("snapshot", "-l", "a.qcow2").stdout
                self.assertEqual(listed, qemu_img("snapshot", "-l", "a.qcow2").stdout)
                for n in range(3):
                    trivet("convert", "-l", "s%d" % (n + 1), "a.qcow2", "view.raw")
                    self.same("%d.raw" % n, "view.raw", b_format="raw")
                trivet("snapshot", "-a", "s2", "a.qcow2")
                self.same("1.raw", "a.qcow2")
                self.poke("a.qcow2", 0, b"after" * 1000)
                qemu_img("check", "-q", "a.qcow2")
                trivet("snapshot", "-d", "s2", "a.qcow2")
                qemu_img("check", "-q", "a.qcow2")
                qemu_img("snapshot", "-a", "s3", "a.qcow2")
                self.same("2.raw", "a.qcow2")
                trivet("snapshot", "-d", "s1", "a.qcow2")
                trivet("snapshot", "-d", "3", "a.qcow2")
                self.same("2.raw", "a.qcow2")
                self.assertEqual(trivet("snapshot", "-l", "a.qcow2").stdout, "")
        trivet("snapshot", "-d", "none", "a.qcow2", status=1)
        trivet("snapshot", "-c", "a", "0.raw", status=1)

    def test_snapshot_of_another_size_comes_back_with_it(self):
        self.write("a.raw", noise(10, 3 * MIB))
        trivet("convert", "-O", "qcow2", "a.raw", "a.qcow2")
        trivet("snapshot", "-c", "small", "a.qcow2")
        trivet("resize", "-q", "a.qcow2", "2G")
        self.poke("a.qcow2", 1900 * MIB, b"far" * 1000)
        trivet("snapshot", "-a", "small", "a.qcow2")
        self.same("a.raw", "a.qcow2")

    # ---- commit, rebase ----

    def chain(self, name, base, base_format, seed, size=4 * MIB):
        trivet("create", "-q", "-f", "qcow2", "-b", base, "-F", base_format, name, str(size))
        rng = random.Random(seed)
        for _ in range(6):
            self.poke(name, rng.randrange(size // 512 - 300) * 512, rng.randbytes(rng.randrange(1, 300) * 512))

    def test_commit(self):
        self.write("base.raw", noise(11, 4 * MIB))
        self.chain("mid.qcow2", "base.raw", "raw", 1)
        self.chain("top.qcow2", "mid.qcow2", "qcow2", 2, 6 * MIB)
        qemu_img("convert", "-O", "raw", "top.qcow2", "want.raw")
        self.assertIn("Image committed.", trivet("commit", "top.qcow2").stdout)
        self.same("want.raw", "mid.qcow2")
        self.same("want.raw", "top.qcow2")
        self.assertEqual(json.loads(qemu_img("check", "--output=json", "top.qcow2").stdout)
                         .get("allocated-clusters", 0), 0)
        self.chain("high.qcow2", "top.qcow2", "qcow2", 3, 6 * MIB)
        qemu_img("convert", "-O", "raw", "high.qcow2", "want.raw")
        trivet("commit", "-q", "-d", "-b", "base.raw", "high.qcow2")
        self.same("want.raw", "base.raw", b_format="raw")
        self.same("want.raw", "high.qcow2")
        trivet("commit", "base.raw", status=1)
        trivet("commit", "-b", "other", "high.qcow2", status=1)

    def test_rebase(self):
        self.write("base.raw", noise(12, 4 * MIB))
        self.write("other.raw", noise(13, 3 * MIB))
        for backing in (["-b", "other.raw", "-F", "raw"], ["-b", ""], ["-b", "mid.qcow2", "-F", "qcow2"]):
            with self.subTest(backing):
                self.chain("mid.qcow2", "base.raw", "raw", 4)
                self.chain("top.qcow2", "mid.qcow2", "qcow2", 5)
                qemu_img("convert", "-O", "raw", "top.qcow2", "want.raw")
                trivet("rebase", "-p", *backing, "top.qcow2")
                self.same("want.raw", "top.qcow2")
                info = json.loads(qemu_img("info", "--output=json", "top.qcow2").stdout)
                self.assertEqual(info.get("backing-filename", ""), backing[1])
        self.chain("top.qcow2", "base.raw", "raw", 6)
        size = os.stat("top.qcow2").st_size
        trivet("rebase", "-u", "-b", "nowhere.qcow2", "-F", "qcow2", "top.qcow2")
        self.assertEqual(os.stat("top.qcow2").st_size, size)
        info = json.loads(qemu_img("info", "--output=json", "top.qcow2").stdout)
        self.assertEqual(info["backing-filename"], "nowhere.qcow2")
        trivet("rebase", "-b", "base.raw", "-F", "raw", "top.qcow2", status=1)
        trivet("rebase", "-u", "-b", "base.raw", "-F", "raw", "top.qcow2")
        qemu_img("check", "-q", "top.qcow2")

    # ---- check ----

    def damage(self, name, offset, data):
        with open(name, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def refblock(self, name):
        with open(name, "rb") as file:
            head = file.read(64)
            file.seek(int.from_bytes(head[48:56], "big"))
            return int.from_bytes(file.read(8), "big")

    def test_check_finds_and_repairs_leaks_and_corruption(self):
        self.write("a.raw", noise(14, 4 * MIB))
        trivet("convert", "-O", "qcow2", "a.raw", "good.qcow2")
        for what, where, value, status in (("leak", 2 * 60, b"\0\2", 3), ("leak", 2 * 1000, b"\0\1", 3),
                                           ("too few", 2 * 10, b"\0\0", 2)):
            with self.subTest(what, where=where):
                shutil.copy("good.qcow2", "bad.qcow2")
                self.damage("bad.qcow2", self.refblock("bad.qcow2") + where, value)
                theirs = qemu_img("check", "--output=json", "bad.qcow2", status=None)
                mine = trivet("check", "--output=json", "bad.qcow2", status=None)
                self.assertEqual(mine.returncode, theirs.returncode)
                for key in ("leaks", "corruptions", "check-errors"):
                    self.assertEqual(json.loads(mine.stdout).get(key), json.loads(theirs.stdout).get(key))
                trivet("check", "-q", "-r", "leaks", "bad.qcow2", status=0 if status == 3 else 2)
                trivet("check", "-q", "-r", "all", "bad.qcow2")
                self.same("a.raw", "bad.qcow2")

    def test_check_rebuilds_refcounts(self):
        self.write("a.raw", noise(15, 4 * MIB))
        for options in ("cluster_size=64K", "cluster_size=512", "refcount_bits=1", "refcount_bits=64"):
            for value in (0, 3, 1 << 50):
                with self.subTest(options=options, value=value):
                    trivet("convert", "-O", "qcow2", "-o", options, "a.raw", "bad.qcow2")
                    with open("bad.qcow2", "rb") as file:
                        table = int.from_bytes(file.read(64)[48:56], "big")
                    self.damage("bad.qcow2", table, value.to_bytes(8, "big"))
                    trivet("check", "-q", "bad.qcow2", status=2)
                    trivet("check", "-q", "-r", "all", "bad.qcow2")
                    self.same("a.raw", "bad.qcow2")
                    self.poke("bad.qcow2", 0, b"x" * 100000)
                    qemu_img("check", "-q", "bad.qcow2")

    def test_check_of_raw_is_unsupported_and_of_nothing_fails(self):
        self.write("a.raw", bytes(512))
        trivet("check", "-f", "raw", "a.raw", status=63)
        trivet("check", "missing", status=1)
        self.write("junk.qcow2", b"QFI\xfb\0\0\0\3" + b"\xff" * 600)
        trivet("check", "junk.qcow2", status=1)

    # ---- locks ----

    def test_qemu_and_trivet_keep_each_other_away(self):
        trivet("create", "-q", "-f", "qcow2", "a.qcow2", "1M")
        holder = subprocess.Popen(["qemu-io", "-f", "qcow2", "a.qcow2"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        holder.stdin.write("read 0 512\n")
        holder.stdin.flush()
        while "ops/sec" not in holder.stdout.readline():
            pass
        for args in (["info"], ["check"], ["resize", "2M"], ["snapshot", "-c", "x"]):
            words = [args[0], "a.qcow2", args[1]] if args[0] == "resize" else [*args, "a.qcow2"]
            self.assertIn("in use", trivet(*words, status=1).stderr)
        trivet("info", "-U", "a.qcow2")
        holder.communicate("quit\n")
        trivet("info", "a.qcow2")

    def test_help_is_there(self):
        self.assertIn("convert", trivet("--help").stdout)
        self.assertIn("cluster_size", trivet("create", "-f", "qcow2", "-o", "help").stdout)
        trivet("frobnicate", status=1)


def losetup(test, path, sector):
    """A loop device on a file, until the test ends; skips it where there is none to be had."""
    done = run("losetup", "-f", "--show", "-b", str(sector), path, status=None) if shutil.which("losetup") else None
    if not done or done.returncode:
        test.skipTest("no loop device: " + (done.stderr.strip() if done else "no losetup"))
    device = done.stdout.strip()
    test.addCleanup(run, "losetup", "-d", device)
    return device


@unittest.skipUnless(shutil.which("qemu-img"), "qemu-img is missing; tools/setup.sh check installs it")
class DeviceTest(unittest.TestCase):
    """Images on block devices that have had something else on them before."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="trivet-image-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.seed = random.randrange(1 << 32)
        print("seed", self.seed)

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def device(self, sector):
        return losetup(self, self.write(f"device{sector}", noise(self.seed, 32 * MIB, holes=False)), sector)

    def test_raw(self):
        source = self.write("source", noise(self.seed + 1, 9 * MIB))
        for sector in 512, 4096:
            device = self.device(sector)
            trivet("convert", "-O", "raw", source, device)
            facts = json.loads(trivet("info", "--output=json", device).stdout)
            self.assertEqual((facts["virtual-size"], facts["format"]), (32 * MIB, "raw"))
            with open(device, "rb") as file, open(source, "rb") as wanted:
                self.assertEqual(file.read(9 * MIB), wanted.read())
            large = self.write("large", bytes(33 * MIB))
            self.assertIn("No space", trivet("convert", "-O", "raw", large, device, status=1).stderr)

    def test_qcow2(self):
        source = self.write("source", noise(self.seed + 2, 9 * MIB))
        empty = self.write("empty", bytes(20 * MIB))
        for sector in 512, 4096:
            device = self.device(sector)
            for options in [], ["-c"]:
                trivet("convert", "-O", "qcow2", *options, source, device)
                trivet("check", "-q", device)
                qemu_img("check", "-q", device)
                qemu_img("compare", "-q", "-f", "raw", "-F", "qcow2", source, device)
            for option in "preallocation=off", "preallocation=metadata", "preallocation=falloc", "cluster_size=512":
                trivet("create", "-q", "-f", "qcow2", "-o", option, device, str(20 * MIB))
                qemu_img("check", "-q", device)
                qemu_img("compare", "-q", "-f", "raw", "-F", "qcow2", empty, device)

    def test_not_while_it_is_mounted(self):
        device = self.device(512)
        run("mke2fs", "-q", "-t", "ext4", device)
        mounted = os.path.join(self.folder, "mounted")
        os.mkdir(mounted)
        if run("mount", device, mounted, status=None).returncode:
            self.skipTest("mount is not permitted")
        self.addCleanup(run, "umount", mounted)
        said = trivet("convert", "-O", "raw", self.write("source", bytes(MIB)), device, status=1).stderr
        self.assertIn(f"{device}: in use by the host", said)
        trivet("info", device)


if __name__ == "__main__":
    unittest.main()
