#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Puts Debian's network installer on a CD image, CACHE/debian-installer.iso, with GRUB for BIOS and UEFI
# and a serial console. The installer is a package of 133 MB, fetched once.
# usage: installer.sh CACHE
set -eu

cache=$1
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
iso=$cache/debian-installer.iso
[ "$iso" -nt "$0" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
package=debian-installer-12-netboot-amd64

echo "==> Fetching Debian's installer" >&2
chmod 755 "$work"
(cd "$work" && apt-get -q download -o APT::Sandbox::User=root "$package" </dev/null >&2)
mkdir -p "$work/tree/boot/grub"
dpkg-deb --fsys-tarfile "$work/$package"_*.deb |
	tar -x -C "$work/tree" --strip-components=10 --wildcards '*/text/debian-installer/amd64/linux' \
		'*/text/debian-installer/amd64/initrd.gz'
cat >"$work/tree/boot/grub/grub.cfg" <<-EOF
	serial --unit=0
	terminal_input serial
	terminal_output serial
	linux /linux console=ttyS0 ---
	initrd /initrd.gz
	boot
EOF
grub-mkrescue -o "$work/iso" "$work/tree" >/dev/null 2>&1
mv "$work/iso" "$iso"
