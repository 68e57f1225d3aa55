#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs rows, in the guest or in a chroot: each does a fixed job, says how long that took, and checks
# what came out.
# usage: rows.sh SCALE BUDGET ROW...
#
# Says for each row "ROW: start", and then one of
#	ROW: N UNIT SECONDS [DIGEST]	the digest of what the job made is the same everywhere
#	ROW: bad WHAT			the result is wrong
#	ROW: failed WHY			the program did not do its job
# First "rows: begin CLOCK" and last "rows: end CLOCK" tell the seconds of this system's clock.
scale=$1
budget=$2
shift 2
export PATH=/bench:/usr/bin:/bin LC_ALL=C HOME=/tmp
data=/bench/data

# This times the scale, at least 1.
amount()
{
	awk "BEGIN { n = int($1 * $scale); print n < 1 ? 1 : n }"
}

# Makes a file `input` of this times the scale bytes.
make_input()
{
	size=$(amount "$1")
	have=$(wc -c <$data/corpus)
	made=0
	while [ $made -lt "$size" ]; do
		cat $data/corpus
		made=$((made + have))
	done | head -c "$size" >input
}

fail()
{
	echo "$row: failed $*"
	return 1
}

bad()
{
	echo "$row: bad $*"
	return 1
}

# Runs a command and keeps the seconds it took; its errors go into a file.
measure()
{
	timed seconds "$@" 2>errors
	status=$?
	[ $status = 0 ] || fail "status $status: $(tail -n 1 errors)"
}

# N UNIT [FILE]: the row's line.
say()
{
	digest=""
	[ -z "${3:-}" ] || digest=" $(sha256sum "$3" | head -c 16)"
	echo "$row: $1 $2 $(cat seconds)$digest"
}

same()
{
	cmp -s input output || bad "unpacked, the data is different"
}

row_zstd()
{
	make_input 40000000
	measure sh -c 'zstd -q -3 --single-thread -c input >packed && zstd -q -dc packed >output' || return
	same && say "$size" bytes packed
}

row_xz()
{
	make_input 2000000
	measure xz -6 -T1 -c input >packed || return
	xz -dc packed >output 2>errors || { bad "xz -d: $(tail -n 1 errors)"; return; }
	same && say "$size" bytes packed
}

row_gzip()
{
	make_input 14000000
	measure sh -c 'gzip -n -6 -c input >packed && gzip -dc packed >output' || return
	same && say "$size" bytes packed
}

row_7z()
{
	make_input 2200000
	rm -f packed.7z
	touch -d @1000000000 input
	# Without the filter for machine code, of which 7z makes use only now and then.
	measure 7z a -bd -mmt=1 -mf=off -mtm=off -mtr=off packed.7z input >out || return
	7z e -so packed.7z >output 2>errors || { bad "7z e: $(tail -n 1 errors)"; return; }
	same && say "$size" bytes packed.7z
}

row_sqlite3()
{
	turns=$(amount 170000)
	sed "s/@ROWS@/$turns/g" $data/select.sql >script
	measure sqlite3 -batch -init script :memory: .quit >out || return
	say "$turns" rows out
}

# NAME TURNS UNIT
run_python()
{
	turns=$(amount "$2")
	measure python3 -I -S -B "$data/$1.py" "$turns" >out || return
	[ -s out ] || { bad "it printed nothing"; return; }
	say "$turns" "$3" out
}

row_python_loop() { run_python loop 6000000 turns; }
row_python_objects() { run_python objects 500000 objects; }
row_python_nbody() { run_python nbody 160000 steps; }

row_cc1()
{
	count=$(amount "$(ls $data/*.i | wc -l)")
	ls $data/*.i | head -n "$count" >files
	measure sh -c 'while read -r file; do
		cc1 -quiet -fpreprocessed -O2 -std=gnu11 -w "$file" -o - || exit
	done <files' >out || return
	[ -s out ] || { bad "it made nothing"; return; }
	say "$(cat $(cat files) | wc -l)" lines out
}

row_shell()
{
	turns=$(amount 250)
	measure sh $data/shell.sh "$turns" >out || return
	say "$turns" turns out
}

# ALGORITHM UNIT: what `openssl speed` counts in a second.
speed()
{
	measure openssl speed -mr -elapsed -seconds 1 -bytes 16384 $1 >out 2>errors || return
	case $1 in
	rsa2048) sed -n 's/^+R1:\([0-9]*\):2048:\([0-9.]*\)$/\1 \2/p' errors out ;;
	*) sed -n 's/^+R:\([0-9]*\):.*:\([0-9.]*\)$/\1 \2/p' errors out | awk '{ print $1 * 16384, $2 }' ;;
	esac >speed
	read -r count seconds <speed || { fail "openssl speed did not tell: $(tail -n 1 out)"; return; }
	echo "$seconds" >seconds
	say "$count" "$2" result
}

row_sha256()
{
	openssl dgst -sha256 -r $data/corpus >result 2>errors
	[ "$(head -c 64 result)" = "$(sha256sum $data/corpus | head -c 64)" ] || { bad "wrong digest"; return; }
	speed "-evp sha256" bytes
}

row_aes_128_gcm()
{
	# Packed when this tree was made; wrong data has a wrong tag.
	openssl cms -decrypt -binary -inform DER -in $data/gcm.cms -secretkey 00112233445566778899aabbccddeeff \
		-out result 2>errors || { bad "openssl cms: $(tail -n 1 errors)"; return; }
	cmp -s result $data/plain || { bad "decrypted, the data is different"; return; }
	speed "-evp aes-128-gcm" bytes
}

row_chacha20()
{
	openssl enc -chacha20 -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff \
		-iv 00112233445566778899aabbccddeeff -in $data/plain -out result 2>errors ||
		{ fail "openssl enc: $(tail -n 1 errors)"; return; }
	speed "-evp chacha20" bytes
}

row_rsa2048()
{
	openssl dgst -sha256 -sign $data/rsa.pem -out result $data/plain 2>errors ||
		{ fail "openssl dgst: $(tail -n 1 errors)"; return; }
	openssl dgst -sha256 -prverify $data/rsa.pem -signature result $data/plain >out 2>&1 ||
		{ bad "the signature is wrong"; return; }
	speed rsa2048 signatures
}

# STRESSOR OPERATIONS
stress()
{
	turns=$(amount "$2")
	measure stress-ng --quiet --verify --temp-path /tmp "--$1" 1 "--$1-ops" "$turns" >out || return
	say "$turns" operations
}

row_matrix() { stress matrix 2400; }
row_fp() { stress fp 200; }

cd /tmp || exit
echo "rows: begin $(cut -d ' ' -f 1 /proc/uptime)"
for row in "$@"; do
	if micro --list | grep -q "^$row "; then
		micro --budget "$budget" "$row"
		continue
	fi
	echo "$row: start"
	function=row_$(echo "$row" | tr - _)
	if ! type "$function" >/dev/null 2>&1; then
		fail "there is no such row"
		continue
	fi
	mkdir -p "/tmp/$row" && cd "/tmp/$row" || exit
	$function
	cd /tmp && rm -rf "/tmp/$row"
done
echo "rows: end $(cut -d ' ' -f 1 /proc/uptime)"
