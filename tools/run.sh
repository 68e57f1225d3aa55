#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Starts the Debian system of tools/debian-image.sh on this terminal or pipe.
# usage: run.sh BUILD CACHE DISK [OPTION OF TRIVET RUN...]
# DISK: a file that keeps the system, made as a copy if it is not there; "": changes are thrown away.
set -eu

trivet=$1/trivet
cache=$(cd "$2" && pwd)
disk=$3
shift 3

if [ -n "$disk" ]; then
	[ -e "$disk" ] || "$trivet" image convert -q -O qcow2 "$cache/debian-12.qcow2" "$disk" </dev/null
else
	# Nameless before the machine starts: whatever ends it, nothing is left.
	overlay=$(mktemp "$cache/run.XXXXXX")
	"$trivet" image create -q -f qcow2 -b "$cache/debian-12.qcow2" -F qcow2 "$overlay" </dev/null
	exec 9<>"$overlay"
	rm "$overlay"
	disk=/proc/self/fd/9
fi
# Two consoles: see tools/debian-image.sh.
exec "$trivet" run --kernel "$cache/debian-12.vmlinuz" --initrd "$cache/debian-12.initrd" \
	--append "root=LABEL=trivet-root ro console=ttyS0 console=tty0 quiet" \
	--disk "$(echo "$disk" | sed 's/,/,,/g'),format=qcow2" --net user "$@"
