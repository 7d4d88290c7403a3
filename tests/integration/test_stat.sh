#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `stat` on the running machine: counts are those of perf and of the programs themselves, sums are sums, and what cannot be
# counted says why.
. "$(dirname "$0")/lib.sh"

# ask FILE EXPRESSION: python over the JSON lines of a run: all of them l, the last one j, its events by name e.
ask() {
	python3 - "$1" "$2" <<-'PY'
		import json, sys
		l = [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")]
		j = l[-1]
		e = {x["event"]: x for x in j["events"]}
		v = eval("(" + sys.argv[2] + ")")
		print(sys.argv[2], "->", v, j["events"][:3])
		sys.exit(0 if v else 1)
	PY
}
stat() { "$PROFILER" stat "$@"; }

# --- a command --------------------------------------------------------------------------------------
stat -e page-faults,cpu-clock,context-switches --json -o "$work/command" -- "$O/workloads/pages" 20000 >"$work/said"
result $? "the command's exit code is 0, and so is ours"
check "page faults are those the program says of itself, within 2 %" ask "$work/command" \
	"abs(e['page-faults']['value'] - $(cat "$work/said")) <= 0.02 * $(cat "$work/said")"
check "all of them ran all the time" ask "$work/command" "all(x['running_ratio'] == 1 for x in j['events'])"
if perf stat -x, -e page-faults -o "$work/perf.out" -- "$O/workloads/pages" 20000 >/dev/null 2>&1; then
	perf=$(sed -n 's/^\([0-9]*\),.*page-faults.*/\1/p' "$work/perf.out")
	check "and those perf counts, within 2 %" ask "$work/command" "abs(e['page-faults']['value'] - $perf) <= 0.02 * $perf"
else
	skip "and those perf counts" "perf does not work here"
fi
stat -e page-faults -o /dev/null -- sh -c 'exit 7'
check "its exit code is ours" [ $? -eq 7 ]
stat -e page-faults -o /dev/null -- "$work/nothing" 2>"$work/err"
check "a command that is not there is exit code 127" [ $? -eq 127 ]
check "and called by its name" grep -q "$work/nothing" "$work/err"
stat -e page-faults -- "$O/workloads/pages" 2000 >/dev/null 2>"$work/text"
check "beside a command the table goes to stderr, digits grouped" grep -qE '2,[0-9]{3} .*page-faults' "$work/text"

# --- the host ---------------------------------------------------------------------------------------
cpus=$(getconf _NPROCESSORS_ONLN)
stat -e cpu-clock -d 1 --json >"$work/host"
check "of the host: a second of cpu-clock per CPU and second, within 2 %" ask "$work/host" \
	"abs(e['cpu-clock']['value'] / e['cpu-clock']['enabled_ns'] - 1) < 0.02 and e['cpu-clock']['counted'] == $cpus"
if [ -e /sys/bus/event_source/devices/msr/events/tsc ] && perf stat -a -x, -e msr/tsc/ -o "$work/perf.out" -- sleep 1; then
	rate=$(python3 -c "
count, _, _, ran = open('$work/perf.out').read().split('\n')[-2].split(',')[:4]
print(float(count) / float(ran))")
	stat -e msr/tsc/ -d 1 --json >"$work/tsc"
	check "msr/tsc/ ticks as perf says, within 2 %" ask "$work/tsc" \
		"abs(e['msr/tsc/']['value'] / e['msr/tsc/']['enabled_ns'] / $rate - 1) < 0.02"
else
	skip "msr/tsc/ ticks as perf says" "there is no perf, or no msr/tsc/"
fi
stat -e '{cpu-clock,page-faults}' -d 500ms --json --per-cpu >"$work/cpus"
check "by CPU there is a row for each" ask "$work/cpus" "sum(x['event'] == 'cpu-clock' for x in j['events']) == $cpus"
check "each with the CPU's number, and of the same time as its group" ask "$work/cpus" \
	"len({x['cpu'] for x in j['events']}) == $cpus and len({(x['cpu'], x['enabled_ns']) for x in j['events']}) == $cpus"
stat -e page-faults -I 300 -d 1 --json >"$work/intervals"
check "at an interval, a line each, one after the other" ask "$work/intervals" \
	"len(l) >= 3 and all(abs(a['start_s'] + a['length_s'] - b['start_s']) < 1e-3 for a, b in zip(l, l[1:]))"

# --- a process --------------------------------------------------------------------------------------
sleep 1 &
stat -e context-switches,page-faults --json -p $! >"$work/process"
result $? "a process is counted until it ends"
check "it alone: a sleeping one switches a few times" ask "$work/process" "e['context-switches']['value'] <= 10"

# --- what cannot be ---------------------------------------------------------------------------------
# fails CODE TEXT ARGS...
fails() {
	local code=$1 text=$2
	shift 2
	stat "$@" >"$work/out" 2>&1
	[ $? -eq "$code" ] && grep -q -- "$text" "$work/out"
}
check "an unknown event is refused, with those like it" fails 2 'page-faults' -e page-fault -d 100ms
check "an unknown metric is refused" fails 2 "no metric of this CPU" -M nonsense -d 100ms
check "a group within a group is refused" fails 2 'within another' -e '{page-faults,{cpu-clock}}' -d 100ms
check "a process that is not there" fails 2 '4194303' -p 4194303 -e page-faults
if perf stat -e cycles -x, true 2>&1 | grep -q '^[0-9]'; then
	stat -e cycles,instructions -d 200ms --json >"$work/cycles"
	check "cycles are counted" ask "$work/cycles" "e['cycles']['value'] > 0"
else
	check "without a PMU cycles cannot be counted: 69, and why" fails 69 'no hardware PMU' -e cycles -d 100ms
	check "beside what can be it is absent, not zero" sh -c "
		'$PROFILER' stat -e cycles,page-faults -d 200ms --json | python3 -c '
import json, sys
e = {x[\"event\"]: x for x in json.loads(sys.stdin.readline())[\"events\"]}
print(e)
sys.exit(\"value\" in e[\"cycles\"] and e[\"cycles\"][\"value\"] is not None or not e[\"page-faults\"][\"value\"])'"
	check "a metric names the event that is missing, and why" fails 69 'no hardware PMU' -M ipc -d 100ms
fi

finish
