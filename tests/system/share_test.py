#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux mounts folders of the host: trees both ways, names that change, caches, owners, what is refused."""
import fcntl
import hashlib
import os
import random
import resource
import shutil
import stat
import struct
import sys
import unittest

import fixture
import linux

FLAVOUR = "amd64"  # the cloud kernel has no 9p
MODES = "none", "loose", "mmap"


class Share(linux.Case):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self)
        self.initrd = fixture.initrd_with_modules(self.scratch / "initrd", FLAVOUR)
        self.folder = self.make_folder("folder,one")

    def make_folder(self, name):
        os.mkdir(self.scratch / name)
        return self.scratch / name

    def start(self, *args, **options):
        """Up to the prompt, with the drivers loaded."""
        machine = self.boot(self.initrd, *args, flavour=FLAVOUR, **options)
        self.ask(machine, "modprobe -a virtio_pci 9pnet_virtio 9p")
        return machine

    def mount(self, machine, tag, place, options=""):
        self.ask(machine, f"mkdir -p {place} && mount -t 9p -o trans=virtio,version=9p2000.L{options} {tag} {place}")

    def refused(self, machine, command):
        self.ask(machine, f"! {command} 2>/dev/null")

    def option(self, more, folder=None):
        return ["--share", str(folder or self.folder).replace(",", ",,") + "," + more]

    # ---- trees ----

    def make_tree(self, seed):
        """Files of all sizes, names of all kinds, a few levels."""
        chance = random.Random(seed)
        for name in "", "d", "d/e e", "d/e e/f", "d/\u00e4\u00f6\u4e2d":
            os.makedirs(self.folder / name, exist_ok=True)
            for size in 0, 1, 4096, 70000, 300000:
                with open(self.folder / name / f"file {size}", "wb") as file:
                    file.write(chance.randbytes(size + (size > 1) * chance.randrange(1000)))
        os.symlink("d/file 1", self.folder / "link")
        os.symlink("/etc/passwd", self.folder / "out")

    def sums(self, folder):
        found = {}
        for place, _, files in os.walk(folder):
            for name in files:
                path = os.path.join(place, name)
                if not os.path.islink(path):
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, folder)] = hashlib.md5(file.read()).hexdigest()
        return found

    def forget(self, machine):
        """With cache=loose Linux does not see what the host changes, nor that an inode's number is a new file's."""
        self.ask(machine, "sync; echo 3 > /proc/sys/vm/drop_caches")

    def check_sums(self, machine, place):
        """The guest reads the same of all files as the host."""
        lines = "".join(f"{value}  ./{name}\n" for name, value in sorted(self.sums(self.folder).items()))
        with open(self.folder / "sums", "w", encoding="utf-8") as file:
            file.write(lines)
        self.forget(machine)
        self.ask(machine, f"(cd {place} && md5sum -c sums > /tmp/out) || (grep -v OK /tmp/out; false)")
        os.unlink(self.folder / "sums")
        self.forget(machine)

    def check_listing(self, machine, place):
        """`find` in the guest agrees with the host: kinds, permissions, links, sizes."""
        self.ask(machine, f"cd {place} && find . -print0 | xargs -0 stat -c '%f %h %s %n' > /tmp/found && cd")
        self.ask(machine, f"cp /tmp/found {place}/found && sync")
        # Not of what this changes.
        found = {line for line in (self.folder / "found").read_text().splitlines() if not line.endswith(" .")}
        os.unlink(self.folder / "found")
        self.forget(machine)
        here = set()
        for place_here, folders, files in os.walk(self.folder):
            for name in folders + files:
                path = os.path.join(place_here, name)
                facts = os.lstat(path)
                here.add("%x %d %d ./%s" % (facts.st_mode, facts.st_nlink, facts.st_size,
                                            os.path.relpath(path, self.folder)))
        self.assertEqual(found, here)

    def write_tree(self, machine, place):
        self.ask(machine, f"mkdir -p {place}/new/d && cd {place}/new && for n in 1 5000 800000; do"
                          " head -c $n /dev/urandom > d/f$n; done; cp -r d copy; mv d/f1 'copy/f 1 moved';"
                          " md5sum d/* copy/* > sums; cd; sync")
        for line in (self.folder / "new/sums").read_text().splitlines():
            value, name = line.split("  ", 1)
            self.assertEqual(hashlib.md5((self.folder / "new" / name).read_bytes()).hexdigest(), value, name)
        self.ask(machine, f"rm -r {place}/new")
        self.assertFalse((self.folder / "new").exists())

    def check_names(self, machine, place):
        self.ask(machine, f"cd {place} && mkdir -p n/o && echo one > n/a && ln n/a n/b && ln -s a n/c && mv n/a n/o/a"
                          " && mv n p && [ $(cat p/b) = one ] && [ $(stat -c %h p/o/a) = 2 ] && [ $(readlink p/c) = a ]"
                          " && echo two > p/x && mv p/x p/b && [ $(cat p/b) = two ] && [ $(cat p/o/a) = one ]"
                          " && exec 5<>p/o/a && rm p/o/a && echo three >&5 && [ $(stat -Lc %s /proc/self/fd/5) = 6 ]"
                          " && exec 5>&- && chmod 4751 p/b && mkfifo p/f && touch -d '2001-02-03 04:05:06' p/b; cd; sync")
        facts = os.lstat(self.folder / "p/b")
        self.assertEqual(facts.st_mode, stat.S_IFREG | 0o751)  # nobody gets rights by it
        self.assertEqual(int(facts.st_mtime), 981173106)
        self.assertEqual(sorted(os.listdir(self.folder / "p")), ["b", "c", "f", "o"])
        self.refused(machine, f"mknod {place}/p/d b 8 0")
        self.refused(machine, f"rmdir {place}/p")
        self.ask(machine, f"rm -r {place}/p")
        self.assertFalse((self.folder / "p").exists())

    def check_program(self, machine, place, what, name):
        output = self.ask(machine, f"{place}/share-guest {what} {place}/{name}")
        self.assertNotIn("not so", output)

    def put_program(self):
        program = fixture.directory / "share-guest"
        if program.exists():
            shutil.copy(program, self.folder / "share-guest")
        return program.exists()

    def check_rest(self, machine, place, mode):
        (self.folder / "facts").write_bytes(b"first page".ljust(4096) + b"second page".ljust(4096))
        os.setxattr(self.folder / "facts", "user.from-host", b"hello")
        self.forget(machine)
        self.check_program(machine, place, "xattr", "facts")
        self.assertEqual(os.getxattr(self.folder / "facts", "user.from-guest"), b"yes")
        with open(self.folder / "facts", "r+b") as file:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 10, 0))
            self.check_program(machine, place, "lock", "facts")
        if mode != "none":  # which has no shared mappings that are written
            self.check_program(machine, place, "map", "facts")
            self.assertIn(b"mapped page", (self.folder / "facts").read_bytes())
        os.unlink(self.folder / "facts")

    def test_trees_and_names_in_each_cache_mode(self):
        self.make_tree(7)
        has_program = self.put_program()
        machine = self.start(*self.option("tag=my-share"), cpus=2)
        for mode in MODES:
            self.mount(machine, "my-share", f"/{mode}", f",cache={mode},msize=262144")
            self.check_sums(machine, f"/{mode}")
            self.check_listing(machine, f"/{mode}")
            self.write_tree(machine, f"/{mode}")
            self.check_names(machine, f"/{mode}")
            if has_program:
                self.check_rest(machine, f"/{mode}", mode)
            self.assertIn("No such file", self.ask(machine, f"cat /{mode}/out 2>&1 || true"))
            self.ask(machine, f"umount /{mode}")
        self.power_off(machine)

    # ---- others ----

    def test_a_big_folder_a_read_only_one_and_owners(self):
        big, closed, owned = (self.make_folder(name) for name in ("big", "closed", "owned"))
        (closed / "file").write_text("to read\n")
        machine = self.start(*self.option("tag=big,iothread=1,packed=on", big),
                             *self.option("tag=closed,read-only=on", closed),
                             *self.option("tag=owned,security=mapped,iothread=0", owned))
        self.mount(machine, "big", "/big", ",msize=8192")
        self.ask(machine, "i=0; while [ $i -lt 2000 ]; do : > /big/file-$i; i=$((i+1)); done")
        self.assertEqual(len(os.listdir(big)), 2000)
        self.ask(machine, "ls /big | sort > /tmp/a; find /big -type f | sed 's,.*/,,' | sort > /tmp/b;"
                          " cmp /tmp/a /tmp/b && [ $(wc -l < /tmp/a) = 2000 ]")
        space = os.statvfs(big)
        blocks = self.ask(machine, "stat -f -c 'space %s %b' /big")
        self.assertIn(f"space {space.f_bsize} {space.f_blocks}", blocks)
        self.ask(machine, "rm -r /big/*")
        self.assertEqual(os.listdir(big), [])

        self.mount(machine, "closed", "/closed")
        self.assertIn("to read", self.ask(machine, "cat /closed/file"))
        for command in ("touch /closed/new", "mkdir /closed/new", "rm /closed/file", "mv /closed/file /closed/new",
                        "ln /closed/file /closed/new", "ln -s x /closed/new", "chmod 777 /closed/file",
                        "truncate -s 0 /closed/file", "sh -c 'echo x >> /closed/file'", "mkfifo /closed/new"):
            self.refused(machine, command)
        self.assertEqual(os.listdir(closed), ["file"])
        self.assertEqual((closed / "file").read_text(), "to read\n")

        self.mount(machine, "owned", "/owned")
        self.ask(machine, "cd /owned && echo x > f && chown 1234:5678 f && chmod 6711 f && mknod n c 1 5 && ln -s f l"
                          " && [ $(cat l) = x ] && head -c 100 n | tr -d '\\0' | wc -c | grep -q '^0$'; cd")
        self.ask(machine, "umount /owned")
        self.mount(machine, "owned", "/owned")
        self.assertRegex(self.ask(machine, "cd /owned; stat -c '%A %u:%g %n' f n l; cd"),
                         r"-rws--s--x 1234:5678 f\s+crw-r--r-- 0:0 n\s+lrwxrwxrwx 0:0 l")
        self.assertEqual({stat.filemode(os.lstat(owned / name).st_mode) for name in "fnl"}, {"-rw-------"})
        self.power_off(machine)

    def test_a_reset_and_a_configuration_file(self):
        (self.folder / "file").write_text("content\n")
        (self.scratch / "conf").write_text(f"[share {self.folder}]\ntag = share\niothread = 0\n")
        machine = self.start("--config", str(self.scratch / "conf"))
        for last in False, True:
            self.mount(machine, "share", "/share")
            self.assertIn("content", self.ask(machine, "exec 5</share/file; cat <&5"))
            if not last:
                machine.send("reboot -f\n")
                machine.expect(rb"user space reached")
                machine.expect(fixture.PROMPT)
                self.ask(machine, "modprobe -a virtio_pci 9pnet_virtio 9p")
        self.ask(machine, "exec 5<&-")
        # A file that the host lets become no longer: an error in the guest, for which nothing ends.
        limit = 1 << 20
        resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        self.assertIn("too large", self.ask(machine, "dd if=/dev/zero of=/share/long bs=64k count=32 2>&1 || true"))
        self.assertEqual(os.path.getsize(self.folder / "long"), limit)
        self.power_off(machine)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel(FLAVOUR)
    unittest.main(verbosity=2)
