#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiles and runs the program in README.md, and checks that links between documents lead somewhere.

usage: readme_test.py PROJECT CC LIBRARY...
"""
import glob
import os
import re
import subprocess
import sys
import tempfile


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
        ran = subprocess.run([program], capture_output=True, text=True, timeout=60)
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


def main():
    project, rest = sys.argv[1], sys.argv[2:]
    libraries = [a for a in rest if a.endswith(".a")]
    cc = [a for a in rest if not a.endswith(".a")]
    problems = run_example(project, cc, libraries) + check_links(project)
    print("\n".join(problems) or "README.md: the program runs, links lead somewhere")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
