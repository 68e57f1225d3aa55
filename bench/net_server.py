# SPDX-License-Identifier: GPL-2.0-or-later
"""The other end of net.c: a thread that serves one connection at a time."""
import socket
import struct
import threading
import time

PIECE = 1 << 20


class Server:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.buffer = bytearray(PIECE)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                try:
                    {b"e": self.echo, b"s": self.sink, b"r": self.source}.get(connection.recv(1), str)(connection)
                except ConnectionError:
                    pass

    def echo(self, connection):
        while data := connection.recv(4096):
            connection.sendall(data)

    def sink(self, connection):
        total = 0
        while count := connection.recv_into(self.buffer):
            total += count
        connection.sendall(struct.pack("<Q", total))

    def source(self, connection):
        seconds = struct.unpack("<I", connection.recv(4, socket.MSG_WAITALL))[0] / 1e3
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.sendall(self.buffer[:256 << 10])
