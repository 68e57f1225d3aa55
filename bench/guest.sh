#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the guest that measures, of the host's own Debian packages: the tree CACHE/bench-root, in
# which the same files run natively, and CACHE/bench-initramfs.cpio. Not compressed: unpacking would
# take an emulator longer than the measuring.
# usage: guest.sh CACHE [BUILD]
set -eu

cache=$1
build=${2:-build}
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/.." && pwd)
[ -x "$build/bench/micro" ] || { echo "guest.sh: no $build/bench/micro; build the project first, or give its build directory" >&2; exit 2; }
mkdir -p "$cache"
root="$cache/bench-root"
image="$cache/bench-initramfs.cpio"

newest=$(ls -t "$here/guest.sh" "$here"/guest/* "$build/bench/micro" "$build/bench/timed" | head -n 1)
[ "$image" -nt "$newest" ] && [ -d "$root" ] && exit 0
echo "==> Making the guest for measurements" >&2

# A program or library and the libraries it needs, each where the host has it.
copy()
{
	for file in "$@"; do
		[ -e "$file" ] || { echo "guest.sh: $file is missing; tools/setup.sh bench installs it" >&2; exit 1; }
		mkdir -p "$new$(dirname "$file")"
		cp -L "$file" "$new$file"
		ldd "$file" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
			mkdir -p "$new$(dirname "$library")"
			[ -e "$new$library" ] || cp -L "$library" "$new$library"
		done
	done
}

new="$root.new"
rm -rf "$new"
mkdir -p "$new/usr/bin" "$new/usr/lib" "$new/usr/lib64" "$new/bench/data" "$new/dev" "$new/proc" "$new/sys" "$new/tmp"
for folder in bin lib lib64; do
	ln -s "usr/$folder" "$new/$folder"
done

# Small tools are busybox's. What is measured is Debian's own.
cp /bin/busybox "$new/usr/bin/busybox"
for applet in awk basename cat cmp cut expr grep head ls mkdir mount poweroff rm sed sha256sum sort \
	tail touch tr true uniq wc; do
	ln -s busybox "$new/usr/bin/$applet"
done
copy /usr/bin/dash /usr/bin/zstd /usr/bin/xz /usr/bin/gzip /usr/bin/sqlite3 /usr/bin/openssl /usr/bin/stress-ng
ln -s dash "$new/usr/bin/sh"
copy /usr/lib/p7zip/7z /usr/lib/p7zip/7z.so
printf '#!/bin/sh\nexec /usr/lib/p7zip/7z "$@"\n' >"$new/usr/bin/7z"
cc1=$(gcc -print-prog-name=cc1)
copy "$cc1"
ln -s "$cc1" "$new/usr/bin/cc1"
[ -e /usr/lib/ssl/openssl.cnf ] && mkdir -p "$new/usr/lib/ssl" && : >"$new/usr/lib/ssl/openssl.cnf"

# Python with the modules it cannot start without, compiled: there is no time to be measured in that.
python=$(readlink -f /usr/bin/python3)
copy "$python"
ln -s "$(basename "$python")" "$new/usr/bin/python3"
modules="/usr/lib/$(basename "$python")"
dpkg -L "lib$(basename "$python")-minimal" | grep "^$modules/.*\.py$" | while read -r file; do
	mkdir -p "$new$(dirname "$file")"
	cp "$file" "$new$file"
done
"$python" -m compileall -q --invalidation-mode unchecked-hash "$new$modules"

cp "$here/guest/init" "$new/init"
cp "$here/guest/rows.sh" "$build/bench/micro" "$build/bench/timed" "$new/bench/"
strip "$new/bench/micro" "$new/bench/timed"
chmod 755 "$new/init" "$new/bench/rows.sh" "$new/usr/bin/7z"
cp "$here"/guest/*.py "$here/guest/shell.sh" "$here/guest/select.sql" "$new/bench/data/"

# What is compiled: this project's larger files, preprocessed.
for file in decode/decode decode/print emulate/string emulate/xsave emulate/vector emulate/task \
	x86/cpuid_supported; do
	[ -f "$project/core/$file.c" ] || continue
	gcc -E -P -std=gnu11 -ffreestanding -fbuiltin -I"$project" -include "$project/core/host.h" \
		"$project/core/$file.c" -o "$new/bench/data/$(basename "$file").i"
done
# What is packed: machine code, data and text.
{ head -c 6000000 "$cc1"; cat "$new$modules"/*.py "$new/bench/data"/*.i; } >"$new/bench/data/corpus"

# What is decrypted and signed.
head -c 100000 "$new/bench/data/corpus" >"$new/bench/data/plain"
openssl cms -encrypt -binary -outform DER -in "$new/bench/data/plain" -aes-128-gcm \
	-secretkey 00112233445566778899aabbccddeeff -secretkeyid 01 -out "$new/bench/data/gcm.cms"
openssl genrsa -out "$new/bench/data/rsa.pem" 2048 2>/dev/null

(cd "$new" && find . | sort | cpio --quiet -o -H newc -R 0:0) >"$image.new"
rm -rf "$root"
mv "$new" "$root"
mv "$image.new" "$image"
