#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux with network cards: user-mode networks, taps and bridges, iperf3, many short connections.

TRIVET_NET_CONNECTIONS: how many short connections (200), TRIVET_NET_SECONDS: how long iperf3 runs (1).
"""
import hashlib
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import fixture
import linux

CONNECTIONS = int(os.environ.get("TRIVET_NET_CONNECTIONS", "200"))
SECONDS = int(os.environ.get("TRIVET_NET_SECONDS", "1"))

# What udhcpc calls with what it was given.
LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
ip route add default via $router
echo "nameserver $dns" > /etc/resolv.conf
echo "lease: $ip/$mask $router $dns $hostname $domain"
"""

# A namespace of its own for machine and peers; all end with the machine. Who is root needs no name
# space of users, which a chroot does not allow.
NAMESPACE = ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--net", "--pid", "--fork",
             "--kill-child", "sh", "-ec"]
NEEDS = "ip link add br9 type bridge; ip tuntap add tap9 mode tap"


# For a namespace: answers each connection with what it says, backwards, and keeps their number in a file.
ECHO_SERVER = """import pathlib, socket, sys
listener = socket.create_server(("", 7777), backlog=256)
count = 0
while True:
    connection, _ = listener.accept()
    connection.sendall(connection.recv(64)[::-1])
    count += 1
    pathlib.Path(sys.argv[1]).write_text(str(count))
    connection.close()
"""


class Server:
    """Takes connections on the host, counts them, and does with each what `serve` does."""

    def __init__(self, test, serve):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.count = 0
        self.serve = serve
        # A thread that waits keeps the socket; shutdown() wakes it.
        test.addCleanup(self.listener.close)
        test.addCleanup(self.listener.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.serve(connection)
                self.count += 1


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def read_all(connection):
    data = bytearray()
    while piece := connection.recv(1 << 20):
        data += piece
    return bytes(data)


class Net(linux.Case):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self)
        self.initrd = fixture.initrd_with_modules(self.scratch / "initrd")

    def start(self, *args, **options):
        """Up to the prompt, with the driver loaded and the card on."""
        machine = self.boot(self.initrd, *args, **options)
        self.ask(machine, "modprobe -a virtio_pci virtio_net virtio_blk && ip link set eth0 up && ip link set lo up")
        return machine

    def lease(self, machine):
        lines = LEASE.replace("\n", "\\n").replace("'", "'\\''")
        self.ask(machine, f"mkdir -p /etc; printf '{lines}' > /lease; chmod +x /lease")
        return self.ask(machine, "udhcpc -i eth0 -n -q -s /lease 2>&1")

    def serve_files(self, data):
        folder = self.scratch / "files"
        folder.mkdir()
        (folder / "data").write_bytes(data)

        return fixture.serve_files(self, folder)

    def test_user_network(self):
        data = random.randbytes(6 << 20)
        digest = hashlib.sha256(data).hexdigest()
        files, echo_port, closed = self.serve_files(data), free_port(), free_port()
        received = []
        sink = Server(self, lambda connection: received.append(read_all(connection)))
        machine = self.start("--net", f"user,hostname=guest7,domain=example.test,forward=tcp:127.0.0.1:{echo_port}-:7",
                             cpus=2)
        # Behind what the shell echoes of a long command.
        self.assertTrue(self.ask(machine, "cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address")
                        .endswith("65520\n52:54:00:12:34:56\n"))
        self.assertIn("lease: 10.0.2.15/24 10.0.2.2 10.0.2.3 guest7 example.test", self.lease(machine))
        self.ask(machine, "ping -c 2 10.0.2.2")
        # The router says by itself which network this is, some time after the card came up.
        self.ask(machine, "until ping6 -c 1 -W 2 fec0::2; do sleep 0.2; done >/dev/null 2>&1")
        self.ask(machine, f"wget -q -O /data http://10.0.2.2:{files}/data")
        self.assertIn(digest, self.ask(machine, "sha256sum /data"))
        self.ask(machine, f"nc 10.0.2.2 {sink.port} < /data")
        self.assertEqual([hashlib.sha256(got).hexdigest() for got in received], [digest])
        self.ask(machine, f"! nc -w 5 10.0.2.2 {closed} < /dev/null")
        # From the host, by the port that leads to the guest's.
        self.ask(machine, "(nc -l -p 7 -e cat &) && sleep 0.2")
        with socket.create_connection(("127.0.0.1", echo_port)) as connection:
            reader = threading.Thread(target=lambda: received.append(read_all(connection)))
            reader.start()
            connection.sendall(data[:1 << 20])
            connection.shutdown(socket.SHUT_WR)
            reader.join(fixture.PATIENCE)
        self.assertEqual(received[1], data[:1 << 20])
        self.power_off(machine)

    def test_restricted_network_reaches_nothing(self):
        sink = Server(self, read_all)
        machine = self.start("--net", "user,restrict=on")
        self.lease(machine)
        self.ask(machine, f"! nc -w 2 10.0.2.2 {sink.port} < /dev/null")
        self.assertEqual(sink.count, 0)
        self.power_off(machine)
        machine = self.start("--net", "user,host-loopback=off,network=172.20.0.0/16,mtu=1400")
        self.assertIn("lease: 172.20.0.15", self.lease(machine))
        self.assertTrue(self.ask(machine, "cat /sys/class/net/eth0/mtu").endswith("1400\n"))
        self.ask(machine, f"! nc -w 2 172.20.0.2 {sink.port} < /dev/null")
        self.assertEqual(sink.count, 0)
        self.power_off(machine)

    def test_short_connections(self):
        server = Server(self, lambda connection: connection.sendall(connection.recv(64)[::-1]))
        machine = self.start("--net", "user", cpus=2)
        self.lease(machine)
        self.connect_often(machine, "10.0.2.2", server.port)
        self.assertEqual(server.count, CONNECTIONS)
        self.power_off(machine)

    def connect_often(self, machine, address, port):
        """A few at a time, so that a long run is seen to go on; each must get its answer."""
        for first in range(0, CONNECTIONS, 500):
            some = min(500, CONNECTIONS - first)
            done = self.ask(machine, f"i=0; n=0; while [ $i -lt {some} ]; do i=$((i + 1)); "
                                     f"[ \"$(echo ab | nc {address} {port} | tail -n 1)\" = ba ] && n=$((n + 1)); "
                                     "done; echo $n")
            self.assertEqual(done.split()[-1], str(some))

    def iperf(self, machine, address, port):
        """In the guest: TCP both ways, and UDP; with several connections at once."""
        for how in "", "-R", "-P 4", "-u -b 20M -l 1000":
            output = self.ask(machine, f"iperf3 -c {address} -p {port} -t {SECONDS} {how} 2>&1", SECONDS)
            if SECONDS > 1:
                print(how or "-P 1", *re.findall(r".*(?:sender|receiver)", output)[-2:], sep="\n", file=sys.stderr)
            match = re.search(r"([0-9.]+) ([KMG])bits/sec.*receiver\n", output)
            self.assertTrue(match and float(match[1]) > 0, output)

    def test_iperf_through_user_network(self):
        archive = linux.pack_program(self, "iperf3", self.scratch / "iperf3.tar")
        port = free_port()
        server = subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        for options in "", ",queues=2,packed=on,iothread=1":
            machine = self.start("--net", f"user{options}", "--disk", f"{archive},format=raw,read-only=on", cpus=2)
            self.ask(machine, "tar -xf /dev/vda -C / && mkdir -p /tmp")
            self.lease(machine)
            if options:
                self.assertTrue(self.ask(machine, "ls -d /sys/class/net/eth0/queues/rx-* | wc -l").endswith("2\n"))
            self.iperf(machine, "10.0.2.2", port)
            self.power_off(machine)

    def in_namespace(self, setup, *args, **options):
        probe = subprocess.run([*NAMESPACE, NEEDS], capture_output=True, text=True)
        if probe.returncode:
            self.skipTest(f"no bridges and taps here: {probe.stderr.strip()}")
        return self.start(*args, prefix=[*NAMESPACE, setup + '\nexec "$@"', "sh"], **options)

    def test_tap_on_a_bridge(self):
        archive = linux.pack_program(self, "iperf3", self.scratch / "iperf3.tar")
        setup = ("ip link set lo up; ip link add br0 type bridge; ip addr add 192.168.77.1/24 dev br0; "
                 "ip link set br0 mtu 1400 up; iperf3 -s -p 5201 >/dev/null &")
        machine = self.in_namespace(setup, "--net", "tap,bridge=br0,mac=52:54:00:aa:bb:cc", "--disk",
                                    f"{archive},format=raw,read-only=on", cpus=2)
        self.ask(machine, "tar -xf /dev/vda -C / && mkdir -p /tmp; ip addr add 192.168.77.2/24 dev eth0")
        self.assertTrue(self.ask(machine, "cat /sys/class/net/eth0/address").endswith("52:54:00:aa:bb:cc\n"))
        self.ask(machine, "ping -c 2 192.168.77.1")
        self.iperf(machine, "192.168.77.1", 5201)
        self.power_off(machine)

    def test_short_connections_through_a_tap(self):
        program, count = self.scratch / "server.py", self.scratch / "count"
        program.write_text(ECHO_SERVER)
        setup = ("ip tuntap add tap0 mode tap; ip addr add 192.168.77.1/24 dev tap0; ip link set tap0 up; "
                 f"{sys.executable} {program} {count} &")
        machine = self.in_namespace(setup, "--net", "tap,ifname=tap0", cpus=2)
        self.ask(machine, "ip addr add 192.168.77.2/24 dev eth0 && ping -c 2 192.168.77.1")
        self.connect_often(machine, "192.168.77.1", 7777)
        self.assertEqual(count.read_text(), str(CONNECTIONS))
        self.power_off(machine)

    def test_more_frames_at_once_than_a_tap_reads_in_a_turn(self):
        """The machine is stopped while they come, and goes on afterwards."""
        go, sent = self.scratch / "go", self.scratch / "sent"
        burst = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                 "[s.sendto(b'x', ('192.168.77.2', 9)) for _ in range(200)]")
        setup = ("ip tuntap add tap0 mode tap; ip addr add 192.168.77.1/24 dev tap0; ip link set tap0 up; "
                 f"(while [ ! -e {go} ]; do sleep 0.1; done; {sys.executable} -c \"{burst}\"; touch {sent}) &")
        machine = self.in_namespace(setup, "--net", "tap,ifname=tap0", cpus=2)
        self.ask(machine, "ip addr add 192.168.77.2/24 dev eth0 && ping -c 2 192.168.77.1")
        unshare = machine.process.pid
        trivet = int(pathlib.Path(f"/proc/{unshare}/task/{unshare}/children").read_text())
        before = int(self.ask(machine, "cat /sys/class/net/eth0/statistics/rx_packets").split()[-1])
        os.kill(trivet, signal.SIGSTOP)
        go.touch()
        deadline = time.monotonic() + fixture.PATIENCE
        while not sent.exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        os.kill(trivet, signal.SIGCONT)
        self.ask(machine, "ping -c 2 192.168.77.1")
        after = int(self.ask(machine, "cat /sys/class/net/eth0/statistics/rx_packets").split()[-1])
        self.assertGreaterEqual(after - before, 200)
        self.power_off(machine)

    def test_tap_with_queues_goes_away(self):
        setup = ("ip tuntap add tap0 mode tap multi_queue; ip addr add 192.168.77.1/24 dev tap0; ip link set tap0 up; "
                 f"(while [ ! -e {self.scratch / 'go'} ]; do sleep 0.1; done; ip link del tap0) &")
        machine = self.in_namespace(setup, "--net", "tap,ifname=tap0,queues=2,packed=on", cpus=2)
        self.ask(machine, "ip addr add 192.168.77.2/24 dev eth0 && ping -c 2 192.168.77.1")
        # Large packets: pieces of a frame, and segments that the kernel leaves to the guest.
        self.ask(machine, "ping -c 2 -s 20000 192.168.77.1")
        self.assertTrue(self.ask(machine, "cat /sys/class/net/eth0/carrier").endswith("1\n"))
        # In the middle of traffic.
        self.ask(machine, "(for i in 1 2 3 4; do while :; do ping -c 1 -W 1 -s 20000 192.168.77.1; done & done >/dev/null 2>&1)")
        (self.scratch / "go").touch()
        self.ask(machine, "while [ \"$(cat /sys/class/net/eth0/carrier)\" = 1 ]; do sleep 0.1; done")
        # The card works on, without its cable.
        self.ask(machine, "ip link set eth0 down && ip link set eth0 up && [ \"$(cat /sys/class/net/eth0/carrier)\" = 0 ]")
        machine.send("poweroff -f\n")
        self.assertEqual(machine.wait(), 0)
        self.assertRegex(machine.process.stderr.read(),
                         rb"^trivet: network interface tap0: [^\n]*; its cable counts as pulled out\n$")

    def test_filters_of_linux(self):
        """Addresses, modes and VLANs that Linux sets through the control queue."""
        machine = self.start("--net", "user", "--net", "none,link=off")
        self.lease(machine)
        self.ask(machine, "ip link set eth0 down && ip link set eth0 address 52:54:00:00:00:99 && "
                          "ip link set eth0 up && ip route add default via 10.0.2.2 && ping -c 2 10.0.2.2")
        self.ask(machine, "ip link set eth0 promisc on && ping -c 1 10.0.2.2 && ip link set eth0 promisc off && "
                          "ifconfig eth0 allmulti && ping -c 1 10.0.2.2")
        self.ask(machine, "ip link set eth1 up; sleep 0.2; [ \"$(cat /sys/class/net/eth1/carrier)\" = 0 ]")
        self.power_off(machine)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(argv=sys.argv, verbosity=2)
