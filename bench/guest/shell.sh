#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# As configure scripts do: subshells, command substitution, pipelines and short programs.
# usage: shell.sh TURNS
turns=$1
i=0
sum=0
while [ $i -lt "$turns" ]; do
	i=$((i + 1))
	word=$(echo "turn $i of $turns" | sed 's/turn \([0-9]*\) .*/\1/')
	(
		[ "$word" = $i ] || echo "subshell: $word is not $i"
		exit $((i % 5))
	)
	sum=$((sum + $?))
	case $(basename "/usr/lib/x$i.so" .so) in
	x$i) ;;
	*) echo "basename is wrong" ;;
	esac
	if true && expr "$i" : '[0-9]*$' >number && [ -s number ]; then
		sum=$((sum + $(cat number)))
	fi
	echo "$i" | tr 0-9 a-j | cut -c 1 >>letters
done
echo "$sum"
sort letters | uniq -c
