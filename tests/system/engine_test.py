#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of the software engine: what is refused, the memory bound, counters, the interpreter beside
the translator, names for perf, listings of single blocks."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

import fixture

ROUNDS = 200
# mov $ROUNDS, %ecx; LOOP: add $1, %eax; dec %ecx; jnz LOOP
COUNT = bytes.fromhex("b9c8000000" "83c001" "49" "75fa")
ENTRY = fixture.LOAD + 96
LOOP = ENTRY + 5
LISTING = pathlib.Path(__file__).resolve().parents[2] / "tools" / "dump-listing.py"


def counters(text):
    """{name: value} of lines "name value"; every line must be one."""
    found = {}
    for line in text.splitlines():
        name, value = line.split(" ")
        found[name] = int(value)
    return found


class Machine(unittest.TestCase):
    def setUp(self):
        self.directory = fixture.TemporaryDirectory(self)

    def guest(self, code):
        path = self.directory / "guest"
        path.write_bytes(fixture.multiboot(code))
        return str(path)

    def run_guest(self, options, code=COUNT + fixture.POWER_OFF):
        """Standard error and PID of a guest that powers off."""
        process = subprocess.Popen([fixture.trivet, "run", "--engine", "soft," + options, "--kernel",
                                    self.guest(code)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=fixture.PATIENCE)
        self.assertEqual((process.returncode, out), (0, b""), err)
        return err.decode(), process.pid


class Engine(Machine):
    """Guests of a few instructions."""

    def test_what_is_refused(self):
        for engine, words in {
                "soft,colour=red": ("colour", "memory", "check"),
                "soft,check=maybe": ("check=maybe", "on or off"),
                "soft,check": ("option=value",),
                "soft,memory=1M": ("memory=1M", "16M"),
                "soft,memory=much": ("memory=much", "64M"),
                "soft,dump=main": ("dump=main", "number"),
                "soft,check-every=0": ("check-every=0", "number"),
                "kvm,check=on": ("kvm", "check"),
                "auto,check=on": ("auto", "soft,check=on"),
                "softly": ("softly", "auto, kvm or soft"),
        }.items():
            ended = subprocess.run([fixture.trivet, "run", "--engine", engine, "--kernel",
                                    self.guest(fixture.POWER_OFF)], stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=fixture.PATIENCE,
                                   check=False)
            self.assertEqual((ended.returncode, ended.stdout), (2, ""), engine)
            self.assertRegex(ended.stderr, r"\Atrivet: [^\n]+\n\Z", engine)
            for word in words:
                self.assertIn(word, ended.stderr, engine)

    def test_help_lists_the_options(self):
        text = subprocess.run([fixture.trivet, "run", "--help"], capture_output=True, text=True,
                              check=True).stdout
        for name in "memory", "stats", "check", "check-every", "dump", "halt-poll", "perf-map":
            self.assertRegex(text, rf"\n    {name} +\S")

    def test_counters_at_the_end(self):
        text, _ = self.run_guest("stats=-")
        values = counters(text)
        self.assertEqual(values["vcpus"], 1)
        self.assertGreaterEqual(values["translations"], 1)
        self.assertGreaterEqual(values["blocks"], values["translations"])
        self.assertGreaterEqual(values["exit_io"], 1)
        self.assertEqual(values["vcpu0.translations"], values["translations"])
        self.assertLessEqual(values["memory_blocks"] + values["memory_code"], values["memory_held"])

    def test_counters_on_a_signal(self):
        path = self.directory / "counters"
        with fixture.on_pipes(["--engine", f"soft,stats={path}", "--kernel",
                               self.guest(fixture.say(b"up") + COUNT + fixture.HANG)]) as machine:
            machine.expect(rb"up")
            machine.process.send_signal(signal.SIGUSR1)
            deadline = time.monotonic() + fixture.PATIENCE
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertGreaterEqual(counters(path.read_text())["exit_io"], 2)
            path.unlink()
            machine.process.send_signal(signal.SIGTERM)
            self.assertEqual(machine.wait(), 10)
        self.assertGreaterEqual(counters(path.read_text())["exit_io"], 2)

    def test_counters_into_what_is_no_file(self):
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
            self.run_guest(f"stats={pipe}")
            self.assertIn("vcpus", counters(reader.stdout.read()))
        self.assertTrue(pipe.is_fifo())

    def test_check_of_a_loop(self):
        text, _ = self.run_guest("stats=-,check=on")
        values = counters(text)
        self.assertGreaterEqual(values["check_blocks"], ROUNDS - 20)
        self.assertGreaterEqual(values["check_insns"], 3 * values["check_blocks"] - 20)
        self.assertEqual(values["check_passed_over"], 0)

    def test_names_for_perf(self):
        _, pid = self.run_guest("perf-map=on")
        path = pathlib.Path(f"/tmp/perf-{pid}.map")
        self.addCleanup(path.unlink)
        end = 0
        names = []
        for line in path.read_text().splitlines():
            start, size, name = re.fullmatch(r"([0-9a-f]+) ([0-9a-f]+) (\S+)", line).groups()
            self.assertGreaterEqual(int(start, 16), end, line)
            end = int(start, 16) + int(size, 16)
            names.append(name)
        self.assertIn("trivet:enter", names)
        self.assertIn("trivet:find", names)
        self.assertIn(f"kernel32:{LOOP:x}@{LOOP:x}", names)

    def test_names_are_of_the_executable_view(self):
        with fixture.on_pipes(["--engine", "soft,perf-map=on", "--kernel",
                               self.guest(COUNT + fixture.say(b"up") + fixture.HANG)]) as machine:
            machine.expect(rb"up")
            pid = machine.process.pid
            path = pathlib.Path(f"/tmp/perf-{pid}.map")
            self.addCleanup(path.unlink)
            areas = [[int(end, 16) for end in line.split()[0].split("-")] for line in
                     pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
                     if line.split()[1] == "r-xs"]
            starts = [int(line.split()[0], 16) for line in path.read_text().splitlines()]
            machine.process.terminate()
            machine.wait()
        self.assertTrue(starts and areas)
        for start in starts:
            self.assertTrue(any(low <= start < high for low, high in areas), f"{start:x}")

    def test_listing_of_a_block(self):
        text, _ = self.run_guest(f"dump={LOOP:#x}")
        # The listed block may begin before the address.
        self.assertRegex(text, r"(?m)^dump: block kernel32 linear [0-9a-f]+ physical [0-9a-f]+ vcpu 0$")
        self.assertRegex(text, rf"(?m)^dump: guest \d+ {LOOP:x} 83c001 add ")
        shown = subprocess.run([LISTING], input=text, capture_output=True, text=True, check=True).stdout
        self.assertRegex(shown, rf"(?m)^{LOOP:x}: add \$0x1,%eax +\| [0-9a-f]+: add +\$0x1,%r10d$")
        text, _ = self.run_guest("dump=0x12345")
        self.assertEqual(text, "")


class Boots(Machine):
    """Debian's cloud kernel."""

    @classmethod
    def setUpClass(cls):
        for path in fixture.kernel(), fixture.initrd():
            if not os.path.exists(path):
                raise unittest.SkipTest(f"{path} is missing; tools/guest.sh makes it")

    def boot(self, options, cpus, patience=fixture.PATIENCE):
        path = self.directory / "counters"
        engine = f"soft,stats={path},{options}"
        with fixture.on_pipes([*fixture.boots(engine=engine), "--cpus", str(cpus), "--memory", "256M"],
                              stdin=b"nproc\npoweroff -f\n") as machine:
            machine.expect(fixture.PROMPT + rb"nproc\r\n%d\r\n" % cpus, patience)
            self.assertEqual(machine.wait(), 0, machine.complain("not powered off"))
            self.assertEqual(machine.process.stderr.read(), b"")
        return counters(path.read_text())

    def test_little_memory(self):
        values = self.boot("memory=16M", 2)
        self.assertEqual(values["memory_bound"], 16 << 20)
        self.assertLessEqual(values["memory_peak"], 16 << 20)
        self.assertGreaterEqual(values["evictions"], 1)
        self.assertGreaterEqual(values["flushes"], values["evictions"])

    def test_check(self):
        values = self.boot("check=on,check-every=256", 2, 4 * fixture.PATIENCE)
        self.assertGreaterEqual(values["check_blocks"], 1000000)
        self.assertGreaterEqual(values["vcpu1.check_blocks"], 1000)


if __name__ == "__main__":
    fixture.start(sys.argv)
    unittest.main(verbosity=2)
