#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# At 1, 5 and 10 kHz on all CPUs no sample is lost, and at least 95 % of what should come comes.
. "$(dirname "$0")/lib.sh"
event=$(clock_event)
limit=/proc/sys/kernel/perf_event_max_sample_rate
most=$(cat $limit)

percent_delivered() {
	calc "100 * $(ledger rate seen) / $(ledger rate expected)"
}
balanced() {
	holds "$(ledger rate seen) == $(ledger rate filtered) + $(ledger rate sent) + $(ledger rate full) + $(ledger rate fault) &&
		$(ledger rate sent) == $(ledger rate received) + $(ledger rate gaps)"
}

# The kernel lowers the limit when samples take it too long, until the next boot: each rate starts from the same.
set_limit_back() {
	[ "$(cat $limit)" = "$most" ] || echo "$most" >$limit
}
trap 'set_limit_back; cleanup' EXIT

for hz in 1000 5000 10000; do
	set_limit_back
	if [ "$most" -lt $hz ]; then
		skip "$event at $hz Hz" "kernel.perf_event_max_sample_rate is $most"
		continue
	fi
	load $((seconds + 3))
	check "$event at $hz Hz on $(n_cpus) CPUs for $seconds s" profile rate -d "$seconds" -F $hz -e $event
	end_started
	delivered=$(percent_delivered)
	measured "$hz Hz, samples" "$(of_event rate samples)"
	measured "$hz Hz, lost" "$(ledger rate lost)"
	measured "$hz Hz, delivered %" "$delivered"
	measured "$hz Hz, throttled" "$(ledger rate throttled)"
	check "$hz Hz: none is lost" [ "$(ledger rate lost)" = 0 ]
	check "$hz Hz: the ledger balances" balanced
	check "$hz Hz: the file is sound" "$PROFILER" verify "$work/rate.seg"
	[ "$(cat $limit)" = "$most" ] || measured "$hz Hz, the kernel lowered the highest rate to" "$(cat $limit)"
	if is_virtual; then
		skip "$hz Hz: at least 95 % are delivered" "a guest's interrupts are its host's matter; $delivered % came"
	else
		check "$hz Hz: at least 95 % are delivered ($delivered %)" holds "$delivered >= 95"
	fi
done
finish
