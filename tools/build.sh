#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Configures (once) and builds. Without what the tests need, they are left out until it is there.
# usage: build.sh DIRECTORY all|TARGET [OPTION OF MESON SETUP...]
set -eu

build=$1
target=$2
shift 2

configure()
{
	echo "==> Configuring $build" >&2
	meson setup "$@" </dev/null >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
	rm -f "$build.log"
}

if [ ! -f "$build/build.ninja" ]; then
	configure "$@" "$build"
elif [ "$target" = all ] && [ "$(cat "$build/meson-info/intro-tests.json")" = "[]" ] && pkg-config --exists cmocka; then
	configure --reconfigure "$@" "$build"
fi
# Progress on stderr, and only when there is something to do.
ninja -C "$build" "$target" </dev/null >&2
