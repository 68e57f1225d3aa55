#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a serial port can be connected to: file, UNIX socket, pseudo-terminal, pipes, nothing."""
import os
import re
import socket
import subprocess
import sys
import time
import tty
import unittest

import fixture


class Console(unittest.TestCase):
    def setUp(self):
        self.directory = fixture.TemporaryDirectory(self)
        self.echo = self.kernel("echo", fixture.ECHO)

    def kernel(self, name, code):
        (self.directory / name).write_bytes(fixture.multiboot(code))
        return str(self.directory / name)

    def start(self, kernel, *more):
        machine = fixture.on_pipes(["--engine", "soft", "--memory", "16M", "--kernel", kernel, *more])
        self.addCleanup(machine.close)
        return machine

    def test_file(self):
        path = self.directory / "log"
        path.write_bytes(b"longer than what is written now, so that a rest would show")
        kernel = self.kernel("hello", fixture.say(b"hello, file") + fixture.POWER_OFF)
        for _ in range(2):
            self.assertEqual(self.start(kernel, "--console", f"file:{path}").wait(), 0)
            self.assertEqual(path.read_bytes(), b"hello, file")
        silent = self.kernel("silent", fixture.POWER_OFF)
        self.assertEqual(self.start(silent, "--console", f"file:{path}").wait(), 0)
        self.assertEqual(path.read_bytes(), b"")

    def test_file_with_a_comma(self):
        path = self.directory / "a,b=c"
        kernel = self.kernel("hello", fixture.say(b"x") + fixture.POWER_OFF)
        self.assertEqual(self.start(kernel, "--console", f"file:{path}").wait(), 0)
        self.assertEqual(path.read_bytes(), b"x")

    def connect(self, path):
        deadline = time.monotonic() + fixture.PATIENCE
        while True:
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(str(path))
                client.settimeout(fixture.PATIENCE)
                return client
            except OSError:
                client.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def receive(self, client, count):
        data = b""
        while len(data) < count:
            more = client.recv(count - len(data))
            if not more:
                break
            data += more
        return data

    def test_unix(self):
        path = self.directory / "socket"
        machine = self.start(self.echo, "--console", f"unix:{path}")
        with self.connect(path) as client:
            client.sendall(b"first")
            self.assertEqual(self.receive(client, 5), b"first")
        # A client that left can come again; what it does not read holds nobody up.
        with self.connect(path) as client:
            data = bytes(range(34, 127)) * 500
            client.sendall(data)
            self.assertEqual(self.receive(client, len(data)), data)
        with self.connect(path) as client:
            client.sendall(b"!")
            self.assertEqual(client.recv(1), b"")
        self.assertEqual(machine.wait(), 0)
        self.assertFalse(path.exists())

    def test_unix_socket_of_a_dead_process(self):
        path = self.directory / "socket"
        machine = self.start(self.echo, "--console", f"unix:{path}")
        self.connect(path).close()
        machine.process.kill()
        machine.wait()
        self.assertTrue(path.exists())
        machine = self.start(self.echo, "--console", f"unix:{path}")
        deadline = time.monotonic() + fixture.PATIENCE
        while True:
            with self.connect(path) as client:
                client.sendall(b"!")
                if client.recv(1) == b"" and machine.wait() == 0:
                    break
            self.assertLess(time.monotonic(), deadline)

    def test_pty(self):
        machine = self.start(self.echo, "--console", "pty")
        line = machine.process.stderr.readline()
        name = re.fullmatch(rb"trivet: console pty: (/dev/pts/\d+)\n", line)[1]
        for turn in b"once", b"again":
            fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(fd)
            os.write(fd, turn)
            data = b""
            while len(data) < len(turn):
                data += os.read(fd, len(turn) - len(data))
            self.assertEqual(data, turn)
            os.close(fd)
        fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, b"!")
        self.assertEqual(machine.wait(), 0)
        os.close(fd)

    def test_none(self):
        kernel = self.kernel("hello", fixture.say(b"unheard") + fixture.POWER_OFF)
        machine = self.start(kernel, "--console", "none")
        self.assertEqual(machine.wait(), 0)
        self.assertEqual(machine.seen, b"")

    def test_two_ports(self):
        code = fixture.say(b"one") + fixture.out_byte(0x2F8, ord("2")) + fixture.POWER_OFF
        path = self.directory / "second"
        machine = self.start(self.kernel("two", code), "--console", "stdio", "--console", f"file:{path}")
        self.assertEqual(machine.wait(), 0)
        self.assertEqual(machine.seen, b"one")
        self.assertEqual(path.read_bytes(), b"2")

    def test_pipes_are_whole(self):
        """Much more than any buffer, both ways at once; every byte value."""
        data = bytes(value for value in range(256) if value != ord("!")) * 400
        machine = self.start(self.echo)
        machine.send(data)
        machine.send(b"!")
        machine.end_input()
        self.assertEqual(machine.wait(), 0)
        self.assertEqual(machine.seen, data)

    def test_standard_input_from_a_file(self):
        path = self.directory / "input"
        path.write_bytes(b"from a file " * 1000 + b"!")
        with open(path, "rb") as file:
            done = subprocess.run([fixture.trivet, "run", "--engine", "soft", "--memory", "16M",
                                   "--kernel", self.echo], stdin=file, capture_output=True,
                                  timeout=fixture.PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (0, b"from a file " * 1000))

    def test_standard_streams_closed(self):
        """No input, nobody who reads: the guest runs all the same."""
        kernel = self.kernel("hello", fixture.say(b"unheard") * 10 + fixture.POWER_OFF)
        done = subprocess.run(["sh", "-c", 'exec "$@" <&- >&-', "sh", fixture.trivet, "run", "--engine",
                               "soft", "--memory", "16M", "--kernel", kernel],
                              timeout=fixture.PATIENCE)
        self.assertEqual(done.returncode, 0)
        machine = self.start(kernel)
        os.close(machine.reader)
        machine.reader = os.open("/dev/null", os.O_RDONLY)
        self.assertEqual(machine.wait(), 0)


if __name__ == "__main__":
    fixture.start(sys.argv)
    unittest.main(verbosity=2)
