#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the documents with the project: the README's program runs, links lead somewhere, lists are whole.

usage: documents_test.py PROJECT CC LIBRARY...
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

import tree

FOLDERS = "base|bench|core|docs|engines|hosts|include|tests|tools|vmm"


def run_example(project, cc, libraries):
    """Complaints about the README's program."""
    with open(os.path.join(project, "README.md")) as file:
        text = file.read()
    programs = re.findall(r"```c\n(.*?)```", text, re.S)
    promised = re.findall(r"^prints `([^`]+)`", text, re.M)
    if len(programs) != 1 or len(promised) != 1:
        return ["README.md: one program and what it prints are expected"]
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "tiny.c"), os.path.join(folder, "tiny")
        with open(source, "w") as file:
            file.write(programs[0])
        compiled = subprocess.run([*cc, "-Wall", "-Wextra", "-Werror", "-I", project, source,
                                   "-Wl,--start-group", *libraries, "-Wl,--end-group", "-pthread",
                                   "-o", program], capture_output=True, text=True)
        if compiled.returncode:
            return ["README.md: the program does not compile:", compiled.stderr]
        # It leaves closing to its end, as short programs do.
        ran = subprocess.run([program], capture_output=True, text=True, timeout=60,
                             env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        if ran.returncode or ran.stdout != promised[0] + "\n":
            return ["README.md: the program printed %r, status %d; %r is promised"
                    % (ran.stdout, ran.returncode, promised[0])]
    return []


def check_links(project):
    """Complaints about links to files that are not there."""
    problems = []
    for path in [os.path.join(project, "README.md"), *glob.glob(os.path.join(project, "docs/*.md"))]:
        with open(path) as file:
            text = file.read()
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in target and not os.path.exists(
                    os.path.join(os.path.dirname(path), target)):
                problems.append("%s: link to %s, which is not there"
                                % (os.path.relpath(path, project), target))
    return problems


def read(project, name):
    with open(os.path.join(project, name)) as file:
        return file.read()


def check_list(document, text, where, names):
    """Complaints about names that the document does not have in code quotes."""
    quoted = set(re.findall(r"`([^`\n]+)`", text))
    problems = ["%s: %s of %s is missing" % (document, name, where) for name in sorted(names - quoted)]
    return problems or ([] if names else ["%s: nothing was found in %s" % (document, where)])


def check_api(project):
    """docs/api.md against the tables of core/api."""
    text, problems = read(project, "docs/api.md"), []
    requests = re.split(r"^On a.*descriptor: ", text.split("## Capabilities")[0], flags=re.M)
    for name, listed in zip(("system", "vm", "vcpu"), [requests[0].split("On the system")[-1]]
                            + requests[1:]):
        source = read(project, "core/api/%s.c" % name)
        rows = set(re.findall(r"(?:API_ROW\(|\{ )(KVM_\w+), ", source))
        problems += check_list("docs/api.md", listed, "core/api/%s.c" % name, rows)
        extra = set(re.findall(r"`(KVM_\w+)`", listed.split("`KVM_CREATE_DEVICE` is")[0])) - rows
        problems += ["docs/api.md: %s is not in core/api/%s.c" % (e, name) for e in sorted(extra)]
    source = read(project, "core/api/capability.c")
    rows = set(re.findall(r"\{ (KVM_CAP_\w+),", source))
    answers = text.split("## Capabilities")[1].split("`KVM_ENABLE_CAP` on a VM")[0]
    problems += check_list("docs/api.md", answers, "core/api/capability.c", rows)
    dynamic = set(re.findall(r"case (KVM_CAP_\w+):", source))
    extra = set(re.findall(r"`(KVM_CAP_\w+)`", answers)) - rows - dynamic
    return problems + ["docs/api.md: %s is not in core/api/capability.c" % e for e in sorted(extra)]


def check_packages(project):
    """docs/dependencies.md against tools/setup.sh."""
    lists = re.findall(r'^\w+_packages="([^"]+)"', read(project, "tools/setup.sh"), re.M)
    packages = {package for names in lists for package in names.split()}
    text = read(project, "docs/dependencies.md")
    problems = check_list("docs/dependencies.md", text, "tools/setup.sh", packages)
    rows = {p for row in re.findall(r"^\| (`.*?) \|", text, re.M) for p in re.findall(r"`(.*?)`", row)}
    return problems + ["docs/dependencies.md: %s is not installed by tools/setup.sh" % p
                       for p in sorted(rows - packages)]


def check_names(project):
    """Complaints about functions and files that comments and documents name, and that are not there."""
    names = [n for n in tree.files(project) if not n.startswith(".")]
    sources = {n: tree.text(project, n) for n in names if n.endswith((".c", ".h", ".inc", ".S"))}
    code = "\n".join(re.sub(r"/\*.*?\*/", " ", text, flags=re.S) for text in sources.values())
    known = set(re.findall(r"\b[A-Za-z_]\w+\b", code))
    said = [(n, c) for n, text in sources.items() for c in re.findall(r"/\*.*?\*/", text, re.S)]
    # style.md explains how names are made.
    said += [(n, tree.text(project, n)) for n in names
             if n.endswith(".md") and n != "docs/style.md"]
    problems = []
    for name, text in said:
        for function in re.findall(r"\b([a-z]\w*__\w+)\(", text):
            # Macros make names that end in a width.
            if function not in known and function.rstrip("0123456789") not in known:
                problems.append("%s: names %s(), which is not there" % (name, function))
        for path in re.findall(r"(?<![\w/.-])((?:%s)/[\w/.-]*\.(?:c|h|inc|S|md|py|sh))\b" % FOLDERS,
                               text):
            if not os.path.exists(os.path.join(project, path)):
                problems.append("%s: names %s, which is not there" % (name, path))
    return problems


def main():
    project, rest = sys.argv[1], sys.argv[2:]
    libraries = [a for a in rest if a.endswith(".a")]
    cc = [a for a in rest if not a.endswith(".a")]
    problems = run_example(project, cc, libraries) + check_links(project)
    problems += check_api(project) + check_packages(project) + check_names(project)
    print("\n".join(problems) or "README.md: the program runs; links and lists are right")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
