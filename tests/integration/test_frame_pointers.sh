#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# unwind = auto: a process all of whose code keeps frame pointers is walked by them, and its stacks stay right; any
# other is not, also one whose frames were right at first.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
truth=tests/integration/stack_truth.py
edges=(leaf:work work:inner,frameless,handler inner:middle frameless:inner middle:middle,begin
	begin:_start handler:restorer call:begin,used_ms used_ms:begin)

build() {
	gcc -O2 -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-stack-protector -fasynchronous-unwind-tables \
		-nostdlib -static -o "$work/keeps" tests/unwind/keeps.c &&
		gcc -O2 -fomit-frame-pointer -static -pthread -o "$work/places" tests/unwind/places.c 2>/dev/null
}
check "programs with and without frame pointers are built" build

# record WAY SEGMENT COMMAND...
record() {
	local way=$1 segment=$2
	shift 2
	"$PROFILER" record --unwind "$way" --symbol-cache "$work/cache" --drain-interval 50ms -F 999 -o "$segment" -- "$@"
}
# found SEGMENT CONDITION: a Python expression over the sums of the table's columns.
found() {
	"$PROFILER" cat --collector unwind -o json "$1" | python3 -c '
import collections, json, sys
t = collections.Counter()
for line in sys.stdin:
    row = json.loads(line)
    if row["table"] == "unwind":
        t.update({k: v for k, v in row.items() if isinstance(v, int)})
print(dict(t))
sys.exit(0 if eval(sys.argv[1], dict(t)) else 1)' "$2"
}
callers() { python3 $truth callers "$1" "$work/keeps" "$2" "${edges[@]}"; }

check "auto: a program that keeps them is recorded" record auto "$work/keeps.seg" "$work/keeps"
check "most of its stacks are walked by frame pointers" found "$work/keeps.seg" 'by_fp > stacks / 2 and fp_revoked == 0'
check "nearly all of them are complete" found "$work/keeps.seg" 'complete >= 0.98 * (stacks - early)'
check "and every caller is one" callers "$work/keeps.seg" 0

check "dwarf: the same program is recorded" record dwarf "$work/rows.seg" "$work/keeps"
check "no stack is walked by frame pointers" found "$work/rows.seg" 'by_fp == 0 and stacks > 300'
check "every caller is one" callers "$work/rows.seg" 0

if [ "$(uname -m)" = x86_64 ]; then
	check "auto: a program with a signal handler is recorded" record auto "$work/signals.seg" "$work/keeps" signals
	check "it is walked by frame pointers, too" found "$work/signals.seg" 'by_fp > stacks / 4 and fp_revoked == 0'
	check "what a signal interrupted is never passed over" callers "$work/signals.seg" 0
else
	skip "what a signal interrupted is never passed over" "the program handles signals on x86-64 only"
fi

check "auto: a program that loses its frames late is recorded" record auto "$work/late.seg" "$work/keeps" late
check "frame pointers are trusted at first, and revoked" found "$work/late.seg" 'by_fp > 30 and fp_revoked == 1'
check "afterwards every caller is one" callers "$work/late.seg" 800

check "auto: a program without frame pointers is recorded" record auto "$work/none.seg" \
	sh -c "ulimit -t 1; '$work/places' recursion 2>/dev/null; true"
check "not one of its stacks is walked by them" found "$work/none.seg" 'by_fp == 0 and complete > 300'

finish
