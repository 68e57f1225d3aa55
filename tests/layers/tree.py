# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's own files, for the checks in this folder."""
import os
import subprocess


def files(root):
    """Paths of the project's files below root: what git knows, or all but build directories."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().split("\0")
    else:
        names = []
        for folder, folders, found in os.walk(root):
            folders[:] = [f for f in folders
                          if f[0] != "." and not os.path.exists(os.path.join(folder, f, "build.ninja"))]
            names += [os.path.relpath(os.path.join(folder, name), root) for name in found]
    return sorted(name for name in names if name and os.path.isfile(os.path.join(root, name)))


def text(root, name):
    """Contents of a file, or None if it is no text."""
    with open(os.path.join(root, name), "rb") as file:
        data = file.read()
    return None if b"\0" in data else data.decode("utf-8", "replace")


def finish(what, problems, looked_at):
    """Prints the problems and gives the exit status: a check that looked at nothing has failed."""
    for problem in problems:
        print(problem)
    if not looked_at:
        print("%s: nothing was found to look at" % what)
    print("%s: %d looked at, %d wrong" % (what, looked_at, len(problems)))
    return 1 if problems or not looked_at else 0
