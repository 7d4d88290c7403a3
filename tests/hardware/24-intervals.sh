#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Metrics counted by the service follow what runs, and samples are found by them.
. "$(dirname "$0")/lib.sh"
mkdir "$work/state"
cat >"$work/daemon.conf" <<-CONF
	[sampler]
	cpu-budget = 0
	[store]
	directory = $work/state
	[symbols]
	cache-directory =
	[daemon]
	control-socket = $work/control
	[profile clock]
	events = cpu-clock@199Hz
	[collector pmu]
	interval = 1s
	metrics = all
	events = page-faults
CONF

# rows FROM TO: values of the whole host between two moments, "NAME VALUE RATIO"
rows() {
	"$PROFILER" cat --collector=pmu --since="@$1" --until="@$2" "$work/state" 2>/dev/null |
		sed -n 's/.* pmu metric=\([^ ]*\) socket=-1 value=\([-0-9.e+]*\)[^ ]* running_ratio=\([-0-9.e+]*\).*/\1 \2 \3/p'
}
# mean FILE NAME
mean() {
	awk -v name="$2" '$1 == name { s += $2; n++ } END { if (n) printf "%.6g\n", s / n }' "$1"
}
answers() {
	"$PROFILER" status --socket "$work/control" >/dev/null 2>&1
}

# On one CPU in sixteen: a single one is nothing that the counters of 192 CPUs would show.
stream() {
	local copies pids='' i=0 p
	copies=$(($(n_cpus) / 16 + 1))
	while [ $i -lt $copies ]; do
		"$workloads/stream" read "$(buffer_megabytes $copies)" seconds $((seconds + 3)) >/dev/null &
		pids="$pids $!" i=$((i + 1))
	done
	for p in $pids; do wait "$p"; done
}

background "$PROFILER" daemon --config "$work/daemon.conf"
tries=100
until answers || [ $tries -eq 0 ]; do sleep 0.2 && tries=$((tries - 1)); done
check "the service answers" answers
sleep 2
t0=$(date +%s)
sleep $((seconds + 2))
t1=$(date +%s)
stream
t2=$(date +%s)
sleep 2
check "it counts at its interval" sh -c "[ \$('$PROFILER' cat --collector=pmu_event '$work/state' | grep -c 'page-faults socket=-1') -ge $seconds ]"
rows $((t0 + 1)) "$t1" >"$work/idle"
rows $((t1 + 2)) "$t2" >"$work/busy"
"$PROFILER" collectors --config "$work/daemon.conf" | sed 's/^/# /' | grep -A1 '^# pmu '

# metric NAME: there are values of both times
metric() {
	idle=$(mean "$work/idle" "$1") busy=$(mean "$work/busy" "$1")
	[ -n "$idle" ] && [ -n "$busy" ] || return 1
	measured "$1 at rest" "$idle"
	measured "$1 under stream" "$busy"
}
for name in memory_bandwidth memory_read_bandwidth package_power utilisation; do
	if metric $name; then
		check "$name is higher while memory is read" holds "$busy > $idle"
	else
		skip "$name is higher while memory is read" "this machine does not count it"
	fi
done
if metric ipc; then
	check "IPC is a credible number" holds "$busy > 0.01 && $busy < 10 && $idle > 0.01 && $idle < 10"
else
	skip "IPC is a credible number" "this machine does not count it"
fi
ratios() {
	awk '!($3 > 0 && $3 <= 1.001) { print; bad = 1 } END { exit bad || !NR }' "$work/busy"
}
if [ -s "$work/busy" ]; then
	check "each value carries the share of the time it was counted" ratios
else
	skip "each value carries the share of the time it was counted" "no metric is counted here"
fi

# samples CONDITION: of stream, where it holds. On a host at rest there are hardly others, so that shares would say nothing.
samples() {
	rm -f "$work/when.json.flat"
	"$PROFILER" report --json --by=comm --limit=0 --since="@$t0" --when "$1" "$work/state" >"$work/when.json" 2>/dev/null
	share when stream self_samples
}
if metric memory_bandwidth; then
	threshold=$(calc "($idle + $busy) / 2")
	above=$(samples "memory_bandwidth > $threshold")
	below=$(samples "memory_bandwidth <= $threshold")
	measured "samples of stream while memory was busy" "$above"
	measured "samples of stream while it was not" "$below"
	check "its reader is found where memory was busy" holds "$above > 0 && $above > 3 * $below"
else
	skip "its reader is found where memory was busy" "this machine does not count memory bandwidth"
fi

# Counters that are given up are free for others.
runs_all_the_time() {
	count -a instructions -- sleep 1 && [ -n "$(counted enabled)" ] && [ "$(counted running)" = "$(counted enabled)" ]
}
if has_pmu; then
	check "yield is answered" "$PROFILER" yield --socket "$work/control" 30
	check "a counter of another one runs all the time meanwhile" runs_all_the_time
	check "they are taken back" "$PROFILER" yield --socket "$work/control" --end
else
	skip "counters are given up" "there is no hardware PMU"
fi
end_started
check "what was written is whole" "$PROFILER" verify "$work/state"
finish
