#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages that the named purposes need, if any is missing. Silent otherwise.
set -eu

run_packages="gcc libc6-dev linux-libc-dev meson ninja-build pkg-config busybox-static cpio gzip xz-utils liburing-dev libdeflate-dev liblz4-dev liblzma-dev zlib1g-dev libzstd-dev libslirp-dev mmdebstrap uidmap e2fsprogs"
check_packages="libcmocka-dev acpica-tools dmidecode qemu-system-x86 qemu-utils binutils python3 expect fio iperf3 iproute2 util-linux libcap2-bin clang libclang-rt-14-dev clang-format seabios ovmf grub-common grub-pc-bin grub-efi-amd64-bin mtools fdisk xorriso"
bench_packages="zstd gzip xz-utils p7zip-full sqlite3 python3 openssl stress-ng qemu-system-x86"

packages=""
for purpose in "$@"; do
	case "$purpose" in
	run) packages="$packages $run_packages" ;;
	check) packages="$packages $check_packages" ;;
	bench) packages="$packages $bench_packages" ;;
	*) echo "setup.sh: unknown purpose \"$purpose\"; give run, check or bench" >&2; exit 2 ;;
	esac
done

missing=""
for package in $packages; do
	status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
	case "$status" in
	ii*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "setup.sh: these packages are missing, install them as root:$missing" >&2
		exit 1
	}
	as_root="sudo"
fi
echo "==> Installing packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -q update </dev/null >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing </dev/null >&2
