#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# User stacks without frame pointers: frame by frame those that elfutils' unwinder finds in the stopped process, of
# programs built here and of the distribution's own; nearly all complete under load; wrong rows show.
. "$(dirname "$0")/lib.sh"
. tests/integration/places.sh

build_places() {
	local flags="-O2 -fomit-frame-pointer"
	gcc $flags -fPIE -pie -pthread -o "$work/places" tests/unwind/places.c -ldl &&
		gcc $flags -static -pthread -o "$work/places-static" tests/unwind/places.c 2>/dev/null &&
		gcc $flags -shared -fPIC -o "$work/library.so" tests/unwind/library.c &&
		clang $flags -o "$work/places-clang" tests/unwind/places.c -pthread -ldl &&
		g++ $flags -o "$work/places-cxx" tests/unwind/places.cc
}
check "programs without frame pointers are built" build_places

for c in recursion callback thread handler other-stack odd-frames; do start "$c" 1 "$work/places" "$c"; done
start library 1 "$work/places" library "$work/library.so"
start static 1 "$work/places-static" thread
start clang 1 "$work/places-clang" odd-frames
start c++ 1 "$work/places-cxx"
start bash 8 bash -c 'f() { if [ $1 -gt 0 ]; then f $(($1 - 1)); else echo ready; while :; do :; done; fi; }; f 12'
start python 1 python3 -c '
def f(n):
    if n: return f(n - 1)
    print("ready", flush=True)
    while True: pass
sorted([1, 2], key=lambda x: f(10))'
start perl 3 perl -e 'sub f { my $n = shift; if ($n) { f($n - 1) } else { $| = 1; print "ready\n"; 1 while 1 } } f(9); sleep 1'
check "all are where they stay" until_true 20 all_there
until_true 3 false # alarm() of other-stack is over
check "their rows are built" until_true 60 rows_are_built -F 499
check "they are recorded" record_all "$work/places.seg" 4 -F 499
judge_all "$work/places.seg"
stop_all

# Its rows lead to a word that is no return address.
start wrong 1 "$work/places" misdescribed
until_true 10 all_there
wrong_row_shows() {
	"$PROFILER" record --unwind dwarf --symbol-cache "$work/cache" -F 999 -d 2 -p "${staying[0]}" -o "$work/wrong.seg" &&
		"$PROFILER" cat --collector unwind -o json "$work/wrong.seg" | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
mine = [r for r in rows if str(r.get("binary", "")).endswith("/places")]
print(mine)
sys.exit(0 if mine and mine[0]["confidence"] < 60 else 1)'
}
check "a wrong row lowers the confidence of its binary" wrong_row_shows
unwind_shows_it() {
	"$PROFILER" unwind --observed "$work/wrong.seg" --binary "$work/places" --json | python3 -c '
import json, sys
(f,) = json.load(sys.stdin)["files"]
print(f["rows"], f["observed"])
sys.exit(0 if f["rows"] > 0 and f["observed"]["checked"] >= 1 and f["observed"]["confidence_percent"] < 60 else 1)' &&
		"$PROFILER" unwind --observed "$work/wrong.seg" | grep -E ' [0-9]{1,2}[.][0-9]+% +[0-9]+  eh_frame +.*/places$'
}
check "unwind shows it, beside its rows" unwind_shows_it
mv "$work/places" "$work/gone"
gone_is_told() { "$PROFILER" unwind --observed "$work/wrong.seg" | grep 'places (No such file'; }
check "and that a binary is gone" gone_is_told
stop_all

# What is checked is what was sampled, though another program lies there when it is.
chain() {
	local flags="-O2 -fno-pie -no-pie -static -fomit-frame-pointer -fno-optimize-sibling-calls"
	gcc $flags -o "$work/chain-a" tests/unwind/chain.c 2>/dev/null && gcc $flags -DPAD -o "$work/chain-b" tests/unwind/chain.c &&
		"$PROFILER" record --unwind dwarf --symbol-cache "$work/cache" -F 999 -o "$work/chain.seg" -- \
			"$work/chain-a" 40 "$work/chain-b"
}
check "programs that execute each other at the same addresses are recorded" chain
no_row_is_blamed() {
	"$PROFILER" cat --collector unwind_binaries -o json "$work/chain.seg" | python3 -c '
import json, sys
rows = [r for r in map(json.loads, sys.stdin) if "/chain-" in r["binary"]]
print(rows)
sys.exit(0 if sum(r["checked"] for r in rows) >= 10 and all(r["checked"] == r["right"] for r in rows) else 1)'
}
check "and no row of theirs is blamed for the other's code" no_row_is_blamed

# What sleeps is not sampled, and ready when it is.
start sleeper 1 "$work/places-clang" callback
until_true 10 all_there
kill -STOP "${staying[0]}"
sleeper=$(readelf -n "$work/places-clang" | sed -n 's/.*Build ID: //p')
rows_are_ahead() {
	"$PROFILER" record --unwind dwarf --symbol-cache "$work/ahead" -d 1 -o "$work/ahead.seg" 2>/dev/null
	[ -n "$sleeper" ] && [ -f "$work/ahead/$sleeper.rows" ]
}
check "rows of what already runs are built before it is sampled" until_true 10 rows_are_ahead
not_sampled() { ! "$PROFILER" report --by process "$work/ahead.seg" | grep " places-clang ("; }
check "which it was not" not_sampled
stop_all

# A compiler, an interpreter, and a storm of short processes.
seq 500 | sed 's/.*/int f&(int a, int b) { int r = 0; for (int i = a; i < b; i++) r += i * a ^ (r >> 3); return r + &; }/' \
	>"$work/big.c"
# Not a script that looks for the real one.
python=$(python3 -c 'import sys; print(sys.executable)')
# Once before: reading a compiler's .eh_frame takes longer than it is given below.
warm_up() {
	"$PROFILER" record --unwind dwarf --symbol-cache "$work/cache" -o "$work/warm.seg" -- \
		sh -c "gcc -O2 -c -o /dev/null '$work/big.c'; '$python' -c 'import json'"
}
check "rows of a compiler and an interpreter are cached" warm_up
load() {
	"$PROFILER" record --unwind dwarf --symbol-cache "$work/cache" -F 999 -o "$work/load.seg" -- bash -c "
		gcc -O2 -c -o /dev/null '$work/big.c' &
		'$python' -c 'import json
for i in range(15): json.loads(json.dumps([[{str(k): [k] * 5} for k in range(2000)]]))' &
		for i in {1..60}; do /bin/true | grep -c x; done >/dev/null; wait"
}
check "a compiler, an interpreter and short processes are recorded" load
check "99.5 % of their stacks are complete, once a process runs for 50 ms" python3 $truth share "$work/load.seg"
report_says_so() { "$PROFILER" report "$work/load.seg" | grep -E '^Stacks +user [0-9.]+ % complete'; }
check "report says what became of user stacks" report_says_so
# Small pages, so that there is something to be done; the whole host, for events of a task end before it.
cat >"$work/exits.py" <<'PY'
import mmap, os
m = mmap.mmap(-1, 64 << 20)
m.madvise(mmap.MADV_NOHUGEPAGE)
m[:: 4096] = b"x" * (len(m) // 4096)
os._exit(0)
PY
exits_without_user_stack() {
	"$PROFILER" record --unwind dwarf --symbol-cache "$work/cache" -F 1999 -a -o "$work/exits.seg" -- \
		bash -c "for i in {1..10}; do '$python' -S '$work/exits.py'; done" &&
		"$PROFILER" export --format folded -o "$work/exits.folded" "$work/exits.seg" &&
		grep -q ';exit_mmap' "$work/exits.folded" && ! grep -E ';_exit;.*;exit_mmap' "$work/exits.folded"
}
check "a process that gives its memory back has no user stack any more" exits_without_user_stack

equally_deep() {
	"$PROFILER" record --unwind dwarf --symbol-cache "$work/cache" -F 999 -o "$work/cc1.seg" -- gcc -O2 -c -o /dev/null "$work/big.c" &&
		perf record -q -m 512 -e cpu-clock -F 199 --call-graph dwarf,65528 -o "$work/perf.data" -- \
			gcc -O2 -c -o /dev/null "$work/big.c" >/dev/null 2>&1 &&
		perf script --no-inline -i "$work/perf.data" -F comm,ip,sym 2>/dev/null >"$work/perf.txt" &&
		python3 $truth depths "$work/cc1.seg" "$work/perf.txt" cc1
}
check "they are as deep as those of perf record --call-graph dwarf" equally_deep

finish
