#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that #include goes one way through the layers. The tables below are the layers.

usage: includes.py PROJECT
"""
import os
import re
import sys

import tree

# A folder may include its own headers and those of the folders and files in its row; a trailing
# slash stands for all below. What no row allows is wrong. Longest match of the folder wins.
PLAIN = ["base/", "include/"]

# The objects that all of core/ works on. They are headers of data and calls, at the bottom; the
# code of core/vm/ is at the top. (struct vcpu holds parts of other folders: see HEADERS.)
OBJECTS = PLAIN + ["core/host.h", "core/engine.h", "core/vm/vcpu.h", "core/vm/vm.h",
                   "core/decode/insn.h", "core/memory/slots.h", "core/memory/tlb.h",
                   "core/x86/cpu.h", "core/x86/cpuid.h", "core/x86/msr.h"]

# A device knows the framework, its back ends and its firmware description; no other device, no
# board, no KVM.
DEVICE = PLAIN + ["vmm/device/", "vmm/memory/", "vmm/acpi/", "vmm/loop/", "vmm/char/", "vmm/pci/",
                  "vmm/block/block.h", "vmm/net/net.h", "vmm/vsock/vsock.h", "vmm/throttle/", "vmm/firmware/",
                  "vmm/devices/classes.h", "vmm/devices/storage/", "vmm/share/share.h"]

LAYERS = {
    "base": [],
    "include": ["base/"],

    # Ways out of core/, and the objects.
    "core": ["base/", "core/decode/insn.h"],
    # Rows name their executors, and nothing else of core/emulate.
    "core/decode": ["base/", "include/", "core/host.h", "core/x86/cpu.h",
                    "core/emulate/executors.h", "core/emulate/system.h", "core/emulate/vector.h"],
    # Delivery of an exception is code of core/emulate, MSRs of the APIC are core/irqchip's.
    "core/x86": OBJECTS + ["core/decode/", "core/memory/", "core/irqchip/irqchip.h",
                           "core/emulate/interrupt.h"],
    "core/memory": OBJECTS + ["core/emulate/emulate.h"],
    "core/irqchip": OBJECTS,
    "core/emulate": OBJECTS + ["core/decode/", "core/memory/", "core/x86/",
                               "core/irqchip/irqchip.h"],
    "core/vm": OBJECTS + ["core/decode/", "core/memory/", "core/x86/", "core/emulate/",
                          "core/irqchip/"],
    # Requests reach executors only through the run loop.
    "core/api": OBJECTS + ["core/memory/", "core/x86/", "core/irqchip/", "core/vm/"],

    "engines": PLAIN + ["core/", "engines/soft/"],
    "hosts": PLAIN + ["core/", "engines/"],

    "vmm": [],
    "vmm/config": PLAIN,
    "vmm/loop": PLAIN,
    # The only one that knows the library behind the seam, and of it one header.
    "vmm/kvm": PLAIN + ["hosts/user/trivet_kvm.h", "vmm/config/"],
    "vmm/memory": PLAIN,
    "vmm/vcpu": PLAIN + ["vmm/kvm/", "vmm/memory/"],
    "vmm/throttle": PLAIN,
    "vmm/block": PLAIN + ["vmm/block/", "vmm/loop/", "vmm/throttle/"],
    "vmm/block/io": PLAIN + ["vmm/block/io/", "vmm/loop/"],
    # The 9P server: lists of buffers are block's.
    "vmm/share": PLAIN + ["vmm/share/", "vmm/block/io/iov.h"],
    "vmm/device": PLAIN + ["vmm/config/", "vmm/memory/"],
    "vmm/char": PLAIN + ["vmm/loop/"],
    "vmm/net": PLAIN + ["vmm/loop/"],
    "vmm/vsock": PLAIN + ["vmm/loop/"],
    "vmm/acpi": PLAIN + ["vmm/device/"],
    "vmm/boot": PLAIN + ["vmm/memory/"],
    # Images and items: what a machine has for its firmware.
    "vmm/firmware": PLAIN + ["vmm/config/", "vmm/acpi/"],
    "vmm/smbios": PLAIN + ["vmm/device/checksum.h", "vmm/config/", "vmm/memory/"],
    # The PCI bus: part of the framework, under the devices that are on it.
    "vmm/pci": PLAIN + ["vmm/device/", "vmm/memory/"],
    "vmm/devices": DEVICE,
    "vmm/machine": PLAIN + ["vmm/acpi/", "vmm/block/block.h", "vmm/boot/", "vmm/char/", "vmm/device/",
                            "vmm/devices/classes.h", "vmm/config/", "vmm/firmware/", "vmm/kvm/", "vmm/loop/",
                            "vmm/memory/",
                            "vmm/pci/", "vmm/smbios/", "vmm/vcpu/"],
    "vmm/cli": PLAIN + ["vmm/block/", "vmm/cli/", "vmm/char/", "vmm/config/", "vmm/device/", "vmm/kvm/",
                        "vmm/machine/", "vmm/smbios/smbios.h"],
}

# Headers from outside of the project. core/ has no libc; the compiler's own headers and the
# kernel's definitions of the seam and of error numbers are not libc. None: any.
FREESTANDING = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h"}
KERNEL = {"linux/kvm.h", "linux/types.h", "linux/errno.h", "asm/errno.h"}
# The stubs need memory that is executable and a handler for signals.
STUB_FILES = {
    "engines/soft/translate/area.c": {"errno.h", "sys/mman.h", "unistd.h"},
    "engines/soft/vector_fault.c": {"errno.h", "signal.h", "ucontext.h"},
    "engines/soft/vector_stub.c": {"errno.h", "sys/mman.h", "unistd.h"},
}
FOREIGN = {
    "base": FREESTANDING | KERNEL,
    "include": FREESTANDING | KERNEL,
    "core": FREESTANDING | KERNEL,
    "engines": FREESTANDING | KERNEL,
    "hosts": None,
    "vmm": None,
}

# Two folders of core/ that include each other, by other headers than the objects. Each is a knot
# that a reader has to know, so a new one is an error. (The header graph itself has no cycle.)
KNOTS = {
    ("core/decode", "core/emulate"): "a row holds its executor; an executor gets its row",
    ("core/decode", "core/x86"): "insn.h computes addresses of struct x86_cpu; CPUID conditions "
                                 "of rows",
    ("core/emulate", "core/memory"): "accesses to device memory go on in mmio.c; executors access memory",
    ("core/emulate", "core/x86"): "interrupt.c delivers what exception.c decided; segment rules",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def row_of(table, folder):
    """The row for a folder: its own, or that of the nearest folder above it."""
    while folder not in table:
        folder = os.path.dirname(folder)
        if not folder:
            return None, None
    return folder, table[folder]


def is_allowed(allowed, header):
    return any(header == a or (a.endswith("/") and header.startswith(a)) for a in allowed)


def check_own(name, header):
    """What is wrong with including a header of the project, or None."""
    folder = os.path.dirname(name)
    if os.path.dirname(header) == folder:
        return None
    layer, allowed = row_of(LAYERS, folder)
    if layer is None:
        return "folder %s has no row in LAYERS" % folder
    if is_allowed(allowed, header):
        return None
    return "%s/ may not include this" % layer


def check_foreign(name, header):
    if header in STUB_FILES.get(name, ()):
        return None
    _, allowed = row_of(FOREIGN, os.path.dirname(name))
    if allowed is None or header in allowed:
        return None
    return "only %s" % ", ".join(sorted(allowed))


def find_cycle(graph):
    """A cycle of a graph {node: set of nodes} as a list, or None."""
    state = {}

    def visit(node, path):
        state[node] = "open"
        for follower in sorted(graph.get(node, ())):
            if state.get(follower) == "open":
                return path[path.index(follower):] + [follower]
            if follower not in state:
                cycle = visit(follower, path + [follower])
                if cycle:
                    return cycle
        state[node] = "done"
        return None

    for node in sorted(graph):
        if node not in state:
            cycle = visit(node, [node])
            if cycle:
                return cycle
    return None


def find_knots(graph):
    """Pairs of core's folders that include each other by other headers than the objects."""
    folders = {}
    for name, headers in graph.items():
        for header in headers:
            a, b = os.path.dirname(name), os.path.dirname(header)
            if a != b and a.count("/") and b.startswith("core/") and header not in OBJECTS:
                folders.setdefault(a, set()).add(b)
    for a in sorted(folders):
        for b in sorted(folders[a]):
            if a < b and a in folders.get(b, ()):
                yield a, b


def check(root):
    names = [n for n in tree.files(root)
             if n.endswith((".c", ".h", ".inc", ".S")) and n.split("/")[0] in FOREIGN]
    graph, problems = {}, []
    for name in names:
        text = tree.text(root, name)
        graph[name] = set()
        for match in INCLUDE.finditer(text):
            bracket, header = match.groups()
            own = os.path.join(os.path.dirname(name), header)
            if not os.path.exists(os.path.join(root, header)) and os.path.exists(
                    os.path.join(root, own)):
                header = os.path.normpath(own)
            if os.path.isfile(os.path.join(root, header)):
                graph[name].add(header)
                wrong = check_own(name, header)
            elif bracket == '"':
                wrong = "no such file in the project"
            else:
                wrong = check_foreign(name, header)
            if wrong:
                line = text.count("\n", 0, match.start(2)) + 1
                problems.append("%s:%d: includes %s: %s" % (name, line, header, wrong))
    cycle = find_cycle(graph)
    if cycle:
        problems.append("headers include each other: " + " -> ".join(cycle))
    for knot in find_knots(graph):
        if knot not in KNOTS:
            problems.append("%s and %s include each other" % knot)
    return problems, len(names)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: includes.py PROJECT")
    sys.exit(tree.finish("includes", *check(sys.argv[1])))
