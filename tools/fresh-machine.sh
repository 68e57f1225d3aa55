#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Shows that a fresh Debian 12 needs no manual step: makes a chroot with nothing but make, git and
# sudo in it, clones this project into it, and runs `make run` and, unless told otherwise,
# `make check` there. Needs root and mmdebstrap.
# usage: fresh-machine.sh [run|check|all] [DIRECTORY]
set -eu

what=${1:-all}
keep=${2:-}
root=${2:-$(mktemp -d /var/tmp/trivet-fresh.XXXXXX)}
project=$(cd "$(dirname "$0")/.." && pwd)

case "$what" in run | check | all) ;; *) echo "fresh-machine.sh: \"$what\": give run, check or all" >&2; exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "fresh-machine.sh: must run as root (chroot, mounts)" >&2; exit 2; }
command -v mmdebstrap >/dev/null || { echo "fresh-machine.sh: mmdebstrap is missing; apt-get install mmdebstrap" >&2; exit 2; }

unmount()
{
	for mount in dev/pts dev proc sys; do
		umount -l "$root/$mount" 2>/dev/null || true
	done
}

finish()
{
	unmount
	[ -n "$keep" ] || rm -rf --one-file-system "$root"
}
trap 'finish' EXIT
trap 'exit 1' INT TERM

if [ ! -x "$root/bin/sh" ]; then
	echo "==> Making a Debian 12 in $root"
	# The host's own sources, so that its mirror is used.
	mmdebstrap --quiet --variant=minbase --include=make,git,sudo,ca-certificates bookworm "$root" \
		"deb http://deb.debian.org/debian bookworm main" \
		"deb http://deb.debian.org/debian-security bookworm-security main"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
[ ! -d /etc/apt/apt.conf.d ] || cp -n /etc/apt/apt.conf.d/*proxy* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
for mount in proc sys dev dev/pts; do
	mount --bind "/$mount" "$root/$mount"
done
rm -rf "$root/trivet"
git clone -q "$project" "$root/trivet"

in_root()
{
	chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" "$@"
}

if [ "$what" != check ]; then
	echo "==> make run"
	echo 'uname -a; echo reached-the-shell; poweroff -f' |
		in_root make -C /trivet run 2>&1 | tee "$root/run.log"
	grep -q '^reached-the-shell' "$root/run.log" || { echo "fresh-machine.sh: make run did not reach the shell" >&2; exit 1; }
fi
if [ "$what" != run ]; then
	echo "==> make check"
	in_root make -C /trivet check </dev/null
fi
echo "fresh-machine.sh: passed"
