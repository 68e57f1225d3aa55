#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Configures (once) and builds into the directory given; further arguments go to meson setup.
set -eu

build=$1
shift
if [ ! -f "$build/build.ninja" ]; then
	echo "==> Configuring $build" >&2
	meson setup "$@" "$build" </dev/null >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
	rm -f "$build.log"
fi
# Progress on stderr, and only when there is something to do.
ninja -C "$build" </dev/null >&2
