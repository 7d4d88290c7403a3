#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sampling slows a CPU-bound load no more than perf record -g does, and by less than 2 % at 99 Hz.
. "$(dirname "$0")/lib.sh"
event=$(clock_event)
runs=5

# The CPU that the load runs on is sampled; interrupts and BPF programs are on the load's clock there.
fixed_work() {
	pinned "$workloads/deep" rounds "$rounds"
}
median() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# with alone|ours|perf HZ: seconds the load took
with() {
	local pid=
	case $1 in
	ours) "$PROFILER" record -F "$2" -e $event -o "$work/overhead.seg" 2>"$work/with.err" & ;;
	perf) perf record -q -a -g -F "$2" -e $event -o "$work/perf.data" >/dev/null 2>&1 & ;;
	esac
	pid=${!:-}
	if [ "$1" != alone ]; then
		started_pids=$pid
		until [ -s "$work/perf.data" ] || grep -q Sampling "$work/with.err" 2>/dev/null; do
			kill -0 "$pid" 2>/dev/null || return 1
			sleep 0.05
		done
	fi
	fixed_work >>"$work/$1.$2"
	[ "$1" = alone ] || { kill -INT "$pid" && wait "$pid"; }
	started_pids=
	rm -f "$work/perf.data" "$work/with.err"
}

# About two seconds of work.
rounds=1000
rounds=$(calc "int(2 / ($(fixed_work) + 0.000001) * 1000) + 1")
ways='alone ours'
! perf_works || ways='alone ours perf'
for hz in 99 999; do
	i=0
	while [ $i -lt $runs ]; do
		for way in $ways; do with $way $hz; done
		i=$((i + 1))
	done
	alone=$(median "$work/alone.$hz") ours=$(median "$work/ours.$hz")
	slowed=$(calc "100 * ($ours / $alone - 1)")
	measured "$hz Hz, slowdown by ours %" "$slowed"
	theirs=
	[ "$ways" = 'alone ours' ] || theirs=$(calc "100 * ($(median "$work/perf.$hz") / $alone - 1)")
	[ -z "$theirs" ] || measured "$hz Hz, slowdown by perf record -g %" "$theirs"
	if is_virtual; then
		skip "$hz Hz: the slowdown" "wall-clock times of a guest prove nothing; $slowed % here"
		continue
	fi
	[ $hz != 99 ] || check "99 Hz slows by less than 2 % ($slowed %)" holds "$slowed < 2"
	if [ -z "$theirs" ]; then
		skip "$hz Hz: no more than perf record -g" "perf is not installed"
	else
		check "$hz Hz: no more than 1 point above perf record -g ($slowed against $theirs %)" holds "$slowed <= $theirs + 1"
	fi
done
finish
