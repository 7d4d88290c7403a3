#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Precise events sample, with their stacks, and blame the function that did the work.
. "$(dirname "$0")/lib.sh"
need_pmu

# max_precise is Intel's word for PEBS; AMD hands precise cycles to IBS.
level=0 way=
for pmu in $(core_pmus); do
	caps=/sys/bus/event_source/devices/$pmu/caps/max_precise
	[ ! -e "$caps" ] || { level=$(cat "$caps") && way="max_precise of $pmu is $level"; }
done
if [ -e /sys/bus/event_source/devices/ibs_op ]; then level=2 way=ibs_op; fi
[ "$level" -gt 0 ] || skip_all "this CPU has neither PEBS nor IBS"
echo "# $way"

for modifier in p pp P; do
	check "cycles:$modifier samples" profile precise -F 999 -e cycles:$modifier -- \
		"$workloads/shares" functions "$seconds"
	check "cycles:$modifier: there are samples" [ "$(of_event precise samples)" -gt 100 ]
	check "cycles:$modifier: none was lost" [ "$(ledger precise lost)" = 0 ]
	near "cycles:$modifier: burn_seventy has its share" "$(share precise burn_seventy)" 70 7
	near "cycles:$modifier: its caller is in the stacks" "$(share precise run_functions children_percent)" 98 3
done

if perf_works && perf record -q -e cycles:pp -o "$work/perf.data" true >/dev/null 2>&1; then
	check "cycles:pp, which perf can sample, is sampled" profile precise -e cycles:pp -- "$workloads/shares" functions 1
else
	skip "cycles:pp, which perf can sample, is sampled" "perf is not installed, or cannot"
fi
finish
