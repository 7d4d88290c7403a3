#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Wherever programs of the distribution are stopped, their stacks off the CPU are those that elfutils' unwinder finds in the
# stopped process, frame by frame from the innermost to the outermost.
. "$(dirname "$0")/lib.sh"
. tests/integration/places.sh

if ! "$PROFILER" record -d 100ms -e offcpu --unwind dwarf -o "$work/probe.seg" >"$work/probe.out" 2>&1; then
	skip "stacks are whole wherever a program is stopped" "BPF cannot be used here: $(tail -n 1 "$work/probe.out")"
	finish
fi

# A compiler that has enough to do, the interpreters, C++.
seq 20000 | sed 's/.*/int f&(int a, int b) { int r = 0; for (int i = a; i < b; i++) r += i * a ^ (r >> 3); return r + &; }/' \
	>"$work/big.c"
check "a C++ program is built" g++ -O2 -fomit-frame-pointer -o "$work/moves-cxx" tests/unwind/moves.cc
start c++ 0 "$work/moves-cxx"
start cc1 0 sh -c 'echo ready && exec "$1" -quiet -O2 -o /dev/null "$2"' sh "$(gcc -print-prog-name=cc1)" "$work/big.c"
start bash 0 bash -c 'echo ready
f() { local i x; for i in {1..200}; do x=${i//1/2}; [[ $x =~ ^[0-9]+$ ]] && : $((x * 3)); done; [ $1 -eq 0 ] || f $(($1 - 1)); }
while :; do f 5; done'
start perl 0 perl -e '$| = 1; print "ready\n";
while (1) { my %h; $h{$_ x 3} = [reverse split //, "abc$_"] for 1 .. 500; join ",", map { s/1/2/gr } sort { $a cmp $b } keys %h }'
start python 0 python3 -c '
import json, re, zlib
print("ready", flush=True)
while True:
    text = json.dumps([[{str(k): [k] * 5} for k in range(2000)]])
    json.loads(text), re.findall("[0-9]+", text), zlib.compress(text.encode()), sorted(text[:20000], key=lambda c: ord(c))'
check "all run" until_true 20 all_there

stopped=() pids=("${staying[@]}")
for place in "${places[@]}"; do stopped+=("${place/:0:/:}"); done

record_stops() {
	background "$PROFILER" record -e offcpu --unwind dwarf --symbol-cache "$work/cache" -p "$(IFS=,; echo "${pids[*]}")" \
		-o "$work/stops.seg" 2>"$work/record.err"
	local recorder=$!
	until_true 20 grep -q Sampling "$work/record.err" && python3 $truth stop "$work/stops" 6 "${stopped[@]}"
	sleep 0.5 # the last one goes on
	kill -INT "$recorder" && wait "$recorder"
}
check "they are stopped while they are recorded" record_stops
python3 $truth stopped "$work/stops.seg" "$work/stops" >"$work/truth.tap" 2>&1
tell_truth
check "every process was judged" test "$(grep -c '^ok\|^not ok' "$work/truth.tap")" -eq ${#pids[@]}
check "at six stops each" test "$(wc -l <"$work/stops")" -ge 30
stop_all
finish
