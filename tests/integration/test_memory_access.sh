#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The memory access of each sample, on the running kernel: page faults have the address that was touched, page by page, in
# reports, in an export as perf reads it, and to a second reader of the file; what no sample tells is said.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
pages=3000

record() { # NAME OPTION...
	local name=$1
	shift
	"$PROFILER" record -e page-faults@1,cpu-clock@999Hz "$@" -o "$work/$name.seg" -- "$O/workloads/pages" region $pages \
		>"$work/$name.region" 2>"$work/$name.err"
}

# pages_of FILE: each line of it is an address; every page of the region is there once.
pages_of() {
	python3 - "$work/with.region" "$1" $pages <<-'PY'
		import collections, sys
		start, end = (int(n, 16) for n in open(sys.argv[1]).read().split())
		seen = collections.Counter(int(line, 16) & -4096 for line in open(sys.argv[2]))
		inside = {p: n for p, n in seen.items() if start <= p < end}
		print(hex(start), hex(end), len(seen), len(inside), max(inside.values(), default=0))
		sys.exit(not (len(inside) == int(sys.argv[3]) and max(inside.values()) == 1))
	PY
}

# expect CODE WORDS COMMAND...: the exit code, and words of what it prints.
expect() {
	local want=$1 words=$2 code
	shift 2
	"$@" >"$work/out" 2>&1
	code=$?
	[ "$code" -eq "$want" ] || { echo "exit code $code, not $want" && cat "$work/out" && return 1; }
	tr '\n' ' ' <"$work/out" | grep -qF -- "$words" || { echo "no '$words' in:" && cat "$work/out" && return 1; }
}

check "a recording with the memory access of each sample" record with --memory-access
check "a clock has none, which is said" grep -q 'cpu-clock tells no memory access of its samples' "$work/with.err"
"$PROFILER" report --by page --json --event page-faults "$work/with.seg" >"$work/page.json"
python3 -c '
import json, sys
for row in json.load(open(sys.argv[1]))["events"][0]["rows"]:
    print("\n".join([row["name"]] * row["self_samples"]))' "$work/page.json" >"$work/page.addresses"
check "each page that was touched is a row with one sample" pages_of "$work/page.addresses"
check "every page fault has an address" python3 -c '
import json, sys
e = json.load(open(sys.argv[1]))["events"][0]
assert e["memory_access"] == {"addresses": e["samples"], "data_sources": 0, "latencies": 0}, e["memory_access"]' "$work/page.json"
check "a reader written from docs/format.md finds the same pages" \
	python3 tests/integration/read_segment.py "$work/with.seg" --pages "$work/page.json"

"$PROFILER" export --format perf.data --event page-faults -o "$work/perf.data" "$work/with.seg"
perf script -i "$work/perf.data" -F addr 2>"$work/perf.err" >"$work/perf.addresses"
check "perf reads the same addresses from an export" pages_of "$work/perf.addresses"
perf script -i "$work/perf.data" -F data_src,weight 2>>"$work/perf.err" | sort | uniq -c >"$work/perf.sources"
check "and neither a data source nor a latency" awk '
	{ n += $1; if ($0 ~ /OP N\/A.LVL N\/A/ && / 0$/) untold += $1 }
	END { exit !(n && untold == n) }' "$work/perf.sources"

for by in data-source tlb; do
	check "by $by: no sample tells it, which is said, with exit code 7" expect 7 \
		"no sample of page-faults came with a data source; precise events of the hardware have one (PEBS, IBS)" \
		"$PROFILER" report --by $by "$work/with.seg"
done
check "nor a latency" expect 7 "came with a latency" "$PROFILER" report --by latency "$work/with.seg"
check "a table of cache lines has a row for what has no address" expect 0 "[no address]" \
	"$PROFILER" report --by address --limit 0 "$work/with.seg"

check "a recording without" record without
check "its samples were taken without their memory access, which is said" expect 7 \
	"the samples of page-faults were taken without their memory access" "$PROFILER" report --by page "$work/without.seg"
finish
