#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds a fuzz target with clang's libFuzzer in build-fuzz/ and runs it; see docs/fuzzing.md.
# usage: fuzz.sh TARGET [SECONDS [libFuzzer options...]]
set -eu

target=${1:?"usage: fuzz.sh TARGET [SECONDS [libFuzzer options...]]; targets: ahci decode emulate api boot initrd device state option irqchip qcow2 share vsock virtio-DEVICE-split virtio-DEVICE-packed"}
seconds=${2:-600}
[ $# -gt 2 ] && shift 2 || shift $#
cd "$(dirname "$0")/.."
build=${FUZZ_BUILD:-$PWD/build-fuzz}

if [ ! -f "$build/build.ninja" ]; then
	echo "==> Configuring $build" >&2
	# -Db_lundef=false: the sanitizers' run-time library is linked into programs only.
	CC=clang meson setup -Dfuzz=true -Db_lundef=false "$build" </dev/null >&2
fi
ninja -C "$build" "tests/fuzz/fuzz-$target" </dev/null >&2

corpus=$build/corpus/$target
found=$build/found/$target
mkdir -p "$corpus" "$found"
export TRIVET_FUZZ_SEEDS="$corpus"
# The machine's objects hang on mappings that the leak checker does not search.
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
# A copy, so that a build does not pull the program away under a run.
program=$found/program.$$
cp "$build/tests/fuzz/fuzz-$target" "$program"
trap 'rm -f "$program"' EXIT
"$program" -artifact_prefix="$found/" -max_total_time="$seconds" -timeout=20 -max_len=2048 -len_control=20 \
	-rss_limit_mb=2500 -print_final_stats=1 "$@" "$corpus"
