#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The msr PMU's free-running counters count: tsc at the clock's own rate, aperf, mperf and irperf as they should.
. "$(dirname "$0")/lib.sh"
[ -e /sys/bus/event_source/devices/msr/events/tsc ] || skip_all "this machine has no msr PMU"
has_msr() {
	[ -e "/sys/bus/event_source/devices/msr/events/$1" ]
}

# ticks_per_ns: of the last count
ticks_per_ns() {
	calc "$(counted count) / $(counted running)"
}

rate=$("$workloads/ticks" 0.5)
check "msr/tsc/ counts the whole host" count -a msr/tsc/ -- sleep 1
measured "time stamp counter, GHz" "$rate"
near "on all CPUs at the rate rdtsc shows" "$(ticks_per_ns)" "$rate" 0.5
check "on every CPU" [ "$(counted fds)" = "$(n_cpus)" ]
check "msr/tsc/ counts a command" count msr/tsc/ -- "$workloads/ticks" 0.5
near "at the same rate" "$(ticks_per_ns)" "$rate" 0.5
beside_perf msr/tsc/ 2 sleep 1

refused() {
	"$PROFILER" record -d 1 -o "$work/x.seg" -e msr/tsc/ 2>"$work/refused"
	[ $? = 69 ] && cat "$work/refused" && grep -q 'cannot sample' "$work/refused"
}
check "sampling it is refused in a sentence" refused

if has_msr aperf && has_msr mperf; then
	load 3
	check "aperf and mperf count under load" count -a msr/mperf/,msr/aperf/ -- sleep 1
	end_started
	measured "aperf / mperf under load" "$(calc "$(counted count 2) / $(counted count 1)")"
	check "mperf ticks no faster than tsc" holds "$(counted count 1) / $(counted running 1) <= $rate * 1.01"
	check "aperf is not nothing" [ "$(counted count 2)" -gt 0 ]
else
	skip "aperf and mperf count under load" "the CPU does not show them"
fi
if has_msr irperf; then
	count msr/irperf/ -- "$workloads/instructions" 5000000000
	near "irperf counts known instructions" "$(counted count)" "$(cat "$work/truth")" 5
else
	skip "irperf counts known instructions" "only AMD has it"
fi
finish
