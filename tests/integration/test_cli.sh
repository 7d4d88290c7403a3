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

# Without stderr, what is said must not end up in the file.
closed_files() {
	"$PROFILER" record -F 999 -d 1 -o "$work/closed.seg" 0<&- 1>&- 2>&-
	"$PROFILER" verify "$work/closed.seg" && ! grep -aq Sampling "$work/closed.seg"
}
check "closed standard files are not mixed up with opened ones" closed_files

finish
