#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Counters beside the samples in the daemon: rows on the samples' clock, what is selected and shown by them, what Prometheus
# gets, and counters that are given up for someone else.
. "$(dirname "$0")/lib.sh"

mkdir "$work/state"
tsc=$([ -e /sys/bus/event_source/devices/msr/events/tsc ] && echo ", msr/tsc/")
cat >"$work/daemon.conf" <<-CONF
	[sampler]
	cpu-budget = 0
	[store]
	directory = $work/state
	[symbols]
	cache-directory =
	[daemon]
	control-socket = $work/control
	[metrics]
	textfile = $work/metrics.prom
	textfile-interval = 1s
	textfile-mode = 0640
	[profile clock]
	events = cpu-clock@199Hz
	[collector pmu]
	interval = 200ms
	metrics = all
	events = page-faults, cpu-clock$tsc
CONF
"$PROFILER" daemon --config "$work/daemon.conf" 2>"$work/daemon.log" &
daemon=$!
started_pids+=($daemon)

# A second one, for a machine on which a driver is loaded later: its sysfs has no PMU msr yet.
if [ -n "$tsc" ]; then
	devices=$work/sys/bus/event_source/devices
	mkdir -p "$devices" "$work/late"
	ln -s /sys/devices "$work/sys/devices"
	ln -s /sys/bus/event_source/devices/software "$devices/software"
	sed "/^\[collector pmu\]/,\$ d; s|$work/|$work/late/|" "$work/daemon.conf" >"$work/late.conf"
	mkdir "$work/late/state"
	printf '[collector pmu]\ninterval = 200ms\nmetrics = utilisation\nsysfs = %s\n' "$work/sys" >>"$work/late.conf"
	background "$PROFILER" daemon --config "$work/late.conf" 2>"$work/late.log"
fi
late_pmu() { "$PROFILER" collectors --config "$work/late.conf" | grep -q "^pmu  *$1 "; }

status() { "$PROFILER" status --socket "$work/control" "$@"; }
rows() { "$PROFILER" cat --collector pmu_event -o json "$work/state" >"$work/rows.json"; }
# n_rows N: at least so many intervals of page-faults on the host.
n_rows() {
	rows
	[ "$(grep '"event":"page-faults"' "$work/rows.json" | grep -c '"socket":-1')" -ge "$1" ]
}

check "rows of the first interval are in the segment that is being written" until_true 20 n_rows 2
"$O/workloads/pages" 600000 >/dev/null
rows && before=$(grep -c '"socket":-1' "$work/rows.json")
counted_on() { rows && [ "$(grep -c '"socket":-1' "$work/rows.json")" -gt $((before + 12)) ]; }
check "counting goes on" until_true 20 counted_on

# --- a driver that comes later ----------------------------------------------------------------------
# Both halves of the metric are the one counter that every machine's msr has: what is computed is 1.
load_driver() {
	mkdir -p "$work/msr/events" "$work/msr/format" && cp /sys/bus/event_source/devices/msr/type "$work/msr" &&
		cp /sys/bus/event_source/devices/msr/format/* "$work/msr/format" &&
		echo event=0x00 | tee "$work/msr/events/tsc" >"$work/msr/events/mperf" && mv "$work/msr" "$devices"
}
late_value() { "$PROFILER" cat --collector pmu "$work/late/state" | grep -q 'metric=utilisation socket=-1 value=1 '; }
if [ -n "$tsc" ]; then
	check "without a PMU the collector says what it misses" until_true 20 late_pmu unavailable
	check "a driver is loaded" load_driver
	check "and the collector works, without a reload" until_true 20 late_pmu active
	check "and counts" until_true 20 late_value
else
	skip "a driver that is loaded later is found" "there is no msr/tsc/"
fi

# --- giving way -------------------------------------------------------------------------------------
perf_files() { find "/proc/$daemon/fd" -lname 'anon_inode:\[perf_event\]' 2>/dev/null | wc -l; }
fewer_files() { [ "$(perf_files)" -lt "$1" ]; }
as_many_files() { [ "$(perf_files)" -eq "$1" ]; }
files=$(perf_files)
check "yield is answered" sh -c "'$PROFILER' yield --socket '$work/control' 60 | grep -q 'given up for 1 min'"
check "the collector's counters are closed" until_true 10 fewer_files "$files"
check "status says so, and who asked" sh -c "'$PROFILER' status --socket '$work/control' | grep -q 'Degraded:.*given up for 1 min.*uid $(id -u)'"
check "the list of collectors says so" sh -c "'$PROFILER' collectors --config '$work/daemon.conf' | grep -A1 '^pmu  *unavailable' | grep -q 'yield --end'"
check "a reload does not take them back" sh -c "'$PROFILER' status --socket '$work/control' --reload && '$PROFILER' collectors --config '$work/daemon.conf' | grep -q '^pmu  *unavailable'"
check "they are taken back when told" sh -c "'$PROFILER' yield --socket '$work/control' --end | grep -q 'taken back'"
check "and are all there again" until_true 10 as_many_files "$files"
check "a reload begins counting anew" sh -c "'$PROFILER' status --socket '$work/control' --reload"
check "with as many counters" until_true 10 as_many_files "$files"
check "yield for a second ends by itself" sh -c "'$PROFILER' yield --socket '$work/control' 1"
check "and says why" until_true 10 grep -q 'taken back: the time is over' "$work/daemon.log"
check "no more than an hour is taken" sh -c "! '$PROFILER' yield --socket '$work/control' 2h"
check "without a daemon its exit code is 5" sh -c "'$PROFILER' yield --socket '$work/none'; [ \$? -eq 5 ]"

# --- Prometheus -------------------------------------------------------------------------------------
has_events() {
	status --metrics >"$work/metrics.txt"
	grep -q '^ebpf_profiler_pmu_event_count_total{event="page-faults",socket="0"} [1-9]' "$work/metrics.txt"
}
check "Prometheus gets the events" until_true 10 has_events
health() {
	for name in samples_lost_total samples_not_delivered store_bytes daemon_degraded daemon_cpu_ratio daemon_resident_memory_bytes; do
		grep -q "^ebpf_profiler_$name [0-9]" "$work/metrics.txt" || { echo "$name"; return 1; }
	done
}
check "and our own health: lost, not delivered, disk, degraded, CPU, memory" health
textfile() { [ "$(stat -c %a "$work/metrics.prom")" = 640 ] && grep -q '^ebpf_profiler_pmu_event_count_total' "$work/metrics.prom"; }
check "the text file has both, and its mode" until_true 10 textfile

kill -TERM $daemon
wait $daemon
result $? "the daemon ends well"
check "every byte is whole" "$PROFILER" verify "$work/state"
rows

# --- rows of a recording ----------------------------------------------------------------------------
# An interval that is longer than the command: its only row is the part that there was, at the end.
"$PROFILER" record -e cpu-clock@499Hz -I 1d -M none --interval-events page-faults -o "$work/part.seg" \
	-- "$O/workloads/pages" 100000 >/dev/null 2>"$work/part.err"
result $? "record writes rows of intervals, too"
only_part() {
	"$PROFILER" cat --collector pmu_event -o json "$work/part.seg" >"$work/part.json" || return 1
	python3 - "$work/part.json" "$work/part.err" <<-'PY'
		import json, re, sys
		rows = [r for r in map(json.loads, open(sys.argv[1])) if r["socket"] == -1]
		print(rows, open(sys.argv[2]).read())
		day = 86400e9
		# It may be midnight, as intervals count them.
		sys.exit(not (1 <= len(rows) <= 2 and sum(r["count_delta"] for r in rows) >= 100000 and
		              all(0 < r["interval"] < day for r in rows)))
	PY
}
check "its last interval is written with its true length, and all that was counted" only_part
check "report --when works on a recording" sh -c "'$PROFILER' report --when 'page-faults > 0' --json '$work/part.seg' | grep -q '\"samples\": [1-9]'"
check "and so does timeline" sh -c "'$PROFILER' timeline '$work/part.seg' | grep -q '^page-faults, /s  *[0-9]'"
"$PROFILER" record -e cpu-clock --collectors load -I 100 -d 1 -o "$work/load.seg" 2>/dev/null
check "other collectors can be asked" sh -c "'$PROFILER' report --when 'load.load1 >= 0' --json '$work/load.seg' | grep -q '\"samples\"'"
# not_recorded CODE TEXT OPTION...: record ends with this code and says this.
not_recorded() {
	local code=$1 text=$2
	shift 2
	"$PROFILER" record -e cpu-clock "$@" -d 1 -o "$work/none.seg" >"$work/out" 2>&1
	[ $? -eq "$code" ] && grep -q "$text" "$work/out" || { cat "$work/out"; return 1; }
}
check "a collector that nobody knows is refused" not_recorded 2 "no collector 'nonsense'" --collectors nonsense
check "metrics without pmu are refused" not_recorded 2 "for the collector pmu" --collectors load -M ipc
check "no time is refused" not_recorded 2 "'interval=x' is not possible" -I x
check "a metric that nobody knows is refused" not_recorded 2 "no metric 'nonsense'" -M nonsense
"$PROFILER" record -e cpu-clock --unwind fp -d 100ms -o "$work/plain.seg" 2>/dev/null
check "without these options a recording has no rows" sh -c "[ -z \"\$('$PROFILER' cat '$work/plain.seg' 2>/dev/null)\" ]"

# --- values -----------------------------------------------------------------------------------------
near_perf() {
	perf stat -a -x, -e msr/tsc/ -- sleep 1 2>"$work/perf.out" || return 1
	python3 - "$work/rows.json" "$work/perf.out" <<-'PY'
		import json, sys
		rates = [r["count_rate"] for r in map(json.loads, open(sys.argv[1])) if r["event"] == "msr/tsc/" and r["socket"] == -1
		         and r["interval"] > 5e7]
		count, _, _, ran = open(sys.argv[2]).read().split(",")[:4]
		import os
		perf = float(count) / (float(ran) / os.sysconf("SC_NPROCESSORS_ONLN") / 1e9 if float(ran) else 1)
		worst = max(abs(r - perf) / perf for r in rates)
		print(len(rates), perf, worst)
		sys.exit(worst > 0.02)
	PY
}
if [ -n "$tsc" ] && command -v perf >/dev/null; then
	check "each interval's msr/tsc/ is perf's within 2 %" near_perf
else
	skip "each interval's msr/tsc/ is perf's within 2 %" "there is no perf, or no msr/tsc/"
fi
cpus_of_time() {
	python3 - "$work/rows.json" <<-'PY'
		import json, os, sys
		rates = [r["count_rate"] for r in map(json.loads, open(sys.argv[1])) if r["event"] == "cpu-clock" and r["socket"] == -1
		         and r["interval"] > 5e7]
		cpus = os.sysconf("SC_NPROCESSORS_ONLN")
		print(cpus, rates)
		sys.exit(not rates or any(abs(r / 1e9 - cpus) > 0.02 * cpus for r in rates))
	PY
}
check "cpu-clock is a second per CPU and second" cpus_of_time
same_time() {
	python3 - "$work/rows.json" <<-'PY'
		import json, os, sys
		rows = [r for r in map(json.loads, open(sys.argv[1])) if r.get("count_delta")]
		worst = max(abs(r["count_delta"] / r["count_rate"] * 1e9 / r["interval"] - 1) for r in rows)
		# A clock that ticks a nanosecond on each CPU counts the time itself.
		clock = [r for r in rows if r["event"] == "cpu-clock" and r["socket"] == -1]
		cpus = os.sysconf("SC_NPROCESSORS_ONLN")
		print(len(rows), worst, [r["count_delta"] / cpus / r["interval"] for r in clock])
		sys.exit(not (clock and worst < 1e-3 and all(abs(r["count_delta"] / cpus / r["interval"] - 1) < 0.02 for r in clock if r["interval"] > 5e7)))
	PY
}
check "and the interval of a row is the time that its counts cover" same_time

# --- selecting by them ------------------------------------------------------------------------------
threshold=$(python3 - "$work/rows.json" <<-'PY'
	import json, sys
	rates = [r["count_rate"] for r in map(json.loads, open(sys.argv[1])) if r["event"] == "page-faults" and r["socket"] == -1]
	print((max(rates) + min(rates)) / 2)
PY
)
"$PROFILER" report --json --when "page-faults > $threshold" "$work/state" >"$work/when.json"
result $? "report --when works"
"$PROFILER" export --format=perf.data -o "$work/perf.data" "$work/state"
perf script -i "$work/perf.data" -F time 2>/dev/null >"$work/times.txt"
# Which samples lie in those intervals, counted from the rows and perf's times of the samples.
same_samples() {
	python3 - "$work/rows.json" "$work/times.txt" "$work/when.json" "$threshold" <<-'PY'
		import bisect, json, sys
		rows = [r for r in map(json.loads, open(sys.argv[1])) if r["event"] == "page-faults" and r["socket"] == -1]
		times = [round(float(line.split(":")[0]) * 1e6) * 1000 for line in open(sys.argv[2]) if line.strip()]
		report = json.load(open(sys.argv[3]))
		# An interval begins no earlier than the one before ended.
		ends = [0] + [r["monotonic_ns"] for r in rows]
		spans = [(max(r["monotonic_ns"] - r["interval"], before), r["monotonic_ns"])
		         for r, before in zip(rows, ends) if r["count_rate"] > float(sys.argv[4])]
		expected = sum(any(a <= t < b for a, b in spans) for t in times)
		got = sum(e["samples"] for e in report["events"])
		print(len(spans), "of", len(rows), "intervals,", expected, "expected,", got, "reported, of", len(times))
		# two neighbours' edge is rounded to a microsecond
		sys.exit(not (0 < expected < len(times) and abs(expected - got) <= len(spans)))
	PY
}
if command -v perf >/dev/null; then
	check "it selects the samples of exactly these intervals" same_samples
else
	skip "it selects the samples of exactly these intervals" "there is no perf"
fi
check "the report says how long it held" sh -c "'$PROFILER' report --when 'page-faults > $threshold' '$work/state' | grep -q '^When      page-faults > .*: .* of '"
check "flame takes it, too" "$PROFILER" flame --when "page-faults > $threshold" -o "$work/flame.html" "$work/state"

# refused CODE TEXT ARGS...: report ends with this code and says this.
refused() {
	local code=$1 text=$2
	shift 2
	"$PROFILER" report "$@" "$work/state" >"$work/out" 2>"$work/err"
	[ $? -eq "$code" ] && grep -q "$text" "$work/err"
}
check "what was not recorded is told, and what was" refused 7 "nothing was recorded of 'watts'; recorded are page-faults, cpu-clock" --when 'watts > 3'
check "what never held is told, with the range" refused 7 'page-faults lay between' --when 'page-faults > 1T'
check "nonsense is refused" refused 2 'is no condition' --when 'page-faults'
check "another table's column can be asked" "$PROFILER" report --when 'load.load1 >= 0' "$work/state"

# --- showing them -----------------------------------------------------------------------------------
"$PROFILER" timeline --json "$work/state" >"$work/timeline.json"
result $? "timeline --json works"
same_means() {
	python3 - "$work/timeline.json" "$work/rows.json" "$work/times.txt" <<-'PY'
		import json, sys
		t = json.load(open(sys.argv[1]))
		rows = [r for r in map(json.loads, open(sys.argv[2])) if r["event"] == "page-faults" and r["socket"] == -1]
		at = [s["name"] == "page-faults" and s["whole"] for s in t["series"]].index(True)
		# faults of all intervals, by both
		shown = sum((i["values"][at] or 0) * (i["end_ns"] - i["start_ns"]) / 1e9 for i in t["intervals"])
		counted = sum(r["count_delta"] for r in rows)
		samples = sum(sum(i["samples"]) for i in t["intervals"])
		print(shown, counted, samples, t["interval_seconds"])
		# an interval at the edge of a gap may be shown whole, or not at all
		ok = abs(shown - counted) < 0.15 * counted and t["interval_seconds"] == 0.2
		sys.exit(not ok)
	PY
}
check "its intervals are those of the rows, its values theirs" same_means
all_samples() {
	python3 - "$work/timeline.json" "$PROFILER" "$work/state" <<-'PY'
		import json, subprocess, sys
		t = json.load(open(sys.argv[1]))
		r = json.loads(subprocess.run([sys.argv[2], "report", "--json", sys.argv[3]], capture_output=True).stdout)
		a, b = sum(sum(i["samples"]) for i in t["intervals"]), sum(e["samples"] for e in r["events"])
		print(a, b)
		sys.exit(a != b or a == 0)
	PY
}
check "and it counts every sample once" all_samples
check "the table has a chart where one is asked for" sh -c "'$PROFILER' timeline --charts '$work/state' | grep '^page-faults' | grep -qE '▅|▆|▇|█'"
check "another interval" sh -c "'$PROFILER' timeline --json --interval=2s --metric page-faults '$work/state' | grep -q '\"interval_seconds\": 2,'"
check "top looks at the last moments" sh -c "'$PROFILER' top --iterations=1 --window=5min '$work/state' | grep -q '^page-faults, /s'"
check "top without data: exit code 7" sh -c "mkdir '$work/empty'; '$PROFILER' top --iterations=1 '$work/empty'; [ \$? -eq 7 ]"

finish
