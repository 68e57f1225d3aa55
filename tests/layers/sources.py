#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks what every file of the project has to have, and must not have.

Every source file names its licence and says what it is for; nothing names a path of a developer's
machine. Files that have grown long are listed, which is no error.

usage: sources.py PROJECT
"""
import os
import re
import sys

import tree

LICENCE = "SPDX-License-Identifier: GPL-2.0-or-later"
CODE = (".c", ".h", ".S", ".inc", ".py", ".sh", ".ld")
DOCUMENTS = (".md",)
LONG = 700
TOP = 25 # lines in which the purpose has to stand

# Homes of users and working directories; those of the guest's root user are no developer's.
PATHS = re.compile(r"(?<![\w.$})/-])/(?:home|Users|work|mnt|media|srv|data)/[\w.-]+")
COMMENT = re.compile(r'/\*(.*?)\*/|"""(.*?)"""|((?:^#(?!!).*\n)+)', re.S | re.M)


def has_purpose(text):
    """Whether a comment near the top has a sentence besides the licence."""
    top = "\n".join(text.split("\n")[:TOP]) + "\n"
    for match in COMMENT.finditer(top):
        words = " ".join(g for g in match.groups() if g)
        words = re.sub(r"SPDX-License-Identifier: \S+", "", words)
        words = re.sub(r"[\s*#/]+", " ", words)
        if re.search(r"[A-Za-z]+( \S+){1,}[.:;]", words):
            return True
    # A comment that goes on below the top.
    return bool(re.search(r"/\*\s*\n \* \S+( \S+){2,}", top.replace(LICENCE, "")))


def check_file(name, text):
    """Yields what is wrong with a file."""
    first = "\n".join(text.split("\n")[:3])
    if name.endswith(CODE) or os.path.basename(name) in ("meson.build", "Makefile"):
        if LICENCE not in first:
            yield "%s:1: no \"%s\"" % (name, LICENCE)
    if name.endswith(CODE) and not has_purpose(text):
        yield "%s:1: no sentence that says what the file is for" % name
    for match in PATHS.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield "%s:%d: path of somebody's machine: %s" % (name, line, match.group(0))


def check(root):
    problems, count = [], 0
    for name in tree.files(root):
        text = tree.text(root, name)
        if text is None or name == "COPYING" or os.path.abspath(__file__) == os.path.abspath(
                os.path.join(root, name)):
            continue
        count += 1
        problems += check_file(name, text)
        lines = text.count("\n")
        if lines > LONG and name.endswith(CODE):
            print("long: %s has %d lines" % (name, lines))
    return problems, count


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: sources.py PROJECT")
    sys.exit(tree.finish("sources", *check(sys.argv[1])))
