#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs all registered tests and ends with one summary line.
# usage: check.sh BUILD CACHE
set -u

build=$1
cache=$(cd "$2" && pwd)
export TRIVET_CACHE="$cache"
# Kernels that tests start are not kept in the user's own cache.
export XDG_CACHE_HOME="$cache"

meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier "${TIMEOUT_MULTIPLIER:-1}" </dev/null
log="$build/meson-logs/testlog.json"
[ -f "$log" ] || { echo "check.sh: no test log; did the build succeed?" >&2; exit 1; }
python3 - "$log" <<'E2'
import json
import sys

passed = failed = skipped = 0
with open(sys.argv[1]) as file:
    for line in file:
        test = json.loads(line)
        if test["result"] == "OK":
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
            reason = [l for l in (test.get("stdout") or "").splitlines() if "skip" in l.lower()]
            print("skipped: %s: %s" % (test["name"], reason[-1].strip() if reason else "no reason given"))
        else:
            failed += 1
            print("failed: %s (%s)" % (test["name"], test["result"]))
print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
sys.exit(1 if failed or not passed else 0)
E2
