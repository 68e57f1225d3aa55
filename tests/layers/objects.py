#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks what the built hypervisor calls and which registers it uses.

core and soft call nothing but themselves and core/host.h. No code of core, soft or the user-space
host touches vector or x87 registers: the guest's state stands in them ("vectors" in
docs/soft-engine.md), with one owner, which is named below. Code of the host that calls libc, which
is compiled otherwise, takes the guest's state out of the registers first.

usage: objects.py CORE SOFT HOST     (the static libraries)
"""
import re
import subprocess
import sys

import tree

# Calls of libc by file of engines/soft, all at set-up only, when no guest runs.
LIBC = {
    "translate_area.c": {"mmap", "mmap64", "mremap", "mprotect", "munmap", "__errno_location"},
    "vector_fault.c": {"sigaction", "sigemptyset", "__errno_location"},
    "vector_stub.c": {"memfd_create", "ftruncate", "ftruncate64", "mmap", "mmap64", "munmap",
                      "close", "__errno_location"},
}
# Of the linker, and of instrumented builds (-Db_sanitize, -Db_coverage).
LINKER = re.compile(r"^(_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan|sanitizer|sancov|gcov|lsan)_.*"
                    r"|__llvm_.*|__start_\w+|__stop_\w+)$")

# The one file that moves the guest's state between registers and memory.
VECTOR_OWNER = "engines_soft_vector.c.o"

# Takes the guest's state out of the registers.
PARK = "soft__park_vectors"
# The compiler's own arithmetic, of general registers only.
LIBGCC = re.compile(r"^__u?(?:div|mod|mul)(?:mod)?ti[34]$")

REGISTER = re.compile(r"%(?:[xyz]mm\d+|mm[0-7]|st\b|bnd\d|tmm\d|k[0-7]\b)")
MNEMONIC = re.compile(r"^(?:f[a-z0-9]+|emms|femms|vzero\w+|(?:v)?(?:ld|st)mxcsr|x(?:save|rstor)\w*"
                      r"|fx(?:save|rstor)\w*)$")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


def members(output):
    """Splits the answer of nm or objdump about an archive into (member, lines)."""
    name, lines = None, []
    for line in output.splitlines():
        found = re.match(r"^(?:\S*/)?(\S+\.o):(?:\s+file format.*)?$", line)
        if found:
            if name:
                yield name, lines
            name, lines = found.group(1), []
        else:
            lines.append(line)
    if name:
        yield name, lines


def defined(archive):
    return {line.split()[2] for _, lines in members(run("nm", archive)) for line in lines
            if len(line.split()) == 3}


def check_calls(core, soft):
    inside = defined(core) | defined(soft)
    problems, count = [], 0
    for archive in (core, soft):
        for member, lines in members(run("nm", archive)):
            source = member[:-2].split("_soft_")[-1]
            count += 1
            for line in lines:
                words = line.split()
                if len(words) != 2 or words[0] not in "Uwv":
                    continue
                symbol = words[1]
                if not (symbol in inside or symbol.startswith("host__") or LINKER.match(symbol) or
                        ("soft_" in member and symbol in LIBC.get(source, ()))):
                    problems.append("%s: calls %s, which is neither the core's nor the engine's nor "
                                    "in core/host.h" % (member, symbol))
    # An archive of core that needs the engine's would pass above.
    own = defined(core)
    engine = defined(soft) - own
    for member, lines in members(run("nm", core)):
        for line in lines:
            words = line.split()
            if len(words) == 2 and words[0] == "U" and words[1] in engine:
                problems.append("%s: calls the engine's %s other than by engine_ops"
                                % (member, words[1]))
    return problems, count


def check_registers(archives):
    problems, count = [], 0
    for archive in archives:
        for member, lines in members(run("objdump", "-d", "--no-show-raw-insn", archive)):
            if member == VECTOR_OWNER:
                continue
            function, reported = "?", set()
            for line in lines:
                label = re.match(r"^[0-9a-f]+ <(.+)>:$", line)
                if label:
                    function = label.group(1)
                    continue
                insn = line.split(":", 1)[-1].split("#")[0].split()
                if not insn:
                    continue
                count += 1
                prefixes = {"data16", "lock", "rep", "repz", "repnz", "notrack", "bnd", "cs", "ds",
                            "es", "fs", "gs", "ss", "rex.W"}
                while len(insn) > 1 and insn[0] in prefixes:
                    insn = insn[1:]
                touched = MNEMONIC.match(insn[0]) or REGISTER.search(" ".join(insn[1:]))
                if touched and function not in reported:
                    reported.add(function)
                    problems.append("%s: %s: \"%s\" uses vector or x87 state"
                                    % (member, function, " ".join(insn)))
    return problems, count


def calls_of(archive):
    """Which function calls or names which, by objdump: {function: [symbols]}."""
    calls, function = {}, None
    for _, lines in members(run("objdump", "-dr", "--no-show-raw-insn", archive)):
        for line in lines:
            label = re.match(r"^[0-9a-f]+ <(.+)>:$", line)
            relocation = re.search(r"R_X86_64_(?:PLT32|PC32|32S?|64|GOTPCREL\w*)\s+([\w.]+)", line)
            direct = re.search(r"\b(?:call|jmp|j[a-z]+)\s+[0-9a-f]+ <([\w.]+)>$", line)
            if label:
                function = label.group(1)
                calls.setdefault(function, [])
            elif function and (relocation or direct):
                calls[function].append((relocation or direct).group(1))
    return calls


def check_parking(core, soft, host):
    """host__*() is called with guest vectors in registers: whoever calls libc must park them."""
    inside = defined(core) | defined(soft) | defined(host)
    outside = {line.split()[1] for _, lines in members(run("nm", host)) for line in lines
               if len(line.split()) == 2}
    libc = {s for s in outside - inside if not LINKER.match(s) and not LIBGCC.match(s)}
    calls = calls_of(host)
    problems = []

    def unparked(function, seen):
        seen.add(function)
        if PARK in calls[function]:
            return
        for symbol in calls[function]:
            if symbol in libc:
                yield function, symbol
            elif symbol in calls and symbol not in seen:
                yield from unparked(symbol, seen)

    entries = [f for f in calls if f.startswith("host__")]
    for entry in entries:
        for function, symbol in sorted(set(unparked(entry, set()))):
            problems.append("%s: calls %s without %s (reached from %s)"
                            % (function, symbol, PARK, entry))
    return problems, len(entries)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: objects.py CORE SOFT HOST")
    core, soft, host = sys.argv[1:]
    wrong = tree.finish("calls", *check_calls(core, soft))
    wrong |= tree.finish("registers", *check_registers((core, soft, host)))
    wrong |= tree.finish("parking", *check_parking(core, soft, host))
    sys.exit(wrong)


if __name__ == "__main__":
    main()
