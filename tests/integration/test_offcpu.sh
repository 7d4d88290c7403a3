#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Time off the CPU is sampled with its stacks, and its weight is the time that a sleeper measures itself.
. "$(dirname "$0")/lib.sh"

sleeper=$O/workloads/sleeper
if ! "$PROFILER" record -d 100ms -e offcpu -o "$work/probe.seg" >"$work/probe.out" 2>&1; then
	skip "time off the CPU is sampled" "BPF cannot be used here: $(tail -n 1 "$work/probe.out")"
	finish
fi

# record FILE OPTION... -- COMMAND...: the command's own output, the truth, goes to $work/truth.
record() {
	local file=$1
	shift
	"$PROFILER" record -o "$file" "$@" >"$work/truth" 2>"$work/record.err" || sed 's/^/# /' "$work/record.err"
}

# holds CLAIM FILE EXPRESSION: Python over the report; e is its last event, row(NAME) finds a row, truth the nanoseconds slept.
holds() {
	"$PROFILER" report --json --limit=0 "$2" >"$work/report.json" 2>"$work/report.err" || sed 's/^/# /' "$work/report.err"
	check "$1" python3 - "$work/report.json" "$work/truth" "$3" <<-'END'
		import json, sys
		events = json.load(open(sys.argv[1]))["events"]
		e, truth = events[-1], int(open(sys.argv[2]).read() or 0)
		none = {"self_samples": 0, "children_percent": 0, "children_samples": 0}
		row = lambda name: next((r for r in e["rows"] if r["name"] == name), none)
		print(sys.argv[3], {k: v for k, v in e.items() if k != "rows"}, truth, [r["name"] for r in e["rows"]])
		sys.exit(not eval(sys.argv[3]))
	END
}

# Beside its sleeps a thread waits for its turn, on a loaded machine for long: that is no part of the truth.
near='abs(row("slumber")["children_percent"] / 100 * e["weight"] - truth) <= 0.05 * truth'
record "$work/sleep.seg" -e offcpu -- "$sleeper" 100 10
holds "the weight is what the sleeper measured, within 5 %" "$work/sleep.seg" "$near"
holds "a sample for each sleep, within 5 %" "$work/sleep.seg" '95 <= row("slumber")["children_samples"] <= 130'
if [ "$(awk '/ __schedule$/ { print $1; exit }' /proc/kallsyms)" != 0000000000000000 ] && grep -q ' __schedule$' /proc/kallsyms; then
	holds "stacks begin in the scheduler, not in what traces it" "$work/sleep.seg" 'row("__schedule")["self_samples"] == e["samples"]'
else
	skip "stacks begin in the scheduler, not in what traces it" "addresses in /proc/kallsyms are hidden"
fi

record "$work/child.seg" -e offcpu -- "$sleeper" 60 10 child
holds "descendants of a command are followed" "$work/child.seg" "$near"

record "$work/bpf.seg" -e offcpu --transport bpf -- "$sleeper" 60 10
holds "the same through BPF rings" "$work/bpf.seg" "$near"

record "$work/min.seg" -e offcpu --offcpu-min 10s -- "$sleeper" 60 10
check "what is shorter than offcpu-min is filtered" grep -q '^0 samples' "$work/record.err"
record "$work/max.seg" -e offcpu --offcpu-max 5ms -- "$sleeper" 60 10
check "what is longer than offcpu-max is filtered" sh -c "! '$PROFILER' report --json --limit=0 '$work/max.seg' | grep -q '\"children_samples\": *[3-9][0-9]'"

record "$work/both.seg" -e cpu-clock,offcpu -a -- "$sleeper" 60 10
"$PROFILER" report --json --limit=0 --comm sleeper "$work/both.seg" >"$work/both.json" 2>&1
check "beside another event, over the whole host" python3 - "$work/both.json" "$work/truth" <<-'END'
	import json, sys
	events = json.load(open(sys.argv[1]))["events"]
	truth = int(open(sys.argv[2]).read())
	off = [e for e in events if e["fired"] == "offcpu"]
	print([(e["fired"], e["weight"]) for e in events], truth)
	sys.exit(not (off and off[0]["weight"] >= 0.95 * truth and off[0]["unit"] == "ns"))
END
check "its segment is whole" "$PROFILER" verify "$work/both.seg"
check "a flame graph shows it" sh -c "'$PROFILER' flame -o '$work/off.html' '$work/sleep.seg' && grep -q slumber '$work/off.html'"

refused() { # WORDS OPTION...
	local words=$1
	shift
	! "$PROFILER" record -o "$work/refused.seg" -d 100ms "$@" 2>"$work/refused.err" && grep -q "$words" "$work/refused.err"
}
check "BPF rings are not shared with an event of another context" refused "cannot share BPF rings" -e cpu-clock,offcpu --transport bpf
check "CPUs cannot be chosen" refused "cannot be limited to some CPUs" -e offcpu -C 0
finish
