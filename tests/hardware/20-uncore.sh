#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every PMU outside the cores opens where its cpumask says, counts, and is not taken for one that samples.
. "$(dirname "$0")/lib.sh"
devices=/sys/bus/event_source/devices

# PMUs with a cpumask count for a package, a die, a cluster; one named event of each is enough to see that it works.
found=0
for d in "$devices"/*; do
	pmu=${d##*/}
	[ -s "$d/cpumask" ] && [ -d "$d/events" ] || continue
	found=$((found + 1))
	mask=$(cat "$d/cpumask")
	[ -n "$mask" ] || continue
	expected=$(list_of "$mask" | grep -c .)
	event=
	for e in "$d"/events/*; do
		case $e in *.scale | *.unit | *.snapshot | *.per-pkg | '*') continue ;; esac
		! grep -q '?' "$e" || continue # a parameter is missing
		event=$pmu/${e##*/}/
		count -a "$event" -- sleep 0.1 && break
	done
	if [ -z "$event" ]; then
		skip "$pmu counts" "its events need parameters"
		continue
	fi
	if [ ! -s "$work/counts" ] && perf_works && perf stat -a -x , -e "$event" true 2>&1 | grep -q 'not supported'; then
		skip "$pmu counts" "neither perf nor we can open it: $(tail -n 1 "$work/count.err")"
		continue
	fi
	[ -s "$work/counts" ] || sed 's/^/# /' "$work/count.err"
	check "$event counts on the CPUs of its cpumask ($mask)" [ "$(counted fds)" = "$expected" ]
	measured "$event, in 0.1 s" "$(counted count) $(counted unit)"
done
[ $found -gt 0 ] || skip_all "no PMU here has a cpumask"
measured "PMUs with a cpumask" $found

refused_as_sample() {
	"$PROFILER" record -d 1 -o "$work/x.seg" -e "$event" && return 1
	[ $? = 69 ]
}
check "to sample such an event is refused ($event)" refused_as_sample
finish
