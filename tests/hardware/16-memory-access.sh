#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Samples carry the memory access they stand for: address, data source and latency, as PEBS and IBS tell them.
. "$(dirname "$0")/lib.sh"

check "page faults have an address" profile faults -e page-faults@1 --memory-access -- "$workloads/pages" 20000
check "each of them" [ "$(of_event faults memory_access.addresses)" = "$(of_event faults samples)" ]

# before MAJOR MINOR: the kernel is older than that.
before() {
	uname -r | awk -F '[.-]' -v major="$1" -v minor="$2" '{ exit !($1 < major || ($1 == major && $2 < minor)) }'
}

event=
if [ -e /sys/bus/event_source/devices/cpu/events/mem-loads ]; then
	event=cpu/mem-loads,ldlat=30/P
elif [ -e /sys/bus/event_source/devices/ibs_op ]; then
	event=ibs_op//
fi
if [ -z "$event" ]; then
	skip "loads have an address, a data source and a latency" "this CPU has neither mem-loads nor ibs_op"
	finish
fi
echo "# $event"

# No cache holds it and no prefetcher foresees it: what is loaded waits for memory. At 99 Hz few of the samples of IBS, which
# are of any instruction, would be loads.
check "$event samples" profile loads -e "$event@1999Hz" --memory-access -- \
	"$workloads/stream" jump "$(buffer_megabytes)" seconds "$seconds"
sed 's/^/# /' "$work/loads.err"
samples=$(of_event loads samples)
check "$event: there are samples" [ "${samples:-0}" -gt 100 ]
sources=$(of_event loads memory_access.data_sources)
for part in addresses data_sources latencies; do
	told=$(of_event loads memory_access.$part)
	measured "samples that tell $part" "$told of $samples"
	if [ "$event" = ibs_op// ] && before 6 1; then
		skip "$event: samples tell $part" "before Linux 6.1 IBS tells none"
	else
		check "$event: samples tell $part" [ "${told:-0}" -gt 0 ]
	fi
done
"$PROFILER" report --by data-source --limit=0 "$work/loads.seg" >"$work/sources" 2>&1
sed 's/^/# /' "$work/sources"
if [ "${sources:-0}" -gt 0 ]; then
	check "some of the data came from memory" grep -q 'RAM' "$work/sources"
	check "by latency they divide" "$PROFILER" report --by latency "$work/loads.seg"
fi
finish
