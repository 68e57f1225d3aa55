#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Puts Debian's stock kernels (vmlinuz-FLAVOUR), a small initramfs, and for each kernel an archive of
# modules that can be appended to the initramfs (modules-FLAVOUR.cpio.gz, and modules-ata-amd64.cpio.gz) into
# the cache directory.
# usage: guest.sh CACHE FLAVOUR...      FLAVOUR: amd64, cloud-amd64, rt-amd64
set -eu

cache=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"

# What the drivers of Trivet's devices need, below kernel/. Those of SATA are
# many, and the cloud kernel has none: an archive of their own.
modules="drivers/virtio drivers/block/virtio_blk.ko drivers/char/virtio_console.ko
	drivers/char/hw_random/virtio-rng.ko drivers/net/virtio_net.ko drivers/net/net_failover.ko
	net/core/failover.ko net/vmw_vsock net/9p fs/9p fs/netfs fs/fscache"
ata_modules="drivers/ata/ahci.ko drivers/ata/libahci.ko drivers/ata/libata.ko drivers/scsi/scsi_common.ko
	drivers/scsi/scsi_mod.ko drivers/scsi/sd_mod.ko drivers/scsi/sr_mod.ko drivers/cdrom fs/isofs
	block/t10-pi.ko lib/crc-t10dif.ko crypto/crct10dif_common.ko crypto/crct10dif_generic.ko lib/crc64.ko lib/crc64-rocksoft.ko
	crypto/crc64_rocksoft_generic.ko"

# pack_modules NAME MODULE...: what modprobe needs too; modules that the kernel has not are left out.
pack_modules()
{
	name=$1
	shift
	from=$(echo "$work"/lib/modules/*)
	to="$work/modules/lib/modules/${from##*/}"
	for module in "$@"; do
		[ -e "$from/kernel/$module" ] || continue
		mkdir -p "$to/kernel/${module%/*}"
		cp -r "$from/kernel/$module" "$to/kernel/${module%/*}/"
	done
	busybox depmod -b "$work/modules/" "${from##*/}"
	(cd "$work/modules" && find . | sort | cpio --quiet -o -H newc -R 0:0) | gzip -n -9 >"$cache/$name.cpio.gz.new"
	mv "$cache/$name.cpio.gz.new" "$cache/$name.cpio.gz"
	rm -rf "$work/modules"
}

fetch_kernel()
{
	flavour=$1
	[ -f "$cache/vmlinuz-$flavour" ] && [ -f "$cache/modules-$flavour.cpio.gz" ] &&
		{ [ "$flavour" != amd64 ] || [ -f "$cache/modules-ata-amd64.cpio.gz" ]; } && return
	echo "==> Fetching Debian's linux-image-$flavour" >&2
	package=$(apt-cache depends "linux-image-$flavour" 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }')
	if [ -z "$package" ]; then
		$as_root apt-get -q update </dev/null >&2
		package=$(apt-cache depends "linux-image-$flavour" | awk '/Depends: linux-image-/ { print $2; exit }')
	fi
	[ -n "$package" ] || { echo "guest.sh: no package linux-image-$flavour; give amd64, cloud-amd64 or rt-amd64" >&2; exit 2; }
	chmod 755 "$work"
	(cd "$work" && apt-get -q download -o APT::Sandbox::User=root "$package" </dev/null >&2)
	dpkg-deb --fsys-tarfile "$work/${package}"_*.deb | tar -x -C "$work" --wildcards './boot/vmlinuz-*' './lib/modules/*'
	rm -f "$work"/*.deb
	# shellcheck disable=SC2086 # words are what is wanted
	pack_modules "modules-$flavour" $modules
	# shellcheck disable=SC2086
	[ "$flavour" != amd64 ] || pack_modules modules-ata-amd64 $ata_modules
	mv "$work"/boot/vmlinuz-* "$cache/vmlinuz-$flavour.new"
	mv "$cache/vmlinuz-$flavour.new" "$cache/vmlinuz-$flavour"
	rm -rf "$work/lib" "$work/boot"
}

make_initramfs()
{
	[ "$cache/initramfs.cpio.gz" -nt "$here/guest-init" ] && [ "$cache/initramfs.cpio.gz" -nt /bin/busybox ] && return
	echo "==> Making the initramfs" >&2
	root="$work/root"
	mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/root"
	cp /bin/busybox "$root/bin/busybox"
	cp "$here/guest-init" "$root/init"
	chmod 755 "$root/init" "$root/bin/busybox"
	# --install in the guest makes the other names; the shell is needed for /init itself.
	ln -s busybox "$root/bin/sh"
	(cd "$root" && find . | sort | cpio --quiet -o -H newc -R 0:0) | gzip -n -9 >"$cache/initramfs.cpio.gz.new"
	mv "$cache/initramfs.cpio.gz.new" "$cache/initramfs.cpio.gz"
}

for flavour in "$@"; do
	fetch_kernel "$flavour"
done
make_initramfs
