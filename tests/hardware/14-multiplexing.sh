#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# More events than counters take turns, say so, and their scaled counts stay within 5 % of what is known.
. "$(dirname "$0")/lib.sh"
need_pmu
event_list
[ "$(ability instructions)" = samples ] || skip_all "instructions: $(reason instructions)"

# A steady load, so that scaling has nothing to smear; long against the rotation of a few milliseconds.
n=48 wanted=20000000000
! is_virtual || wanted=1000000000
events=instructions:u i=1
while [ $i -lt $n ]; do events=$events,instructions:u i=$((i + 1)); done

pinned_count() {
	rm -f "$work/counts"
	pinned "$O/hardware/count" -o "$work/counts" "$events" -- "$workloads/instructions" $wanted >"$work/truth"
}
check "$n events on few counters" pinned_count
known=$(cat "$work/truth")
awk '{ print $4 / $3 }' "$work/counts" | sort -n >"$work/ratios"
least=$(head -n 1 "$work/ratios") most=$(tail -n 1 "$work/ratios")
measured "time running of time enabled" "$least to $most"
if holds "$least > 0.999"; then
	skip_all "this PMU has counters for $n events at once"
fi
check "all of them had their turn" holds "$least > 0"
awk '$4 { printf "%.0f\n", $2 * $3 / $4 }' "$work/counts" | sort -n >"$work/scaled"
near "the smallest scaled count" "$(head -n 1 "$work/scaled")" "$known" 5
near "the largest scaled count" "$(tail -n 1 "$work/scaled")" "$known" 5
near "their mean" "$(awk '{ s += $1 } END { printf "%.0f", s / NR }' "$work/scaled")" "$known" 2

if perf_works; then
	pinned perf stat -x , -e "$events" -o "$work/perf.csv" "$workloads/instructions" $wanted >/dev/null 2>&1
	near "perf stat scales to the same" "$(awk -F , '/instructions/ { s += $1; n++ } END { printf "%.0f", s / n }' "$work/perf.csv")" \
		"$known" 5
else
	skip "perf stat scales to the same" "perf is not installed"
fi

# Sampling: what an event missed while others had its counter is not hidden.
many='' i=0
for name in cycles instructions branches branch-misses; do
	[ "$(ability $name)" = samples ] || continue
	for level in '' :u :k; do many=$many,$name$level i=$((i + 1)); done
done
load $((seconds + 2))
check "$i events are sampled at once" profile many -d "$seconds" -F 99 -e "${many#,}"
end_started
while [ $i -gt 0 ]; do
	i=$((i - 1))
	name=$(of_event many fired $i)
	check "$name lost no sample it took" [ "$(ledger many lost $i)" = 0 ]
	check "$name: what it missed while others had its counter is in the ledger" \
		holds "$(ledger many running_ns $i) <= $(ledger many enabled_ns $i) && $(ledger many enabled_ns $i) > 0"
done
finish
