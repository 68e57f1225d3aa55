#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`--config`: a file's options are those of the command line, which override or add to them."""
import sys
import unittest

import fixture


class Config(unittest.TestCase):
    def setUp(self):
        self.scratch = fixture.TemporaryDirectory(self)
        self.kernel = self.guest("five", 5)

    def guest(self, name, status):
        """A guest that ends the process with (status << 1) | 1."""
        (self.scratch / name).write_bytes(fixture.multiboot(fixture.say(name.encode()) + fixture.debug_exit(status)))
        return self.scratch / name

    def run_file(self, text, *args, before=()):
        (self.scratch / "machine.conf").write_text(text)
        return fixture.run_to_end([*before, "--config", str(self.scratch / "machine.conf"), *args])

    def test_a_whole_machine(self):
        out = self.scratch / "out,put"
        status, seen, errors = self.run_file(
            f"# A machine\nkernel = {self.kernel}\r\n\nno-reboot\n[engine soft]\nmemory = 64M\n"
            f"[machine]\nconsole = none\n[smbios system]\nproduct = a, b\n[device debug-exit]\n[device virtio-console]\nchar = file:{out}\n")
        self.assertEqual((status, seen, errors), (11, b"", b""))
        self.assertTrue(out.exists())

    def test_the_command_line_overrides_and_adds(self):
        text = f"kernel = {self.kernel}\n[engine soft]\n"
        other = str(self.guest("six", 6))
        for before, after in ((["--kernel", other], []), ([], ["--kernel", other])):
            status, seen, errors = self.run_file(text, "--device", "debug-exit", *after, before=before)
            self.assertEqual((status, seen, errors), (13, b"six", b""))

    def test_refusals_name_the_line(self):
        for text, words in {
            "kernel = x\nmemory = 5X\n": [":2: --memory \"5X\": not a size"],
            "colour = red\n": [":1: unknown option \"colour\""],
            "\nmemory\n": [":2: memory needs a value: memory = SIZE"],
            "no-reboot = on\n": [":1: no-reboot takes no value"],
            "config = other\n": [":1: config stands on the command line only"],
            "[engine hard]\n": [":1: --engine \"hard\": unknown"],
            "[engine soft]\ncolour = red\n": ["engine soft: unknown option colour"],
            "[smbios system]\ncolour = red\n": ["smbios system: unknown option colour"],
            "[smbios system]\nproduct = a\x01\n": ["option product: character 2 is 01h"],
            "uuid = 12\n": ["smbios system: option uuid=12: must be xxxxxxxx-"],
            "memory 5\n": [":1: \"memory 5\": must be NAME = VALUE or NAME"],
        }.items():
            with self.subTest(text=text):
                status, seen, errors = self.run_file(text, "--kernel", str(self.kernel))
                self.assertEqual((status, seen), (2, b""), errors)
                self.assertRegex(errors.decode(), r"\Atrivet: [^\n]+\n\Z")
                for word in words:
                    self.assertIn(word, errors.decode())


if __name__ == "__main__":
    fixture.start(sys.argv)
    unittest.main(verbosity=2)
