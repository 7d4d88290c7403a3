#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Time off the CPU is sampled with its stacks, and its weight is the time that a sleeper measures itself; user
# stacks are whole without frame pointers.
. "$(dirname "$0")/lib.sh"

sleeper=$O/workloads/sleeper
if ! "$PROFILER" record -d 100ms -e offcpu -o "$work/probe.seg" >"$work/probe.out" 2>&1; then
	skip "time off the CPU is sampled" "BPF cannot be used here: $(tail -n 1 "$work/probe.out")"
	finish
fi

# record FILE OPTION... -- COMMAND...: the command's own output, the truth, goes to $work/truth. By frame pointers, which the
# sleeper keeps: they need no rows first.
record() {
	local file=$1
	shift
	"$PROFILER" record --unwind fp -o "$file" "$@" >"$work/truth" 2>"$work/record.err" || sed 's/^/# /' "$work/record.err"
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

# A sleep lasts for as long as was asked for at least. What the sleeper measures is more by what it then waits for its turn, which
# is off the CPU, too, and by what the host of a virtual machine takes from it on the CPU, which is not. Beside its sleeps it
# waits for its turn as well: that is no part of the truth.
near() { echo "0.95 * $1 * 10e6 <= row('slumber')['children_percent'] / 100 * e['weight'] <= 1.05 * truth"; }
record "$work/sleep.seg" -e offcpu -- "$sleeper" 100 10
holds "the weight is between what was asked for and what the sleeper measured, within 5 %" "$work/sleep.seg" "$(near 100)"
holds "of stacks by frame pointers none is called whole" "$work/sleep.seg" 'e["user_stacks"]["complete"] == 0'
holds "a sample for each sleep, and not two" "$work/sleep.seg" '95 <= row("slumber")["children_samples"] <= 180'
if [ "$(awk '/ __schedule$/ { print $1; exit }' /proc/kallsyms)" != 0000000000000000 ] && grep -q ' __schedule$' /proc/kallsyms; then
	holds "stacks begin in the scheduler, not in what traces it" "$work/sleep.seg" 'row("__schedule")["self_samples"] == e["samples"]'
else
	skip "stacks begin in the scheduler, not in what traces it" "addresses in /proc/kallsyms are hidden"
fi

record "$work/child.seg" -e offcpu -- "$sleeper" 60 10 child
holds "descendants of a command are followed" "$work/child.seg" "$(near 60)"

record "$work/bpf.seg" -e offcpu --transport bpf -- "$sleeper" 60 10
holds "the same through BPF rings" "$work/bpf.seg" "$(near 60)"

record "$work/min.seg" -e offcpu --offcpu-min 10s -- "$sleeper" 60 10
check "what is shorter than offcpu-min is filtered" grep -q '^0 samples' "$work/record.err"
record "$work/max.seg" -e offcpu --offcpu-max 5ms -- "$sleeper" 60 10
check "what is longer than offcpu-max is filtered" sh -c "! '$PROFILER' report --json --limit=0 '$work/max.seg' | grep -q '\"children_samples\": *[3-9][0-9]'"

record "$work/both.seg" -e cpu-clock,offcpu -a -- "$sleeper" 60 10
"$PROFILER" report --json --limit=0 --comm sleeper "$work/both.seg" >"$work/both.json" 2>&1
check "beside another event, over the whole host" python3 - "$work/both.json" <<-'END'
	import json, sys
	events = json.load(open(sys.argv[1]))["events"]
	off = [e for e in events if e["fired"] == "offcpu"]
	print([(e["fired"], e["weight"]) for e in events])
	sys.exit(not (off and off[0]["weight"] >= 0.95 * 60 * 10e6 and off[0]["unit"] == "ns"))
END
check "its segment is whole" "$PROFILER" verify "$work/both.seg"
check "a flame graph shows it" sh -c "'$PROFILER' flame -o '$work/off.html' '$work/sleep.seg' && grep -q slumber '$work/off.html'"

# Programs without frame pointers that sleep where they stay: stacks by rows, beside samples of the CPU that interrupt them.
. tests/integration/places.sh
build_places() {
	local flags="-O2 -fomit-frame-pointer"
	gcc $flags -fPIE -pie -pthread -o "$work/places" tests/unwind/places.c -ldl &&
		gcc $flags -shared -fPIC -o "$work/library.so" tests/unwind/library.c
}
check "programs without frame pointers are built" build_places
for c in recursion callback thread handler odd-frames; do start "$c" 5 "$work/places" "$c" 40 asleep; done
start library 5 "$work/places" library "$work/library.so" asleep
start bash 14 bash -c 'exec 9<> <(:)
f() { if [ $1 -gt 0 ]; then f $(($1 - 1)); else echo ready; while :; do read -r -t 0.005 -u 9; done; fi; }; f 12'
start python 8 python3 -c '
import time
def f(n):
    if n: return f(n - 1)
    print("ready", flush=True)
    while True: time.sleep(0.005)
sorted([1, 2], key=lambda x: f(10))'
check "all sleep where they stay" until_true 20 all_there
both=(-e "cpu-clock@499Hz,offcpu")
check "their rows are built" until_true 60 rows_are_built "${both[@]}"
check "they are recorded" record_all "$work/places.seg" 3 "${both[@]}"
by_rows='e["fired"] == "offcpu" and e["user_stacks"]["complete"] >= 0.9 * e["samples"] > 300'
echo 0 >"$work/truth"
holds "their stacks are whole" "$work/places.seg" "$by_rows"
judge_all "$work/places.seg"
stop_all

# A kernel that refuses the program of switches to unwind: the sampler's still does.
refuse="-shared -fPIC -O1 -DTYPE=BPF_PROG_TYPE_RAW_TRACEPOINT -DHELPER=BPF_FUNC_task_pt_regs"
# shellcheck disable=SC2086
check "such a refusal can be played" ${CC:-cc} $refuse -o "$work/refuse.so" tests/integration/refuse_programs.c -ldl
LD_PRELOAD="$work/refuse.so" "$PROFILER" record -e cpu-clock@499Hz,offcpu -o "$work/part.seg" -- \
	sh -c "'$O/workloads/shares' functions 1; '$sleeper' 30 10" >"$work/truth" 2>"$work/part.err"
check "its reason is said" grep -q 'User stacks off the CPU are found by frame pointers: .*unknown func helper#' "$work/part.err"
"$PROFILER" report --json --limit=0 "$work/part.seg" >"$work/part.json"
check "those stacks are by frame pointers, the others by rows" python3 - "$work/part.json" <<-'END'
	import json, sys
	on, off = (e["user_stacks"] for e in json.load(open(sys.argv[1]))["events"])
	print(on, off)
	sys.exit(not (on["complete"] > 50 and on["unverified"] == 0 and off["complete"] == 0 and off["unverified"] >= 30))
END
LD_PRELOAD="$work/refuse.so" "$PROFILER" record -e offcpu --unwind dwarf -d 100ms -o "$work/refused.seg" 2>"$work/refused.err"
check "where rows are asked for it is an error" test $? -ne 0 -a ! -e "$work/refused.seg"

refused() { # WORDS OPTION...
	local words=$1
	shift
	! "$PROFILER" record -o "$work/refused.seg" -d 100ms "$@" 2>"$work/refused.err" && grep -q "$words" "$work/refused.err"
}
check "BPF rings are not shared with an event of another context" refused "cannot share BPF rings" -e cpu-clock,offcpu --transport bpf
check "CPUs cannot be chosen" refused "cannot be limited to some CPUs" -e offcpu -C 0
finish
