# SPDX-License-Identifier: GPL-2.0-or-later
"""One of those that are compared: starts it, follows what it says about its rows, keeps the results."""
import os
import re
import select
import signal
import statistics
import subprocess
import sys
import time

RESULT = re.compile(r"^(\d+) (\S+) (\d+\.\d+)(?: ([0-9a-f]{16}))?$")
# What tells more than the last line does.
COMPLAINT = re.compile(r"panic|BUG:|Oops|general protection|segfault|^trivet:")
# How far the guest's clock may be from the host's, before its numbers are doubted.
CLOCK_SHARE, CLOCK_SECONDS = 0.05, 0.5


class Contender:
    def __init__(self, name, command):
        """`command` makes the command line that runs a list of rows."""
        self.name = name
        self.command = command
        self.times = {}     # row: seconds for one unit, of each run
        self.units = {}     # row: what is counted
        self.digests = {}   # row: of what the job made
        self.failures = {}  # row: why there is no number
        self.boots = True

    def median(self, row):
        """Seconds for one unit, or None."""
        if row in self.failures or row not in self.times:
            return None
        return statistics.median(self.times[row])

    def fail(self, row, why):
        self.failures.setdefault(row, why)
        print("programs.py: %s: %s: %s" % (self.name, row, why), file=sys.stderr)

    def run(self, rows, timeout, verbose):
        """Runs all rows that have not failed before. Starts again behind a row that ended the guest."""
        left = [row for row in rows if row not in self.failures]
        while left and self.boots:
            session = Session(self, self.command(left), timeout, verbose)
            why = session.follow()
            left = [row for row in left if row not in session.seen]
            if why and session.current:
                self.fail(session.current, why)
            elif why and not session.seen:
                self.boots = False
                for row in left:
                    self.fail(row, "did not get to the first row: " + why)
            elif why:
                # Between two rows, or behind the last one.
                self.fail(left[0] if left else "power-off", why)
                left = left[1:]
            elif left:
                for row in left:
                    self.fail(row, "did not say anything")
                break
        if not self.boots:
            for row in rows:
                self.failures.setdefault(row, "not tried, as it did not boot before")

    def take(self, row, text):
        """What was said about a row."""
        match = RESULT.match(text)
        if not match or not float(match.group(3)):
            self.fail(row, text)
            return
        count, unit, seconds, digest = match.groups()
        self.times.setdefault(row, []).append(float(seconds) / int(count))
        self.units[row] = unit
        if digest and self.digests.setdefault(row, digest) != digest:
            self.fail(row, "bad: the result's digest was %s before and now is %s"
                      % (self.digests[row], digest))


class Session:
    """One life of a contender."""

    def __init__(self, owner, command, timeout, verbose):
        self.owner = owner
        self.command = command
        self.timeout = timeout
        self.verbose = verbose
        self.seen = []       # rows that were started
        self.current = None  # the row that is not finished
        self.said = ""       # the last line, or the first complaint
        self.begin = None    # the guest's clock and ours
        self.complete = False

    def follow(self):
        """Until the end. Returns None, or why that was not a regular one."""
        try:
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            return "%s: %s" % (self.command[0], error.strerror)
        try:
            why = self.read_lines(process.stdout.fileno())
            if not why and not self.complete:
                why = "ended with status %d%s" % (process.wait(), self.last_words())
            return why
        finally:
            # It is the leader of its own group; whatever is left goes with it.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            process.stdout.close()

    def last_words(self):
        return "; last words: %s" % self.said if self.said else ""

    def read_lines(self, fd):
        pending, deadline = b"", time.monotonic() + self.timeout
        while True:
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([fd], [], [], wait)[0]:
                return "no end of it in %g s%s" % (self.timeout, self.last_words())
            chunk = os.read(fd, 65536)
            if not chunk:
                return None
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                if self.take_line(line.decode("ascii", "replace").strip()):
                    deadline = time.monotonic() + self.timeout

    def take_line(self, line):
        """Returns whether it tells of progress."""
        if self.verbose:
            print("%s| %s" % (self.owner.name, line), file=sys.stderr)
        match = re.match(r"^([a-z0-9-]+): (.*)$", line)
        name, text = match.groups() if match else ("", "")
        if name == "rows":
            self.take_clock(*text.split()[:2])
        elif text == "start":
            self.current = name
            self.seen.append(name)
        elif name and name == self.current:
            self.owner.take(name, text)
            self.current = None
        else:
            if line and not COMPLAINT.search(self.said):
                self.said = line
            return False
        return True

    def take_clock(self, what, guest):
        here = time.monotonic()
        if what == "begin":
            self.begin = float(guest), here
            return
        self.complete = True
        if not self.begin:
            return
        guest, here = float(guest) - self.begin[0], here - self.begin[1]
        if abs(guest - here) > CLOCK_SECONDS + CLOCK_SHARE * here:
            print("programs.py: %s: its clock went %.2f s in %.2f s; do not trust its numbers"
                  % (self.owner.name, guest, here), file=sys.stderr)


def compare_digests(contenders):
    """A row whose job made something else than the first contender's has failed."""
    for one in contenders[1:]:
        for row, digest in one.digests.items():
            first = next((c for c in contenders if row in c.digests), one)
            if first.digests[row] != digest:
                one.fail(row, "bad: the result's digest is %s, %s's is %s"
                         % (digest, first.name, first.digests[row]))
