#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One recording in every format: the same samples, stacks and names as in the report, read by other programs.
. "$(dirname "$0")/lib.sh"

exporter() { python3 tests/integration/compare_exports.py "$@"; }

record_shares() {
	"$PROFILER" record -e cpu-clock@999Hz,page-faults@50 -a -o "$work/shares.seg" \
		-- "$O/workloads/shares" functions 3
}
check "a recording of known shares can be made" record_shares

check "every format holds every sample of every event" exporter totals "$PROFILER" "$work/shares.seg"
check "go tool pprof counts what the report counts" \
	exporter pprof "$PROFILER" "$work/shares.seg" "$work/shares.pb.gz" cpu-clock
# What has no names when it is recorded, and has them when it is read.
record_stripped() {
	strip -o "$work/stripped" "$O/workloads/shares" &&
		"$PROFILER" record -e cpu-clock@999Hz -o "$work/stripped.seg" -- "$work/stripped" functions 1 &&
		"$PROFILER" report "$work/stripped.seg" | grep -F '[stripped+0x' &&
		cp "$O/workloads/shares" "$work/stripped"
}
check "a program without names is recorded" record_stripped
check "go tool pprof finds it no names of its own" \
	exporter pprof "$PROFILER" "$work/stripped.seg" "$work/stripped.pb.gz" cpu-clock
check "perf script and perf report show the same samples, stacks and modules" \
	exporter perf "$PROFILER" "$work/shares.seg" "$work/perf.data"

mkdir "$work/names"
record_names() {
	"$PROFILER" record -e cpu-clock@999Hz,page-faults@10 -o "$work/names.seg" \
		-- "$O/workloads/names" "$work/names" 0.1
}
check "hostile names can be recorded" record_names
check "hostile names leave as text, in every text format" exporter text "$PROFILER" "$work/names.seg"
check "hostile names reach pprof as text" \
	exporter pprof "$PROFILER" "$work/names.seg" "$work/names.pb.gz" cpu-clock
check "hostile names reach perf as text" exporter perf "$PROFILER" "$work/names.seg" "$work/names.data"

# expect CODE SENTENCE COMMAND...: the exit code, and words of the message.
expect() {
	local want=$1 sentence=$2 code
	shift 2
	"$@" >"$work/out" 2>"$work/err"
	code=$?
	[ "$code" -eq "$want" ] || { echo "exit code $code, not $want" && return 1; }
	grep -qF -- "$sentence" "$work/err" || { cat "$work/err" && return 1; }
}

check "a format nobody knows is refused with those that exist" \
	expect 2 "folded, pprof, perf.data" "$PROFILER" export -f svg "$work/shares.seg"
check "no format is a question" expect 2 "which format" "$PROFILER" export "$work/shares.seg"
check "binary does not go to a terminal" \
	bash -c 'script -qec "$0 export -f pprof $1" /dev/null </dev/null | grep -q "is a terminal"' \
	"$PROFILER" "$work/shares.seg"
check "a directory is not overwritten" \
	expect 1 "is a directory" "$PROFILER" export -f pprof -o "$work/names" "$work/shares.seg"
check "a missing file has its sentence" expect 7 "" "$PROFILER" export -f json "$work/missing.seg"
check "a window without samples has its sentence" \
	expect 7 "" "$PROFILER" export -f perf.data -o "$work/none.data" --until=@1 "$work/shares.seg"
check "what failed leaves no file" test ! -e "$work/none.data"

pipe_equals_file() {
	"$PROFILER" export -f perf.data "$work/shares.seg" | cmp - "$work/perf.data"
}
check "perf.data through a pipe is the same file" pipe_equals_file

finish
