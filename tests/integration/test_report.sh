#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `report` over what `record` wrote on the running kernel: every grouping adds up, several files are one time line, a
# file can be read while it is written, and whoever may not read is told so.
. "$(dirname "$0")/lib.sh"

hostile=$work/$'\e[2J<script>\n\xff;"'

record() {
	local file=$1
	shift
	"$PROFILER" record -F 499 -o "$work/$file" "$@" >/dev/null 2>"$work/record.err" || {
		cat "$work/record.err"
		return 1
	}
}

# ask FILE EXPRESSION: python over the JSON report `r`, its first event `e`.
ask() {
	python3 - "$1" "$2" <<-'PY'
		import json, sys
		r = json.load(open(sys.argv[1]))
		e = r["events"][0]
		v = eval("(" + sys.argv[2] + ")")
		print(sys.argv[2], "->", v)
		sys.exit(0 if v else 1)
	PY
}

cp "$O/workloads/shares" "$hostile"
check "a program with a hostile name is recorded" record first.seg -- "$hostile" functions 2
check "another recording follows" record second.seg -- "$O/workloads/shares" threads 1

for by in function module process thread comm unit container cpu node kernel-user; do
	"$PROFILER" report --by "$by" --json "$work/first.seg" >"$work/$by.json"
	check "by $by the samples and weights add up to the event's" ask "$work/$by.json" \
		"sum(x['self_samples'] for x in e['rows']) == e['samples'] > 0 and
		 sum(x['self_weight'] for x in e['rows']) == e['weight'] and
		 abs(sum(x['self_percent'] for x in e['rows']) - 100) < 0.01 and
		 all(x.get('children_weight', x['self_weight']) >= x['self_weight'] for x in e['rows'])"
	"$PROFILER" report --by "$by" "$work/first.seg" >"$work/$by.txt"
	check "by $by no control byte reaches the terminal" python3 -c "
import sys
text = open('$work/$by.txt', 'rb').read()
text.decode('utf-8')
sys.exit(any(c < 32 and c != 10 or c == 127 for c in text))"
done

mkdir "$work/both"
cp "$work/first.seg" "$work/second.seg" "$work/both"
for f in first.seg second.seg both; do "$PROFILER" report --json "$work/$f" >"$work/$f.json"; done
sum=$(python3 -c "
import json
print(sum(json.load(open('$work/' + f + '.json'))['events'][0]['samples'] for f in ('first.seg', 'second.seg')))")
check "a directory is its files together" ask "$work/both.json" "e['samples'] == $sum and r['segments'] == 2"

boundary=$(python3 -c "
import json
print('@%.6f' % (json.load(open('$work/second.seg.json'))['window']['first_sample_ns'] / 1e9 - 1e-5))")
"$PROFILER" report --json --since "$boundary" "$work/both" >"$work/since.json"
"$PROFILER" report --json --until "$boundary" "$work/both" >"$work/until.json"
check "a window begins where it is told to" cmp \
	<(python3 -c "import json; print(json.load(open('$work/since.json'))['events'][0]['rows'])") \
	<(python3 -c "import json; print(json.load(open('$work/second.seg.json'))['events'][0]['rows'])")
check "and ends there" ask "$work/until.json" "e['samples'] == $sum - $(python3 -c "
import json
print(json.load(open('$work/second.seg.json'))['events'][0]['samples'])")"

background "$PROFILER" record -F 99 -d 20 -o "$work/live.seg" -e cpu-clock >/dev/null 2>&1
recorder=$!
background "$O/workloads/shares" functions 20 >/dev/null
# ends when a report of the file that is being written has samples, and again when it has more
more_than() {
	local n
	for _ in $(seq 200); do
		n=$("$PROFILER" report --json "$work/live.seg.active" 2>/dev/null |
			python3 -c 'import json, sys; print(json.load(sys.stdin)["events"][0]["samples"])' 2>/dev/null)
		[ "${n:-0}" -gt "$1" ] && echo "$n" && return 0
		sleep 0.1
	done
	return 1
}
n=$(more_than 0)
check "a segment is readable while it is written" test -n "$n"
check "and grows" more_than "${n:-0}"
kill -INT "$recorder"

chmod 700 "$work"
cp "$PROFILER" "/var/tmp/ebpf-profiler-test.$$"
setpriv --reuid=65534 --regid=65534 --clear-groups "/var/tmp/ebpf-profiler-test.$$" report "$work/both" \
	>"$work/denied" 2>&1
code=$?
rm -f "/var/tmp/ebpf-profiler-test.$$"
check "who may not read gets exit code 4" test "$code" -eq 4
check "and the sentence that says what to be" grep -q "Permission denied; be root, or a member of the group" "$work/denied"
"$PROFILER" report "$work/first.seg" >/dev/full 2>"$work/full"
check "a full disk is no success" test "$?" -eq 1

finish
