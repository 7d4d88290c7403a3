#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Counters read at each sample, on the running kernel: of two functions of one program one faults pages and the other
# only burns time, and their page faults per millisecond tell which; in text, in JSON, and as colours.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1

# record NAME OPTION...: one recording of the two neighbours; what they say of themselves goes to NAME.truth.
record() {
	local name=$1
	shift
	"$PROFILER" record -e cpu-clock@999Hz,page-faults@1009 --counters page-faults,cpu-clock "$@" -o "$work/$name.seg" \
		-- "$O/workloads/pages" neighbours 4 >"$work/$name.truth" &&
		"$PROFILER" report --metric faults-per-ms --limit=0 --json "$work/$name.seg" >"$work/$name.json" &&
		"$PROFILER" report --metric faults-per-ms --limit=0 --event cpu-clock "$work/$name.seg" >"$work/$name.txt"
}

# ask NAME EXPRESSION: python over report r, its first event e, its rows by name f, and the truth t in faults per ms.
ask() {
	python3 - "$work/$1.json" "$work/$1.truth" "$2" <<-'PY'
		import json, sys
		r = json.load(open(sys.argv[1]))
		e = r["events"][0]
		f = {row["name"]: row for row in e["rows"]}
		t = {n: int(faults) / float(ms) for n, ms, faults in (line.split() for line in open(sys.argv[2]))}
		touch, burn = (f[n]["children_metric"] for n in ("touch_pages", "burn_cpu"))
		v = eval("(" + sys.argv[3] + ")")
		print(sys.argv[3], "->", v, touch, burn, e["metric"], t)
		sys.exit(0 if v else 1)
	PY
}

for way in whole split; do
	[ $way = split ] && options=--split-at-switch || options=
	# shellcheck disable=SC2086
	check "$way: a recording with counters" record $way $options
	check "$way: both functions have a value" ask $way "touch['value'] is not None and burn['value'] is not None"
	check "$way: their page faults per millisecond are told apart ten times" ask $way "touch['value'] >= 10 * burn['value']"
	check "$way: the value is what the program says of itself, within a quarter" ask $way \
		"abs(touch['value'] - t['touch_pages']) <= 0.25 * t['touch_pages']"
	check "$way: the text says the same" awk '
		$NF == "pages" && $(NF - 1) == "touch_pages" { touch = $2 }
		$NF == "pages" && $(NF - 1) == "burn_cpu" { burn = $2 }
		END { exit !(touch > 0 && burn != "" && touch >= 10 * burn) }' "$work/$way.txt"
	check "$way: rows are counted in as many samples as the whole" ask $way \
		"sum(x['metric']['samples'] for x in e['rows']) == e['metric']['all']['samples']"
	check "$way: what is left out is counted" ask $way \
		"0 < e['metric']['all']['samples'] <= e['samples'] - e['metric']['mixed_samples']"
	check "$way: software counters count all the time" ask $way "e['metric']['all']['running_ratio'] == 1"
	for by in process thread unit cpu module; do
		"$PROFILER" report --metric faults-per-ms --by $by --json "$work/$way.seg" >"$work/$way.$by.json"
		check "$way: by $by the samples are the same" python3 -c "
import json
a, b = (json.load(open('$work/' + n))['events'][0] for n in ('$way.json', '$way.$by.json'))
assert a['metric']['all'] == b['metric']['all']
assert sum(x['metric']['samples'] for x in b['rows']) == b['metric']['all']['samples']"
	done
done
check "with a program at each switch nothing is mixed" ask split "e['metric']['mixed_samples'] == 0"
check "without it deltas are never cut" ask whole "e['metric']['cut_samples'] == 0"
# Two tasks of one CPU that wait for each other, many times between two samples.
"$PROFILER" record -e cpu-clock@499Hz --counters page-faults -o "$work/turns.seg" -- \
	taskset -c 0 sh -c 'yes | head -c 200000000 >/dev/null' >"$work/turns.out" 2>&1
"$PROFILER" report --metric faults-per-ms "$work/turns.seg" >"$work/turns.txt"
check "where most deltas are of two tasks the report says what to do" grep -q "most are mixed: 'record --split-at-switch'" "$work/turns.txt"
check "and not elsewhere" bash -c "! grep -q 'most are mixed' '$work/split.txt'"
check "the sampled event may be a half of the ratio" bash -c "
	'$PROFILER' report --metric page-faults/cpu-clock --event page-faults '$work/whole.seg' | grep -q 'over all'"

"$PROFILER" report --metric ipc "$work/whole.seg" >"$work/ipc.out" 2>"$work/ipc.err"
check "a metric without its counters is exit code 7" [ $? -eq 7 ]
check "and a sentence that says what is missing, and what there is" grep -q \
	'ipc needs the counter instructions, which was not read at the samples of cpu-clock; read were page-faults,cpu-clock' \
	"$work/ipc.err"
check "and no table" [ ! -s "$work/ipc.out" ]
"$PROFILER" flame --colour ipc -o "$work/ipc.html" "$work/whole.seg" 2>"$work/ipc.err"
check "nor a page" test $? -eq 7 -a ! -e "$work/ipc.html"

# A kernel that refuses to read counters in a program on a perf event: samples come without, and say why.
# shellcheck disable=SC2086
check "the refusal of Linux 4.18 can be played" ${CC:-cc} -shared -fPIC -O1 -o "$work/refuse.so" \
	-DTYPE=BPF_PROG_TYPE_PERF_EVENT -DHELPER=BPF_FUNC_perf_event_read_value tests/integration/refuse_programs.c -ldl
for unwind in auto fp; do
	LD_PRELOAD="$work/refuse.so" "$PROFILER" record -e cpu-clock@499Hz --counters page-faults --split-at-switch \
		--unwind $unwind -o "$work/refused.seg" -- "$O/workloads/pages" 100000 >/dev/null 2>"$work/refused.err"
	check "unwind $unwind: a kernel that refuses the counters still samples" [ $? -eq 0 ]
	check "unwind $unwind: and the reason is said" grep -q \
		'counters are not read at samples: .*unknown func helper#55' "$work/refused.err"
	"$PROFILER" report "$work/refused.seg" >"$work/refused.txt"
	check "unwind $unwind: the report notes it" grep -q '^Note .* counters are not read at samples: ' "$work/refused.txt"
	check "unwind $unwind: the samples are there" grep -q '^Samples   [1-9]' "$work/refused.txt"
	[ $unwind = fp ] || check "unwinding by rows is not given up for it" grep -q '^Stacks .* complete' "$work/refused.txt"
	"$PROFILER" report --metric faults-per-ms "$work/refused.seg" >/dev/null 2>"$work/refused.err"
	check "unwind $unwind: a metric of theirs is exit code 7" [ $? -eq 7 ]
done

check "a page coloured by the metric" "$PROFILER" flame --colour faults-per-ms --min-percent=0 -o "$work/whole.html" "$work/whole.seg"
python3 tests/integration/metric_page.py "$work/whole.html" "$work/whole.json" >"$work/browser.tap" 2>"$work/browser.err"
driven=$?
while IFS= read -r line; do
	case $line in
	"ok "*) result 0 "${line#ok * - }" ;;
	"not ok "*) result 1 "${line#not ok * - }" ;;
	"#"*) echo "$line" ;;
	esac
done <"$work/browser.tap"
sed 's/^/# /' "$work/browser.err"
check "the browser was driven to the end" test "$driven" -eq 0

finish
