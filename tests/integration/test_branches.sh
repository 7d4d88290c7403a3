#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks against LBRs: where there are none it is said, and all else goes on; the kernel takes and runs the programs that
# read them, and their samples are in no profile. What LBRs really say is for tests/hardware/17-lbr.sh.
. "$(dirname "$0")/lib.sh"

preload() { # OUTPUT OPTION...
	${CC:-cc} -D_GNU_SOURCE -shared -fPIC -O1 -o "$work/$1" "${@:2}" tests/integration/branch_clock.c -ldl
}
check "a PMU that records calls can be played" preload clock.so
check "one that does not, too" preload none.so -DERROR=EOPNOTSUPP

# record NAME [OPTION]...: a recording and its report
record() {
	"$PROFILER" record -e cpu-clock@499Hz -o "$work/$1.seg" "${@:2}" -- "$O/workloads/shares" functions 1 \
		>/dev/null 2>"$work/$1.err" || { cat "$work/$1.err" && return 1; }
	"$PROFILER" report --json --limit 0 "$work/$1.seg" >"$work/$1.json"
}
# ask NAME EXPRESSION: Python over the report's list of events
ask() {
	python3 -c 'import json, sys; e = json.load(open(sys.argv[1]))["events"]; sys.exit(not eval(sys.argv[2]))' "$work/$1.json" "$2"
}
# table_of NAME EXPRESSION: the same over the last row of the table "unwind"
table_of() {
	"$PROFILER" cat --collector unwind -o json "$work/$1.seg" | grep '"table":"unwind"' | tail -n 1 >"$work/$1.row"
	cat "$work/$1.row"
	python3 -c 'import json, sys; t = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$work/$1.row" "$2"
}
balanced="len(e) == 1 and e[0]['ledger']['seen'] == e[0]['ledger']['filtered'] + e[0]['samples'] + e[0]['ledger']['lost']"

LD_PRELOAD=$work/none.so check "without LBRs a recording that asks for them goes on" record none --unwind-check-lbr
check "and says why there is no check" grep -q 'not checked against LBRs: the PMU keeps no record of calls' "$work/none.err"
check "so does its report" bash -c "'$PROFILER' report '$work/none.seg' | grep -q '^Note .* not checked against LBRs'"
check "who does not ask is told nothing" eval "record plain && ! grep -q LBR '$work/plain.err'"
check "by frame pointers there is nothing to check" eval "LD_PRELOAD=$work/clock.so record fp --unwind fp --unwind-check-lbr &&
	grep -q 'not checked against LBRs: user stacks are not unwound by rows' '$work/fp.err'"

for transport in perf bpf; do
	LD_PRELOAD=$work/clock.so check "$transport rings: with LBRs it records" record $transport --transport $transport --unwind-check-lbr
	check "$transport rings: nothing is said to be missing" eval "! grep LBR '$work/$transport.err'"
	check "$transport rings: the samples of the check are in no profile" ask $transport "$balanced and e[0]['samples'] > 100"
	check "$transport rings: they came, and empty records contradict nothing" table_of $transport \
		"t['branch_stacks'] > 5 and t['branches_checked'] == t['branches_right'] == 0"
done

finish
