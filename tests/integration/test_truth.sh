#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is reported is what happened: workloads whose profile is known by construction, and perf beside us.
. "$(dirname "$0")/lib.sh"

workloads=$O/workloads
if ! "$PROFILER" record -d 100ms -e cpu-clock -o "$work/probe.seg" >"$work/probe.out" 2>&1; then
	skip "known workloads are reported as they are" "nothing can be sampled here: $(tail -n 1 "$work/probe.out")"
	finish
fi

# record FILE OPTION... -- COMMAND...: the command's own output, the truth, goes to $work/truth.
record() {
	local file=$1
	shift
	"$PROFILER" record -o "$file" "$@" >"$work/truth" 2>"$work/record.err" || sed 's/^/# /' "$work/record.err"
}

# value EXPRESSION ARGUMENT...: Python over the report with these arguments; e is its first event, row(NAME) and
# part(TEXT) find rows by name.
value() {
	local expression=$1
	shift
	"$PROFILER" report --json --limit=0 "$@" >"$work/report.json" 2>"$work/report.err" || sed 's/^/# /' "$work/report.err" >&2
	python3 - "$work/report.json" "$expression" <<-'END'
		import json, sys
		e = json.load(open(sys.argv[1]))["events"][0]
		none = {k: 0 for k in ("self_percent", "self_samples", "self_weight", "children_percent", "children_samples")}
		row = lambda name: next((r for r in e["rows"] if r["name"] == name), none)
		part = lambda text: next((r for r in e["rows"] if text in r["name"]), none)
		print(eval(sys.argv[2]))
	END
}

# near CLAIM GOT EXPECTED TOLERANCE
near() {
	python3 -c 'import sys; g, e, t = map(float, sys.argv[1:]); sys.exit(abs(g - e) > t)' "$2" "$3" "$4"
	result $? "$1 (got $2, expected $3 within $4)"
}

record "$work/functions.seg" -F 999 -e cpu-clock -- "$workloads/shares" functions 8
while read -r name percent; do
	near "$name has its share of the time" "$(value "row('$name')['self_percent']" "$work/functions.seg")" "$percent" 3
done <"$work/truth"
near "one caller has it all" "$(value "row('run_functions')['children_percent']" "$work/functions.seg")" 99 2

record "$work/threads.seg" -F 999 -e cpu-clock -- "$workloads/shares" threads 8
while read -r name percent; do
	near "thread $name has its share of the time" \
		"$(value "part('$name ')['self_percent']" --by=thread "$work/threads.seg")" "$percent" 3
done <"$work/truth"

record "$work/kernel.seg" -F 999 -e cpu-clock -- "$workloads/shares" kernel 8
kernel_share=$(sed -n 's/^enter_kernel //p' "$work/truth")
near "what a function does in the kernel is found below it" \
	"$(value "row('enter_kernel')['children_percent']" "$work/kernel.seg")" "$kernel_share" 3
near "and is told as the kernel's" "$(value "row('[kernel]')['self_percent']" --by=kernel-user "$work/kernel.seg")" "$kernel_share" 4

faults=200000
record "$work/pages.seg" -e cpu-clock@999Hz,page-faults@101 -- "$workloads/pages" $faults
counted=$(cat "$work/truth")
near "page faults stand for as many as the kernel counted" \
	"$(value "e['weight']" --event=page-faults "$work/pages.seg")" "$counted" $((counted / 100))
near "the periods add up to the event's own count" \
	"$(value "100 * e['weight'] / e['ledger']['count']" --event=page-faults "$work/pages.seg")" 100 1
near "one function has all page faults" "$(value "row('touch_pages')['self_percent']" --event=page-faults "$work/pages.seg")" 99.5 1
near "two events of one file are told apart" "$(value "int(e['fired'] == 'page-faults' and row('touch_pages')['self_samples'] > 1000)" \
	--event=page-faults "$work/pages.seg")" 1 0
near "the other event has its own samples" "$(value "int(e['fired'] == 'cpu-clock' and e['samples'] > 0)" --event=cpu-clock "$work/pages.seg")" 1 0

record "$work/storm.seg" -F 999 -e cpu-clock -- "$workloads/storm" 300 20
near "processes that live 20 ms have names" \
	"$(value "row('brief_life')['children_percent']" --comm=storm-child --comm=exe "$work/storm.seg")" 85 15
near "and hardly a frame is without one" "$(value "100 * e['unsymbolised_weight'] / e['weight']" "$work/storm.seg")" 0 3

if command -v perf >/dev/null; then
	# Both at once on the same process, so that they see the same seconds.
	record "$work/both.seg" -F 999 -e cpu-clock -- \
		perf record -q -B -g -F 999 -e cpu-clock -o "$work/perf.data" -- "$workloads/shares" functions 8
	perf script -i "$work/perf.data" -F comm,ip,sym >"$work/perf.txt" 2>/dev/null
	perf_samples=$(grep -c '^shares' "$work/perf.txt")
	[ "$perf_samples" -gt 0 ] || sed 's/^/# /' "$work/record.err" "$work/truth"
	near "as many samples as perf record" "$(value "e['samples']" --comm=shares "$work/both.seg")" "$perf_samples" $((perf_samples / 20))
	seventy=$(awk '/^shares/ { leaf = 1; n++; next } leaf { if ($2 == "burn_seventy") hits++; leaf = 0 } END { print 100 * hits / n }' "$work/perf.txt")
	near "the same share as perf finds" "$(value "row('burn_seventy')['self_percent']" --comm=shares "$work/both.seg")" "$seventy" 3
else
	skip "as many samples as perf record" "perf is not installed"
fi

finish
