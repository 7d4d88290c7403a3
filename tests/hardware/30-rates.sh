#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# At 1, 5 and 10 kHz on all CPUs no sample is lost, and at least 95 % of what should come comes.
. "$(dirname "$0")/lib.sh"
event=$(clock_event)
most=$(cat /proc/sys/kernel/perf_event_max_sample_rate)

percent_delivered() {
	calc "100 * $(ledger rate seen) / $(ledger rate expected)"
}
balanced() {
	holds "$(ledger rate seen) == $(ledger rate filtered) + $(ledger rate sent) + $(ledger rate full) + $(ledger rate fault) &&
		$(ledger rate sent) == $(ledger rate received) + $(ledger rate gaps)"
}

for hz in 1000 5000 10000; do
	if [ "$(cat /proc/sys/kernel/perf_event_max_sample_rate)" -lt $hz ]; then
		[ "$most" -lt $hz ] || echo "# the kernel lowered perf_event_max_sample_rate from $most meanwhile"
		skip "$event at $hz Hz" "kernel.perf_event_max_sample_rate is $(cat /proc/sys/kernel/perf_event_max_sample_rate)"
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
	if is_virtual; then
		skip "$hz Hz: at least 95 % are delivered" "a guest's interrupts are its host's matter; $delivered % came"
	else
		check "$hz Hz: at least 95 % are delivered ($delivered %)" holds "$delivered >= 95"
	fi
done
finish
