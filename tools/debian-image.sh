#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a Debian 12 system of Debian's own packages, which logs root in on the first serial port:
#   root  CACHE/debian-12.qcow2, an ext4 file system on a whole disk, for direct kernel boot with
#         CACHE/debian-12.vmlinuz and CACHE/debian-12.initrd
#   disk  CACHE/debian-12-disk.qcow2, the same file system in a GPT with GRUB for BIOS and for UEFI
# What is there and newer than this script and tools/debian-image/ is kept. As root, or as a user who
# has a range in /etc/subuid. Debian's mirror is the one of the host's apt.
#
# The kernel's command line is to have "console=ttyS0 console=tty0": the kernel writes to both, and
# /dev/console, which systemd opens, flushes and closes again and again, is the last. So the first
# that opens the serial port is the shell's login, and input that waits outside is not lost.
# usage: debian-image.sh CACHE TRIVET root|disk...
set -eu

cache=$1
trivet=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
work=""
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
export SOURCE_DATE_EPOCH=1700000000

PATH=$PATH:/usr/sbin:/sbin
suite=bookworm
label=trivet-root
size=2G
packages=usr-is-merged,systemd-sysv,dbus,udev,kmod,ifupdown,udhcpc,iproute2,netbase,e2fsprogs,linux-image-cloud-amd64,initramfs-tools

newest=$(find "$here/debian-image.sh" "$here/debian-image" -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)

# What is in the cache and not older than what it is made of.
is_fresh()
{
	for file in "$@"; do
		[ "$cache/$file" -nt "$newest" ] || return 1
	done
}

# The folder in which the root of mmdebstrap's user name space, too, may write to some files.
make_work()
{
	[ -n "$work" ] && return
	work=$(mktemp -d)
	chmod 755 "$work"
}

# Debian's sources as the host's apt has them.
list_sources()
{
	apt-get indextargets --format '$(CODENAME) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
		sed -n "s/^$suite[^ ]* //p" | sort -u >"$work/sources"
	grep -q " $suite main\$" "$work/sources" || cat >"$work/sources" <<-EOF
		deb http://deb.debian.org/debian $suite main
		deb http://deb.debian.org/debian-security $suite-security main
	EOF
}

# In mmdebstrap's name space, with the new system's folder: what is no package's, and the results.
# Runs in a shell of its own, hence one text; "$1" is the folder.
finish_system='set -eu
cd /
chroot "$1" passwd -q -d root
chroot "$1" systemctl -q enable serial-getty@ttyS0
chroot "$1" systemctl -q disable apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap
# The generator opens the serial port to see if it is one.
mkdir -p "$1/etc/systemd/system-generators"
ln -s /dev/null "$1/etc/systemd/system-generators/systemd-getty-generator"
# mmdebstrap has put that of the host there.
: >"$1/etc/resolv.conf"
sed -i /Proxy/d "$1/etc/apt/apt.conf.d/99mmdebstrap"
rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/*.deb "$1"/var/log/*.log \
	"$1"/var/log/apt "$1"/var/cache/debconf/*-old "$1"/run/* "$1/etc/apt/apt.conf.d/00mmdebstrap"
# But for the configuration with which mmdebstrap has apt work here and not on the host.
find "$1/tmp" -mindepth 1 ! -name "mmdebstrap.apt.conf.*" -delete
: >"$1/etc/machine-id"
cat "$1/vmlinuz" >"$WORK/vmlinuz"
cat "$1/initrd.img" >"$WORK/initrd"
# Without what is mounted on it. Where nothing can be mounted, nothing is.
mkdir "$1.bare"
mount --bind "$1" "$1.bare" 2>/dev/null && bare="$1.bare" || bare=$1
mke2fs -q -t ext4 -b 4096 -N 131072 -m 1 -L "$LABEL" -U "$FS_UUID" -d "$bare" \
	-O ^metadata_csum_seed,^orphan_file -E "hash_seed=$FS_UUID,root_owner=0:0,assume_storage_prezeroed=1" \
	"$WORK/root.raw" "$SIZE"
[ "$bare" = "$1" ] || umount "$bare"
rmdir "$1.bare"'

make_system()
{
	echo "==> Making a Debian 12 system (once)" >&2
	make_work
	list_sources
	apt-config dump | grep -E '^Acquire::(https?::|Check-)' >"$work/apt.conf" || true
	tar -C "$here/debian-image" -cf "$work/files.tar" --owner=0 --group=0 --mode=u=rwX,go=rX .
	: >"$work/vmlinuz"
	: >"$work/initrd"
	: >"$work/root.raw"
	chmod 666 "$work/vmlinuz" "$work/initrd" "$work/root.raw"
	WORK=$work LABEL=$label SIZE=$size FS_UUID=7b0a5d3e-6c1f-4b1e-9d2a-3f4c5e6d7a81 \
		mmdebstrap --variant=minbase --format=null --skip=cleanup --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include="$packages" \
		--aptopt="$work/apt.conf" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--essential-hook="tar-in $work/files.tar /" --customize-hook="$finish_system" \
		"$suite" /dev/null "$work/sources" </dev/null >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; echo "debian-image.sh: mmdebstrap failed" >&2; exit 1; }
}

# The file system as it is in the cache, or a new one.
need_system()
{
	[ -n "$work" ] && [ -s "$work/root.raw" ] && return
	if is_fresh debian-12.qcow2 debian-12.vmlinuz debian-12.initrd; then
		make_work
		"$trivet" image convert -O raw "$cache/debian-12.qcow2" "$work/root.raw"
	else
		make_system
		keep_image "$work/root.raw" debian-12.qcow2
		chmod 644 "$work/vmlinuz" "$work/initrd"
		mv "$work/vmlinuz" "$cache/debian-12.vmlinuz"
		mv "$work/initrd" "$cache/debian-12.initrd"
	fi
}

# Into the cache, under its name when it is whole.
keep_image()
{
	"$trivet" image convert -O qcow2 "$1" "$cache/$2.new"
	mv "$cache/$2.new" "$cache/$2"
}

# A number as little-endian bytes at an offset of a file.
patch_number()
{
	file=$1 offset=$2 bytes=$3 number=$4
	while [ "$bytes" -gt 0 ]; do
		printf "\\$(printf %03o $((number & 255)))"
		number=$((number >> 8)) bytes=$((bytes - 1))
	done | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

grub_image()
{
	format=$1 output=$2
	shift 2
	cat >"$work/early.cfg" <<-EOF
		search.fs_label $label root
		set prefix=(\$root)/boot/grub
	EOF
	grub-mkimage -O "$format" -o "$output" -p /boot/grub -c "$work/early.cfg" "$@" part_gpt ext2 \
		search_label normal configfile linux serial terminal echo test ls cat minicmd reboot halt
}

# The boot sector finds core.img, whose first sector finds the rest (what grub-bios-setup writes).
write_bios_loader()
{
	disk=$1 start=$2
	grub_image i386-pc "$work/core.img" biosdisk
	sectors=$((($(stat -c %s "$work/core.img") + 511) / 512))
	patch_number "$work/core.img" 500 8 $((start + 1))
	patch_number "$work/core.img" 508 2 $((sectors - 1))
	cp /usr/lib/grub/i386-pc/boot.img "$work/boot.img"
	patch_number "$work/boot.img" 92 8 "$start"
	dd if="$work/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
	dd if="$work/core.img" of="$disk" bs=512 seek="$start" conv=notrunc status=none
}

write_efi_partition()
{
	disk=$1 start=$2 sectors=$3
	grub_image x86_64-efi "$work/grub.efi"
	truncate -s $((sectors * 512)) "$work/esp"
	mformat -i "$work/esp" -N 54525645 -v EFI ::
	mmd -i "$work/esp" ::/EFI ::/EFI/BOOT
	mcopy -i "$work/esp" "$work/grub.efi" ::/EFI/BOOT/BOOTX64.EFI
	dd if="$work/esp" of="$disk" bs=1M seek=$((start / 2048)) conv=notrunc,sparse status=none
}

# Partitions begin at multiples of 1 MiB (2048 sectors).
make_disk()
{
	need_system
	echo "==> Making a partitioned disk" >&2
	disk="$work/disk.raw"
	root_start=69632
	root_sectors=$(($(stat -c %s "$work/root.raw") / 512))
	truncate -s $(((root_start + root_sectors + 2048) * 512)) "$disk"
	sfdisk -q "$disk" <<-EOF
		label: gpt
		label-id: 0b9f2c1d-52f1-4e0c-8a63-1d7e4c9b5a20
		start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=1b9f2c1d-52f1-4e0c-8a63-1d7e4c9b5a21
		start=4096, size=65536, type=uefi, uuid=2b9f2c1d-52f1-4e0c-8a63-1d7e4c9b5a22
		start=$root_start, size=$root_sectors, type=linux, uuid=3b9f2c1d-52f1-4e0c-8a63-1d7e4c9b5a23
	EOF
	write_bios_loader "$disk" 2048
	write_efi_partition "$disk" 4096 65536
	dd if="$work/root.raw" of="$disk" bs=1M seek=$((root_start / 2048)) conv=notrunc,sparse status=none
	keep_image "$disk" debian-12-disk.qcow2
	rm "$disk"
}

for what in "$@"; do
	case "$what" in
	root) is_fresh debian-12.qcow2 debian-12.vmlinuz debian-12.initrd || need_system ;;
	disk) is_fresh debian-12-disk.qcow2 || make_disk ;;
	*) echo "debian-image.sh: \"$what\": give root or disk" >&2; exit 2 ;;
	esac
done
