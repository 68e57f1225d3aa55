#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets between Linux's vsock and UNIX sockets of the host: data, ends, refusals, slow readers."""
import hashlib
import os
import socket
import sys
import threading
import time
import unittest

import fixture
import linux

MIB = 1 << 20


def read_line(client):
    line = b""
    while not line.endswith(b"\n"):
        byte = client.recv(1)
        if not byte:
            break
        line += byte
    return line


def read_all(client):
    data = b""
    while piece := client.recv(65536):
        data += piece
    return data


def echo(client):
    with client:
        while piece := client.recv(65536):
            client.sendall(piece)


class Vsock(linux.Case):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self)
        self.initrd = fixture.initrd_with_modules(self.scratch / "initrd")
        with open(self.initrd, "ab") as initrd:
            program = (fixture.directory / "vsock_peer").read_bytes()
            initrd.write(fixture.archive(b"bin/vsock_peer", program))
        self.socket = str(self.scratch / "v.sock")

    def start(self, more="", **options):
        machine = self.boot(self.initrd, "--vsock", f"socket={self.socket}{more}", cpus=2, **options)
        self.load(machine)
        return machine

    def load(self, machine):
        self.ask(machine, "modprobe -a virtio_pci vmw_vsock_virtio_transport")

    def plain_socket(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(fixture.PATIENCE)
        self.addCleanup(client.close)
        return client

    def dial(self, port):
        """A connection to a port of the guest, which must be accepted."""
        client = self.plain_socket()
        client.connect(self.socket)
        client.sendall(b"CONNECT %d\n" % port)
        self.assertRegex(read_line(client), rb"^OK [0-9]+\n$")
        return client

    def dial_when_there(self, port):
        """The same for a service that is being started."""
        while True:
            client = self.plain_socket()
            client.connect(self.socket)
            client.sendall(b"CONNECT %d\n" % port)
            if read_line(client).startswith(b"OK "):
                return client
            client.close()
            time.sleep(0.05)

    def listen(self, port):
        server = self.plain_socket()
        server.bind(f"{self.socket}_{port}")
        server.listen(256)
        return server

    def serve(self, port, count):
        """Gives `count` clients back what they send."""
        server = self.listen(port)

        def accept_all():
            for _ in range(count):
                threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()
        threading.Thread(target=accept_all, daemon=True).start()

    def test_bulk_data_both_ways_and_halves_that_end(self):
        machine = self.start(",cid=77,iothread=1,packed=on")
        data = os.urandom(6 * MIB)
        self.ask(machine, "dd if=/dev/urandom of=/tmp/data bs=1M count=6 2>/dev/null")
        expected = self.ask(machine, "md5sum < /tmp/data").split()[-2]
        digest = hashlib.md5(data).hexdigest()
        # The host calls; each side sends all, says that it has ended, and still reads the other's.
        machine.send("vsock_peer answer 1000 < /tmp/data | md5sum\n")
        client = self.dial_when_there(1000)
        sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sender.start()
        self.assertEqual(hashlib.md5(read_all(client)).hexdigest(), expected)
        sender.join()
        machine.expect(digest.encode() + rb"  -")
        machine.expect(fixture.PROMPT)
        # The guest calls.
        server = self.listen(2000)
        machine.send("vsock_peer call 2000 < /tmp/data | md5sum\n")
        client = server.accept()[0]
        self.assertEqual(hashlib.md5(read_all(client)).hexdigest(), expected)
        client.sendall(data)  # long after the guest's end
        client.close()
        machine.expect(digest.encode() + rb"  -")
        machine.expect(fixture.PROMPT)
        self.power_off(machine)
        self.assertFalse(os.path.exists(self.socket))

    def test_many_connections_and_refusals(self):
        machine = self.start()
        self.check_many(machine)
        self.check_refusals(machine)
        self.power_off(machine)

    def check_refusals(self, machine):
        # Nobody listens on the host; there is a file, but no socket; somebody listens that was not there.
        self.assertIn("reset by peer", self.ask(machine, "vsock_peer call 2001 2>&1 || true"))
        (self.scratch / "v.sock_2002").write_bytes(b"")
        self.assertIn("reset by peer", self.ask(machine, "vsock_peer call 2002 2>&1 || true"))
        self.serve(2001, 1)
        self.assertIn("hello", self.ask(machine, "echo hello | vsock_peer call 2001"))
        # The host's clients: no such port, and what is no port at all.
        for line, answer in ((b"CONNECT 4\n", b"does not listen"), (b"GET / HTTP/1.1\r\n", b"first line"),
                             (b"CONNECT 4294967296\n", b"first line"), (b"CONNECT " * 100, b"too long")):
            client = self.plain_socket()
            client.connect(self.socket)
            client.sendall(line)
            said = read_line(client)
            self.assertTrue(said.startswith(b"ERROR ") and answer in said, said)
            if b"long" not in answer:
                self.assertEqual(client.recv(1), b"")

    def check_many(self, machine):
        self.serve(3000, 500)
        self.ask(machine, "vsock_peer many 3000 200")
        self.ask(machine, "vsock_peer again 3000 300")
        self.ask(machine, "(vsock_peer echo 4000 &)")
        clients = [self.dial_when_there(4000)] + [self.dial(4000) for _ in range(99)]
        for number, client in enumerate(clients):
            client.sendall(b"client %d" % number)
            client.shutdown(socket.SHUT_WR)
        for number, client in enumerate(clients):
            self.assertEqual(read_all(client), b"client %d" % number)

    def test_slow_readers_stop_their_writers_and_nobody_else(self):
        machine = self.start()
        server = self.listen(5000)
        self.ask(machine, "dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null")
        expected = self.ask(machine, "md5sum < /tmp/data").split()[-2]
        self.ask(machine, "((vsock_peer call 5000 < /tmp/data; touch /tmp/sent) &)")
        slow = server.accept()[0]
        # One that the guest is slow to read from.
        self.ask(machine, "mkfifo /tmp/gate")
        self.ask(machine, "((vsock_peer answer 6000 < /dev/null | (read x < /tmp/gate; md5sum > /tmp/sum)) &)")
        data = os.urandom(4 * MIB)
        fast = self.dial_when_there(6000)
        fast.setblocking(False)
        sent = 0
        try:
            while sent < len(data):
                sent += fast.send(data[sent:sent + 65536])
        except BlockingIOError:
            pass
        self.assertLess(sent, len(data))
        # Others go on meanwhile.
        self.serve(5001, 20)
        self.ask(machine, "vsock_peer again 5001 20")
        self.ask(machine, "[ ! -e /tmp/sent ]")
        # And then all arrives.
        self.assertEqual(hashlib.md5(read_all(slow)).hexdigest(), expected)
        slow.close()
        self.ask(machine, "while [ ! -e /tmp/sent ]; do sleep 0.1; done")
        self.ask(machine, "echo > /tmp/gate")
        fast.settimeout(fixture.PATIENCE)
        fast.sendall(data[sent:])
        fast.shutdown(socket.SHUT_WR)
        self.ask(machine, "while [ ! -s /tmp/sum ]; do sleep 0.1; done")
        self.assertIn(hashlib.md5(data).hexdigest(), self.ask(machine, "cat /tmp/sum"))
        self.power_off(machine)

    def test_a_reset_ends_connections(self):
        machine = self.start()
        self.ask(machine, "(vsock_peer echo 4000 &)")
        client = self.dial_when_there(4000)
        client.sendall(b"x")
        self.assertEqual(client.recv(1), b"x")
        machine.send("reboot -f\n")
        self.assertEqual(client.recv(1), b"")
        machine.expect(rb"user space reached")
        machine.expect(fixture.PROMPT)
        self.load(machine)
        self.serve(3000, 1)
        self.ask(machine, "vsock_peer again 3000 1")
        self.power_off(machine)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    if not (fixture.directory / "vsock_peer").exists():
        print("skipped: this build has no static program for the guest")
        sys.exit(fixture.SKIPPED)
    unittest.main(verbosity=2)
