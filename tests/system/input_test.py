#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Much input through a guest's terminal driver arrives as it was sent."""
import hashlib
import sys
import unittest

import fixture


class Input(unittest.TestCase):
    def test_twenty_kilobytes_ahead(self):
        """All in the pipe from the start, lines as a cooked terminal takes them; none is lost."""
        lines = b"".join(b"%04d %s\n" % (number, bytes(33 + (number + i) % 90 for i in range(60)))
                         for number in range(310))
        lines = lines.replace(b"\\", b"/")
        self.assertGreater(len(lines), 20_000)
        commands = (b"stty -echo; cat >/tmp/x; wc -c </tmp/x; md5sum </tmp/x; stty echo\n" + lines +
                    b"\x04echo after-it\npoweroff -f\n")
        with fixture.on_pipes(fixture.boots(), stdin=commands) as machine:
            machine.expect(rb"\n%d\r\n" % len(lines))
            machine.expect(hashlib.md5(lines).hexdigest().encode())
            machine.expect(rb"\nafter-it\r\n")
            self.assertEqual(machine.wait(), 0)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel()
    unittest.main(verbosity=2)
