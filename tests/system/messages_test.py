#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel warns of nothing that it does not warn of under QEMU."""
import shutil
import sys
import unittest

import fixture
import messages


class Messages(unittest.TestCase):
    def test_cloud_kernel(self):
        if not shutil.which("qemu-system-x86_64"):
            self.skipTest("skipped: qemu-system-x86_64 is missing")
        theirs = messages.on_qemu("cloud-amd64", 2, "512M")
        ours = messages.on_trivet("cloud-amd64", 2, "512M")
        self.assertGreater(len(ours), 100)
        self.assertEqual(messages.faults(ours, theirs), [])

    def test_it_can_fail(self):
        text = b"kernel-messages\n<4>[    0.1] Known 12\n<4>[ 0.2] strange\n<6>[ 0.3] BUG: x\nkernel-messages\n"
        ours = messages.parse(text)
        theirs = [messages.Message(4, "Known 7")]
        self.assertEqual(messages.faults(ours, theirs), ["<4> strange", "<6> BUG: x"])


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
