# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixture of the system tests: `trivet run` on pipes or on a terminal, kernels, small guests."""
import gzip
import http.server
import os
import pathlib
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

# Never a verdict, only the end of hope.
PATIENCE = 240 * float(os.environ.get("TRIVET_PATIENCE", "1"))
PROMPT = rb"trivet:\S+# "
FLAVOURS = ("amd64", "cloud-amd64", "rt-amd64")
SKIPPED = 77

trivet = None
directory = None


def start(argv):
    """Takes the fixture's own arguments (trivet, directory of small guests) off the list."""
    global trivet, directory
    trivet = os.path.abspath(argv.pop(1))
    if len(argv) > 1 and os.path.isdir(argv[1]):
        directory = pathlib.Path(argv.pop(1)).resolve()


def cache():
    here = pathlib.Path(__file__).resolve().parent
    return pathlib.Path(os.environ.get("TRIVET_CACHE") or here.parent.parent / ".cache")


def kernel(flavour="cloud-amd64"):
    return str(cache() / f"vmlinuz-{flavour}")


def initrd():
    return str(cache() / "initramfs.cpio.gz")


def initrd_with_modules(path, flavour="cloud-amd64"):
    """Writes an initramfs that has the kernel's modules for virtio; its name."""
    modules = cache() / f"modules-{flavour}.cpio.gz"
    if not modules.exists():
        print(f"skipped: {modules} is missing; tools/guest.sh makes it")
        sys.exit(SKIPPED)
    path.write_bytes(pathlib.Path(initrd()).read_bytes() + modules.read_bytes())
    return str(path)


def archive(name, data):
    """An archive of one executable file, as it can be appended to an initramfs (newc)."""
    def entry(name, mode, data):
        fields = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
        return b"".join(part + b"\0" * (-len(part) % 4) for part in (head, data))
    return gzip.compress(entry(name, 0o100755, data) + entry(b"TRAILER!!!", 0, b""))


def require_kernel(flavour="cloud-amd64"):
    for path in kernel(flavour), initrd():
        if not os.path.exists(path):
            print(f"skipped: {path} is missing; tools/guest.sh makes it")
            sys.exit(SKIPPED)


def boots(append="", flavour="cloud-amd64", engine="soft"):
    """Arguments of a stock kernel with the small initramfs."""
    return ["--engine", engine, "--kernel", kernel(flavour), "--initrd", initrd(),
            "--append", f"console=ttyS0 quiet {append}".strip()]


class Ended(AssertionError):
    """The output ended before what was waited for came."""


class Session:
    """A process whose console is read and written through descriptors of ours."""

    def __init__(self, process, reader, writer):
        self.process, self.reader, self.writer = process, reader, writer
        self.seen = b""  # all output
        self.at = 0      # what was waited for lies before
        os.set_blocking(writer, False)

    def complain(self, what):
        return f"{what}; the output ended with {self.seen[-1500:]!r}"

    def _read(self, seconds):
        """Reads once. False at the end of the output."""
        if not select.select([self.reader], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.reader, 65536)
        except OSError:  # a terminal whose last user went away
            data = b""
        self.seen += data
        return bool(data)

    def expect(self, pattern, patience=PATIENCE):
        """Waits for a regular expression in the output behind the one before; the match."""
        deadline = time.monotonic() + patience
        more = True
        while True:
            match = re.search(pattern, self.seen[self.at:], re.S)
            if match:
                self.at += match.end()
                return match
            if not more:
                raise Ended(self.complain(f"the output ended before {pattern!r}"))
            if time.monotonic() > deadline:
                raise AssertionError(self.complain(f"{pattern!r} did not come"))
            more = self._read(0.5)

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        deadline = time.monotonic() + PATIENCE
        while data:
            if time.monotonic() > deadline:
                raise AssertionError(self.complain("the input is not taken"))
            # Reading meanwhile: an echo must not fill the way back.
            if select.select([], [self.writer], [], 0.1)[1]:
                data = data[os.write(self.writer, data[:4096]):]
            self._read(0)

    def end_input(self):
        os.close(self.writer)
        self.writer = -1

    def wait(self, patience=PATIENCE):
        """Reads to the end; the exit status, negative for a signal."""
        deadline = time.monotonic() + patience
        more = True
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(self.complain("the process does not end"))
            more = more and self._read(0.1)
            if not more:
                time.sleep(0.02)
        while more and select.select([self.reader], [], [], 0)[0]:
            more = self._read(0)
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            # With what it started: a process group of its own.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for fd in {self.reader, self.writer} - {-1}:
            os.close(fd)
        self.reader = self.writer = -1
        if self.process.stderr:
            self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def on_pipes(args, stdin=None, command=None, stderr=subprocess.PIPE, env=None, cwd=None):
    """`trivet run ARGS` (or a command) with pipes for standard input and output."""
    read_end, write_end = os.pipe()
    out_read, out_write = os.pipe()
    process = subprocess.Popen(command or [trivet, "run", *args], stdin=read_end, stdout=out_write,
                               stderr=stderr, start_new_session=True, env=env, cwd=cwd)
    os.close(read_end)
    os.close(out_write)
    session = Session(process, out_read, write_end)
    if stdin is not None:
        session.send(stdin)
        session.end_input()
    return session


class TerminalSession(Session):
    """On a pseudo-terminal that is its controlling one, as a shell would start it."""

    def __init__(self, args, command=None, cwd=None):
        master, self.slave = os.openpty()
        self.before = termios.tcgetattr(self.slave)
        process = subprocess.Popen(command or [trivet, "run", *args], stdin=self.slave,
                                   stdout=self.slave, stderr=self.slave, start_new_session=True,
                                   preexec_fn=self._take_terminal, cwd=cwd)
        super().__init__(process, master, os.dup(master))

    @staticmethod
    def _take_terminal():
        import fcntl
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        # As a shell's child: with the default actions, whatever the test runner ignores.
        for number in signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP, signal.SIGPIPE:
            signal.signal(number, signal.SIG_DFL)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def wait_raw(self):
        deadline = time.monotonic() + PATIENCE
        while not self.is_raw():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.complain("the terminal never became raw"))
            time.sleep(0.02)

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        super().close()
        os.close(self.slave)


def run_to_end(args, stdin=b"", **options):
    """Status, standard output, standard error of `trivet run ARGS`."""
    done = subprocess.run([trivet, "run", *args], input=stdin, capture_output=True,
                          timeout=PATIENCE, start_new_session=True, **options)
    return done.returncode, done.stdout, done.stderr


class TemporaryDirectory:
    """For setUp: a directory that goes with the test."""

    def __init__(self, test):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="trivet-system."))
        test.addCleanup(shutil.rmtree, self.path, ignore_errors=True)

    def __truediv__(self, name):
        return self.path / name


def serve_files(test, folder):
    """An HTTP server on 127.0.0.1 that gives the folder's files until the test ends; its port."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return server.server_address[1]


# ---- guests of a few instructions, as 32-bit machine code ----

LOAD = 0x100000


def out_byte(port, value):
    return struct.pack("<BBHBBB", 0x66, 0xBA, port, 0xB0, value, 0xEE)


def out_word(port, value):
    return struct.pack("<BBHBBHBB", 0x66, 0xBA, port, 0x66, 0xB8, value, 0x66, 0xEF)


HANG = b"\xeb\xfe"
POWER_OFF = out_word(0x604, 0x3400) + HANG


def say(text):
    return b"".join(out_byte(0x3F8, byte) for byte in text)


def debug_exit(number):
    return struct.pack("<BIBB", 0xB8, number, 0xE7, 0xF4) + HANG


# Repeats what it reads, by polling; a "!" powers the machine off.
ECHO = bytes.fromhex(
    "66bafd03" "ec" "a801" "74f7"  # poll: mov dx, 3fdh; in al, dx; test al, 1; jz poll
    "66baf803" "ec"                # mov dx, 3f8h; in al, dx
    "3c21" "7403"                  # cmp al, '!'; je off
    "ee" "ebeb")                   # out dx, al; jmp poll
ECHO += POWER_OFF


def multiboot(code):
    """A Multiboot 1 ELF file with this code at its entry."""
    header = 52 + 32
    entry = LOAD + header + 12
    size = header + 12 + len(code)
    elf = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, entry, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, LOAD, LOAD, size, size, 7, 1)
    return elf + segment + struct.pack("<III", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF) + code
