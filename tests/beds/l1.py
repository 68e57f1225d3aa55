# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock Debian kernel on a CPU with AMD-V that QEMU's TCG emulates: L1.

It takes a list of jobs (shell scripts) from a directory of the host, runs one after the other,
and leaves their output and status there.
"""
import os
import re
import shutil
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# The host's directory (9p over virtio), and the hypervisor.
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "virtio_rng", "kvm-amd"]
POLL_SECONDS = 0.5


class BedError(Exception):
    """The bed itself does not work."""


class Job:
    """One script; after the run, its exit status (None: never finished), seconds and output."""

    def __init__(self, name, script, seconds=60):
        self.name = name
        self.script = script
        self.seconds = seconds
        self.status = None
        self.took = 0.0
        self.output = ""


def run(command, **options):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          **options).stdout


def fetch_package(directory):
    """Debian's stock kernel package, modules included."""
    pattern = re.compile(r"Depends: (linux-image-\S+)")
    match = pattern.search(run(["apt-cache", "depends", "linux-image-amd64"]).decode())
    if not match:
        raise BedError("no package linux-image-amd64; run apt-get update")
    print("==> Fetching %s" % match.group(1), flush=True)
    run(["apt-get", "-q", "download", "-o", "APT::Sandbox::User=root", match.group(1)],
        cwd=directory)
    return os.path.join(directory, [n for n in os.listdir(directory) if n.endswith(".deb")][0])


def unpack_kernel(cache, package):
    """Makes cache/l1 with vmlinuz and the modules; returns its path."""
    target = os.path.join(cache, "l1")
    if os.path.exists(os.path.join(target, "vmlinuz")):
        return target
    os.makedirs(target, exist_ok=True)
    work = os.path.join(target, "work")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    package = package or fetch_package(work)
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", work, "--wildcards", "./boot/vmlinuz-*",
                    "./lib/modules/*"], stdin=tar.stdout, check=True)
    if tar.wait():
        raise BedError("%s: cannot be unpacked" % package)
    shutil.rmtree(os.path.join(target, "modules"), ignore_errors=True)
    os.rename(os.path.join(work, "lib/modules"), os.path.join(target, "modules"))
    kernel = [n for n in os.listdir(os.path.join(work, "boot")) if n.startswith("vmlinuz-")][0]
    os.rename(os.path.join(work, "boot", kernel), os.path.join(target, "vmlinuz"))
    shutil.rmtree(work)
    return target


def find_modules(root):
    """Module name: path."""
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            if name.endswith(".ko"):
                found[name[:-3].replace("-", "_")] = os.path.join(directory, name)
    return found


def dependencies(path):
    """What the module's .modinfo says it needs."""
    with open(path, "rb") as file:
        match = re.search(rb"\0depends=([^\0]*)\0", file.read())
    return [n.replace("-", "_") for n in match.group(1).decode().split(",") if n] if match else []


def load_order(found, wanted):
    """The wanted modules that exist (others are built in), each after what it needs."""
    order = []

    def add(name):
        if name in found and name not in order:
            for needed in dependencies(found[name]):
                add(needed)
            order.append(name)

    for name in wanted:
        add(name.replace("-", "_"))
    return order


def is_dynamic(path):
    """Whether the file is a program that needs libraries."""
    return subprocess.run(["ldd", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def copy_with_libraries(program, root):
    """A dynamically linked program's loader and libraries, at the paths they have here."""
    for path in re.findall(r"(/\S+) \(0x", run(["ldd", program]).decode()):
        target = root + path
        if not os.path.exists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(path, target)


def make_initramfs(l1, programs, work):
    """busybox, modules, the libraries of `programs`; returns the archive's path."""
    root = os.path.join(work, "root")
    shutil.rmtree(root, ignore_errors=True)
    for directory in ("bin", "modules"):
        os.makedirs(os.path.join(root, directory))
    shutil.copy("/bin/busybox", os.path.join(root, "bin/busybox"))
    os.symlink("busybox", os.path.join(root, "bin/sh"))
    shutil.copy(os.path.join(HERE, "l1-init"), os.path.join(root, "init"))
    os.chmod(os.path.join(root, "init"), 0o755)
    found = find_modules(os.path.join(l1, "modules"))
    order = load_order(found, MODULES)
    if "kvm_amd" not in order:
        raise BedError("%s: no module kvm-amd" % l1)
    for name in order:
        shutil.copy(found[name], os.path.join(root, "modules", name + ".ko"))
    with open(os.path.join(root, "modules/order"), "w", encoding="ascii") as file:
        file.write("".join(name + ".ko\n" for name in order))
    for program in programs:
        copy_with_libraries(program, root)
    archive = os.path.join(work, "initramfs.cpio")
    with open(archive, "wb") as file:
        names = subprocess.Popen(["find", "."], cwd=root, stdout=subprocess.PIPE)
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                       stdin=names.stdout, stdout=file, check=True)
        names.wait()
    return archive


def write_jobs(share, jobs):
    for directory in ("jobs", "out"):
        shutil.rmtree(os.path.join(share, directory), ignore_errors=True)
        os.makedirs(os.path.join(share, directory))
    for number, job in enumerate(jobs):
        job.file = "%03d-%s" % (number, job.name)
        path = os.path.join(share, "jobs", job.file)
        with open(path + ".sh", "w", encoding="utf-8") as file:
            file.write("cd /host\n" + job.script + "\n")
        with open(path + ".seconds", "w", encoding="ascii") as file:
            file.write("%d\n" % job.seconds)


def collect(share, job):
    """Reads a finished job's results; False if it has not finished."""
    path = os.path.join(share, "out", job.file)
    if not os.path.exists(path + ".status"):
        return False
    with open(path + ".status", encoding="ascii") as file:
        status, start, end = file.read().split()
    job.status, job.took = int(status), float(end) - float(start)
    with open(path + ".out", encoding="utf-8", errors="replace") as file:
        job.output = file.read().replace("\r", "")
    return True


def qemu_command(l1, archive, share, log, cpu, cpus, memory):
    return ["nice", "-n", "10", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", cpu,
            "-smp", str(cpus), "-m", str(memory), "-machine", "q35", "-nodefaults",
            "-display", "none", "-serial", "file:" + log, "-no-reboot",
            "-kernel", os.path.join(l1, "vmlinuz"), "-initrd", archive,
            "-append", "console=ttyS0 panic=-1 mitigations=off",
            "-device", "virtio-rng-pci",
            "-virtfs", "local,path=%s,mount_tag=host,security_model=none,multidevs=remap" % share]


def run_once(command, share, jobs, log, finished):
    """Runs L1 until it ends; calls finished(job) for each job in turn. The jobs it did not finish."""
    write_jobs(share, jobs)
    # Loading takes about 15 s; a slow or busy host may need several times that.
    deadline = time.monotonic() + 600 + sum(job.seconds for job in jobs) * 2
    waiting = list(jobs)
    with open(log + ".qemu", "ab") as errors:
        qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
    try:
        while True:
            ended = qemu.poll() is not None
            while waiting and collect(share, waiting[0]):
                finished(waiting.pop(0))
            if ended:
                return waiting
            if time.monotonic() > deadline:
                raise BedError("L1 did not end in time; see %s" % log)
            time.sleep(POLL_SECONDS)
    finally:
        if qemu.poll() is None:
            qemu.terminate()
            qemu.wait()


def run_jobs(command, share, jobs, log, finished):
    """Runs all jobs. A job that L1 does not survive is given up, and L1 started again."""
    waiting = list(jobs)
    while waiting:
        left = run_once(command, share, waiting, log, finished)
        if left == waiting and len(waiting) == len(jobs):
            raise BedError("L1 did not come up; see %s and %s.qemu" % (log, log))
        if left:
            finished(left.pop(0))
        waiting = left
