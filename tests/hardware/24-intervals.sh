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

background "$PROFILER" daemon --config "$work/daemon.conf"
tries=100
until answers || [ $tries -eq 0 ]; do sleep 0.2 && tries=$((tries - 1)); done
check "the service answers" answers
sleep 2
t0=$(date +%s)
sleep $((seconds + 2))
t1=$(date +%s)
"$workloads/stream" read 128 seconds $((seconds + 3)) >/dev/null
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

# share OPTION...: of stream among the samples, in percent
share() {
	"$PROFILER" report --by=process --limit=0 --since="@$t0" "$@" "$work/state" | awk '$NF == "stream" || / stream / { sub("%", "", $1); print $1; exit }'
}
if metric memory_bandwidth; then
	threshold=$(calc "($idle + $busy) / 2")
	when=$(share --when "memory_bandwidth > $threshold")
	all=$(share)
	measured "share of stream's samples, of all time" "${all:-0}"
	measured "share of stream's samples while memory was busy" "${when:-0}"
	check "while memory was busy, its reader is found" holds "${when:-0} > 1.2 * ${all:-0} && ${when:-0} > 0"
else
	skip "while memory was busy, its reader is found" "this machine does not count memory bandwidth"
fi

# Counters that are given up are free for others.
if has_pmu; then
	check "yield is answered" "$PROFILER" yield --socket "$work/control" 30
	count -a instructions -- sleep 1
	check "a counter of another one runs all the time meanwhile" [ "$(counted running)" = "$(counted enabled)" ]
	check "they are taken back" "$PROFILER" yield --socket "$work/control" --end
else
	skip "counters are given up" "there is no hardware PMU"
fi
end_started
check "what was written is whole" "$PROFILER" verify "$work/state"
finish
