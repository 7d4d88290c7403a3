#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `metrics` beside perf on the running machine: what can be computed is what perf can count.
. "$(dirname "$0")/lib.sh"

"$PROFILER" metrics --json >"$work/metrics.json"
result $? "metrics --json succeeds"
check "its output is JSON" python3 -m json.tool "$work/metrics.json"

# rows TRUE|FALSE: of each metric that is (not) available, name and the specs that decide it.
rows() {
	python3 - "$work/metrics.json" "$1" <<-'PY'
		import json, sys
		cpu = json.load(open(sys.argv[1]))["cpus"][0]
		assert cpu["this_machine"]
		for m in cpu["metrics"]:
		    if m["available"] != (sys.argv[2] == "true"):
		        continue
		    assert (m["reason"] is None) == m["available"], m
		    specs = [e["spec"] for e in m["events"] if m["available"] or e["name"] == m["missing"]]
		    print(m["name"], *[s for s in specs if not s.startswith("cpu/topdown-")])
	PY
}

# perf_can SPEC: perf counts it on the whole machine.
perf_can() {
	perf stat -a -x, -e "$1" -- true >"$work/perf.out" 2>&1 || return 1
	! grep -qE '<not (supported|counted)>' "$work/perf.out"
}

same_as_perf() {
	local name specs spec bad=0
	while read -r name specs; do
		for spec in $specs; do perf_can "$spec" || { echo "$name: perf cannot count $spec"; bad=1; }; done
	done < <(rows true)
	while read -r name specs; do
		for spec in $specs; do ! perf_can "$spec" || { echo "$name: perf counts $spec"; bad=1; }; done
	done < <(rows false | sort -u -k2,2)
	return $bad
}
if perf stat -a -x, -e cpu-clock -- true >/dev/null 2>&1; then
	check "what is available perf can count, and what is missing it cannot" same_as_perf
else
	skip "what is available perf can count" "perf does not work here"
fi

check "docs/metrics.md is what the program's tables say" \
	bash -c 'diff docs/metrics.md <(scripts/document_metrics.py "$0")' "$PROFILER"

"$PROFILER" metrics >"$work/metrics.txt"
check "the text says how many of how many" grep -qE '^[0-9]+ of [0-9]+ metrics$' "$work/metrics.txt"
reasons_once() {
	[ "$(grep -cE '^  \[[0-9]+\]' "$work/metrics.txt")" = "$(grep -E '^  \[[0-9]+\]' "$work/metrics.txt" | sort -u | wc -l)" ]
}
check "each reason is said once" reasons_once

"$PROFILER" metrics --cpu icelake-sp TOPDOWN >"$work/icx.txt"
result $? "another CPU's catalogue is listed, a pattern in another case matches"
check "only matching names are shown" [ "$(grep -cE '^  topdown_' "$work/icx.txt")" = 4 ]
check "nothing is said of this machine" [ "$(grep -c 'can not' "$work/icx.txt")" = 0 ]
"$PROFILER" metrics --cpu sapphire-rapids -v topdown_memory >"$work/spr.txt"
check "--verbose shows the encoding, its source and the group it needs" \
	grep -qF 'td_mem_bound = cpu/topdown-mem-bound/: PERF_METRICS [Linux arch/x86/events/intel/core.c], in a group led by slots' \
	"$work/spr.txt"
"$PROFILER" metrics --cpu broadwell-ep llc >"$work/bdx.txt"
check "what is near the truth only says why" grep -q '^      ~ erratum BDM100' "$work/bdx.txt"

"$PROFILER" metrics nothing-like-it >"$work/out.txt" 2>"$work/err.txt"
check "a pattern nothing contains exits with 1" [ $? = 1 ]
"$PROFILER" metrics $'x\033[31m\n' >"$work/out.txt" 2>"$work/err.txt"
check "control characters of a pattern do not reach the terminal" grep -qF 'x\x1b[31m\x0a' "$work/err.txt"
"$PROFILER" metrics --cpu pentium >"$work/out.txt" 2>"$work/err.txt"
check "a CPU that is not in the catalogue is wrong usage" [ $? = 2 ]
"$PROFILER" metrics one two >"$work/out.txt" 2>&1
check "two patterns are wrong usage" [ $? = 2 ]
"$PROFILER" metrics >/dev/full 2>"$work/err.txt"
check "a full output is an error" [ $? = 1 ]
check "--help succeeds" "$PROFILER" metrics --help

if [ "$(id -u)" != 0 ]; then
	skip "a Broadwell-EP is known by its cpuinfo" "needs root for a mount namespace"
	finish
fi

# Another machine's cpuinfo, and its memory controllers in sysfs, whose type this kernel does not know.
printf 'vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 79\n\n' >"$work/cpuinfo"
cat >"$work/fixture.sh" <<'EOS'
mount --bind "$2" /proc/cpuinfo
mount -t tmpfs none /sys/bus/event_source/devices
cd /sys/bus/event_source/devices
for i in 0 1 4 5; do
	mkdir -p uncore_imc_$i/format
	echo $((4242 + i)) >uncore_imc_$i/type
	echo 0 >uncore_imc_$i/cpumask
	echo config:0-7 >uncore_imc_$i/format/event
	echo config:8-15 >uncore_imc_$i/format/umask
done
exec "$1" metrics
EOS
unshare -m sh "$work/fixture.sh" "$PROFILER" "$work/cpuinfo" >"$work/fixture.txt"
check "a Broadwell-EP is known by its cpuinfo" grep -q '^Intel Broadwell-EP (broadwell-ep)$' "$work/fixture.txt"
check "a memory controller the kernel no longer has is named" \
	grep -q 'PMU uncore_imc_0 .*driver (ENOENT)' "$work/fixture.txt"
check "a PMU that is not there is named with its driver" \
	grep -q 'no PMU uncore_qpi: its driver (intel_uncore)' "$work/fixture.txt"

finish
