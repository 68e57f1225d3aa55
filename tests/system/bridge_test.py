#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bridge helper installed set-user-ID root and with file capabilities, started by a user without rights.

Runs as root in namespaces of its own for networks and mounts; the host's files and bridges stay as they are.
"""
import array
import fcntl
import functools
import os
import pathlib
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import unittest

import fixture
import linux

INSIDE = "TRIVET_BRIDGE_TEST_INSIDE"
NAMESPACES = ["unshare", "--net", "--mount"]
USER = 65534
AS_USER = {"user": USER, "group": USER, "extra_groups": []}
TUNGETIFF = 0x800454D2
IFF_TAP, IFF_VNET_HDR = 0x0002, 0x4000


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def interfaces():
    """Names and bridges, by netlink: /sys shows another namespace's."""
    lines = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {re.match(r"\d+: ([^:@]+)", line)[1]: (re.search(r" master (\S+)", line) or [None, None])[1] for line in lines}


class Result:
    """What a helper did: status, message, and the interface's name and flags if it sent one."""

    def __init__(self, status, message, fds):
        self.status, self.message, self.fds = status, message, fds

    def close(self):
        for fd in self.fds:
            os.close(fd)

    def interface(self):
        name, flags = struct.unpack_from("16sH", fcntl.ioctl(self.fds[0], TUNGETIFF, bytes(40)))
        return name.rstrip(b"\0").decode(), flags


def installed_both_ways(test):
    @functools.wraps(test)
    def run_twice(self):
        for way in "set-user-ID", "capabilities":
            with self.subTest(way):
                self.install(way)
                test(self)
    return run_twice


class Bridge(linux.Case):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self).path
        run("mount", "-t", "tmpfs", "-o", "mode=755,size=300m", "tmpfs", self.scratch)
        self.addCleanup(run, "umount", "-l", self.scratch)
        self.helper = self.scratch / "trivet-bridge-helper"
        shutil.copy(pathlib.Path(fixture.trivet).with_name(self.helper.name), self.helper)
        # What udev makes for everybody: the right to make interfaces is asked for by the driver.
        os.mknod(self.scratch / "tun", stat.S_IFCHR | 0o666, os.makedev(10, 200))
        os.chmod(self.scratch / "tun", 0o666)
        run("mount", "--bind", self.scratch / "tun", "/dev/net/tun")
        self.addCleanup(run, "umount", "/dev/net/tun")
        run("ip", "link", "add", "br0", "type", "bridge")
        self.addCleanup(run, "ip", "link", "del", "br0")
        run("ip", "link", "add", "secret0", "type", "bridge")
        self.addCleanup(run, "ip", "link", "del", "secret0")
        run("ip", "tuntap", "add", "plain0", "mode", "tap")
        self.addCleanup(run, "ip", "link", "del", "plain0")
        self.hide_folder_of_leaves()

    def hide_folder_of_leaves(self):
        """The helper's file has a fixed path, which it names; a file system of ours goes over its folder's."""
        self.install("capabilities")
        self.acl = pathlib.Path(re.search(r"(/\S+/bridge\.conf)", self.call("--br=no-such-1").message)[1])
        folder = self.acl.parent
        while not folder.is_dir():
            folder = folder.parent
        if folder == pathlib.Path("/"):
            self.skipTest(f"{self.acl.parent} has no folder to mount over")
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        self.addCleanup(run, "umount", folder)
        self.acl.parent.mkdir(parents=True, exist_ok=True)

    def install(self, way):
        os.chown(self.helper, 0, 0)  # takes capabilities and mode bits away
        os.chmod(self.helper, 0o4755 if way == "set-user-ID" else 0o755)
        if way == "capabilities":
            run("setcap", "cap_net_admin+ep", self.helper)

    def allow(self, text, mode=0o644, owner=0):
        self.acl.write_text(text)
        os.chmod(self.acl, mode)
        os.chown(self.acl, owner, owner)

    def call(self, *args, fd=True, closed=(), env=None):
        """The helper as a user without rights; `closed`: descriptors it starts without."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

        def prepare():
            os.dup2(theirs.fileno(), 3, inheritable=True)
            for number in closed:
                os.close(number)

        with ours, theirs:
            done = subprocess.run([self.helper, *args, *(["--fd=3"] if fd else [])], **AS_USER,
                                  pass_fds=[3, theirs.fileno()], preexec_fn=prepare, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env,
                                  timeout=fixture.PATIENCE)
            theirs.close()
            _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(16 * 4))
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data)
        result = Result(done.returncode, done.stderr, fds.tolist())
        self.addCleanup(result.close)
        return result

    def refused(self, pattern, *args, **options):
        before = interfaces()
        result = self.call(*args, **options)
        self.assertNotEqual(result.status, 0)
        self.assertEqual(result.fds, [])
        self.assertRegex(result.message, pattern)
        self.assertEqual(interfaces(), before)

    @installed_both_ways
    def test_a_user_gets_an_interface_on_an_allowed_bridge_only(self):
        self.allow("allow br0\n")
        result = self.call("--use-vnet", "--br=br0")
        self.assertEqual((result.status, result.message, len(result.fds)), (0, "", 1))
        name, flags = result.interface()
        self.assertEqual(flags & (IFF_TAP | IFF_VNET_HDR), IFF_TAP | IFF_VNET_HDR)
        self.assertEqual(interfaces()[name], "br0")
        self.refused(r"bridge secret0: not for users; \"allow secret0\" in \S+ would let", "--br=secret0")
        self.allow("allow all\ndeny secret0\n")
        self.refused("bridge secret0: not for users", "--br=secret0")

    def test_without_rights_it_says_who_gives_them(self):
        self.allow("allow all\n")
        self.install("nothing")
        self.refused("needs CAP_NET_ADMIN: an administrator gives it", "--br=br0")

    @installed_both_ways
    def test_leaves_that_others_could_have_written_count_for_nothing(self):
        self.acl.unlink(missing_ok=True)
        self.refused("bridge.conf: No such file", "--br=br0")
        for mode, owner in (0o664, 0), (0o646, 0), (0o644, USER):
            self.allow("allow all\n", mode, owner)
            self.refused("bridge.conf: must be a regular file of root's that nobody else", "--br=br0")
        extra = self.scratch / "extra.conf"
        extra.write_text("allow br0\n")
        os.chown(extra, USER, USER)
        self.allow(f"include {extra}\n")
        self.refused("extra.conf: must be a regular file of root's", "--br=br0")
        # Read as the user who asks: what that user may not read says nothing.
        self.allow("allow br0\n", 0o600)
        self.refused("bridge.conf: Permission denied", "--br=br0")
        self.acl.unlink()
        self.acl.mkdir()
        self.refused("bridge.conf: ", "--br=br0")
        self.acl.rmdir()

    @installed_both_ways
    def test_hostile_names(self):
        self.allow("allow all\n")
        for name in "", ".", "..", "../../br0", "br0/x", "br0 ", "br0\n", "\x1b[2J", "tap%d", "a" * 16, "br:0":
            self.refused("^usage: ", f"--br={name}")
        self.refused("no-such-1: No such device", "--br=no-such-1")
        self.refused("on the bridge: Operation not supported", "--br=plain0")

    @installed_both_ways
    def test_hostile_descriptors(self):
        self.allow("allow br0\n")
        for number in "-1", "", "x", "3x", "4294967299", "99999999999999999999":
            self.refused("^usage: ", "--br=br0", f"--fd={number}", fd=False)
        for number in 0, 1, 2, 77:
            self.refused(f"--fd={number}: must be a UNIX socket", "--br=br0", f"--fd={number}", fd=False)
        self.refused("^usage: ", "--br=br0", fd=False)
        self.refused("^usage: ", "--br=br0", "--fd=3", "more", fd=False)

    @installed_both_ways
    def test_closed_standard_descriptors(self):
        """The interface and the helper's sockets get none of their numbers, so no message goes to them."""
        self.allow("allow br0\n")
        for closed in (0,), (0, 1, 2):
            result = self.call("--br=br0", closed=closed)
            self.assertEqual((result.status, len(result.fds)), (0, 1))
            self.assertEqual(interfaces()[result.interface()[0]], "br0")
        self.assertNotEqual(self.call("--br=secret0", closed=(0, 1, 2)).status, 0)

    @installed_both_ways
    def test_hostile_environment(self):
        env = {"LD_DEBUG": "libs", "TRIVET_BRIDGE_ACL": "/dev/null", "POSIXLY_CORRECT": "1"}
        self.allow("allow br0\n")
        result = self.call("--br=br0", env=env)
        self.assertEqual((result.status, result.message, len(result.fds)), (0, "", 1))
        # Without the rights it is a program like others, and its loader says a lot.
        self.install("nothing")
        self.assertRegex(self.call("--br=br0", env=env).message, "find library.*\n(.*\n)*.*needs CAP_NET_ADMIN")

    @installed_both_ways
    def test_it_keeps_no_other_right(self):
        """Looked at while it waits for room in the socket, so at its last step."""
        self.allow("allow br0\n")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        theirs.setblocking(False)
        try:
            while True:
                theirs.send(bytes(65536))
        except BlockingIOError:
            theirs.setblocking(True)
        process = subprocess.Popen(
            [self.helper, "--br=br0", f"--fd={theirs.fileno()}"], **AS_USER, pass_fds=[theirs.fileno()])
        with ours, theirs:
            status = self.wait_for_bridge(process)
            owner = pathlib.Path(f"/proc/{process.pid}/stat").stat().st_uid
            theirs.close()
            while ours.recv(1 << 20):
                pass
            process.wait(fixture.PATIENCE)
        self.assertEqual(re.search(r"Uid:\t(.*)", status)[1].split(), [str(USER)] * 4)
        self.assertEqual(re.search(r"Gid:\t(.*)", status)[1].split(), [str(USER)] * 4)
        for kind in "Prm", "Eff":
            self.assertEqual(int(re.search(rf"Cap{kind}:\t(\S+)", status)[1], 16), 1 << 12)
        for kind in "Inh", "Amb":
            self.assertEqual(int(re.search(rf"Cap{kind}:\t(\S+)", status)[1], 16), 0)
        self.assertIn("NoNewPrivs:\t1", status)
        # A process that its user may not look into belongs to root in /proc.
        self.assertEqual(owner, 0)

    def wait_for_bridge(self, process):
        """/proc's status of the helper when its interface is on the bridge."""
        while "br0" not in interfaces().values():
            self.assertIsNone(process.poll())
        return pathlib.Path(f"/proc/{process.pid}/status").read_text()

    @installed_both_ways
    def test_a_users_machine_on_a_bridge(self):
        """All of it: trivet as a user, the helper beside it, a guest that reaches the bridge's host."""
        run("ip", "link", "set", "br0", "up")
        run("ip", "addr", "replace", "192.168.77.1/24", "dev", "br0")
        initrd = fixture.initrd_with_modules(self.scratch / "initrd")
        kernel, program = self.scratch / "kernel", self.scratch / "trivet"
        shutil.copy(fixture.kernel(), kernel)
        shutil.copy(fixture.trivet, program)
        arguments = fixture.boots()
        arguments[arguments.index(fixture.kernel())] = str(kernel)
        arguments[arguments.index(fixture.initrd())] = initrd
        self.allow("allow br0\n")
        for bridge in "secret0", "br0":
            machine = fixture.on_pipes([], command=[
                "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", program, "run", *arguments,
                "--memory", "256M", "--net", f"tap,bridge={bridge}"], cwd="/")
            self.addCleanup(machine.close)
            if bridge == "secret0":
                self.assertNotEqual(machine.wait(), 0)
                self.assertRegex(machine.process.stderr.read(), b"not for users.*\n.*made no interface on bridge secret0")
                continue
            machine.expect(fixture.PROMPT)
            self.ask(machine, "modprobe -a virtio_pci virtio_net && ip link set eth0 up && "
                              "ip addr add 192.168.77.2/24 dev eth0 && ping -c 2 192.168.77.1")
            self.power_off(machine)
            self.assertNotIn("br0", interfaces().values())


def enter_namespaces():
    """This program again, inside; who can't says why."""
    if os.environ.get(INSIDE):
        return
    reason = "needs root" if os.geteuid() else None
    for tool in ("setcap", "ip", "unshare"):
        if not reason and not shutil.which(tool):
            reason = f"no {tool} here"
    if not reason:
        probe = subprocess.run([*NAMESPACES, "sh", "-ec", "ip link add br9 type bridge; ip tuntap add tap9 mode tap"],
                               capture_output=True, text=True)
        reason = probe.stderr.strip() if probe.returncode else None
    if reason:
        print(f"skipped: no users, bridges and taps here: {reason}")
        sys.exit(fixture.SKIPPED)
    os.environ[INSIDE] = "1"
    os.execvp(NAMESPACES[0], [*NAMESPACES, sys.executable, *sys.argv])


if __name__ == "__main__":
    enter_namespaces()
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(argv=sys.argv, verbosity=2)
