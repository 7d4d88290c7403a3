#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every command alike: its help, its exit code for wrong options, its output on a full disk.
. "$(dirname "$0")/lib.sh"

commands=$("$PROFILER" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')

helps() {
	"$PROFILER" "$1" --help >"$work/help" && grep -q "^Usage: ebpf-profiler $1" "$work/help" &&
		grep -q '^Exit code' "$work/help" && awk 'length > 100 { exit 1 }' "$work/help"
}

refuses() {
	"$PROFILER" "$1" --no-such-option 2>"$work/err" >"$work/out"
	[ $? -eq 2 ] && [ ! -s "$work/out" ] && grep -q "ebpf-profiler $1: .*no-such-option" "$work/err"
}

full_disk() {
	"$PROFILER" "$1" --help 2>"$work/err" >/dev/full
	[ $? -eq 1 ] && grep -q 'No space left' "$work/err"
}

check "the help lists commands" [ "$(echo "$commands" | wc -l)" -ge 9 ]
for c in $commands; do
	check "$c --help: usage, exit codes, no line over 100 columns" helps "$c"
	check "$c: an unknown option is exit code 2, with the command's name" refuses "$c"
	check "$c: a full disk behind stdout is no success" full_disk "$c"
done

# A file's name in a message: no control character but the newlines between messages, all of it UTF-8.
names_as_text() {
	! "$PROFILER" "$@" "$work"/$'no\e[31m\n\xff\u202e' >"$work/out" 2>"$work/err" && [ ! -s "$work/out" ] &&
		grep -q 'x1b' "$work/err" && [ "$(wc -l <"$work/err")" -eq 1 ] && iconv -f utf-8 -t utf-8 "$work/err" &&
		! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$work/err"
}
for c in report flame 'export -f json' 'export -f perf.data' timeline; do
	check "$c: the name of a file that is not there is printed as text" names_as_text $c
done

# Without stderr, what is said must not end up in the file.
closed_files() {
	"$PROFILER" record -F 999 -d 1 -o "$work/closed.seg" 0<&- 1>&- 2>&-
	"$PROFILER" verify "$work/closed.seg" && ! grep -aq Sampling "$work/closed.seg"
}
check "closed standard files are not mixed up with opened ones" closed_files

finish
