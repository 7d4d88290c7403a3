#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `events` beside perf on the running machine: the same events exist, and the same ones work.
. "$(dirname "$0")/lib.sh"

"$PROFILER" events --json >"$work/events.json"
result $? "events --json succeeds"
check "its output is JSON" python3 -m json.tool "$work/events.json"

# ability NAME: what our list says of one event.
ability() {
	python3 - "$work/events.json" "$1" <<-'PY'
		import json, sys
		for e in json.load(open(sys.argv[1]))["events"]:
		    if e["name"] == sys.argv[2]:
		        print(e["ability"])
	PY
}

# perf_can NAME: perf counts it on the whole machine, a CPU at a time.
perf_can() {
	perf stat -a -x, -e "$1" -- true >"$work/perf.out" 2>&1 || return 1
	! grep -q 'not supported' "$work/perf.out"
}

totals_are_sums() {
	python3 - "$work/events.json" <<-'PY'
		import collections, json, sys
		d = json.load(open(sys.argv[1]))
		n = collections.Counter((e["source"], e["ability"]) for e in d["events"])
		for source, t in d["totals"].items():
		    for ability, total in t.items():
		        assert n[source, ability] == total, (source, ability)
		for e in d["events"]:
		    sampled = e["ability"] == "samples"
		    assert sampled == ("default_hz" in e or "default_period" in e), e
		    assert sampled == (e["reason"] is None), e
		    assert sampled or e["errno"].startswith("E"), e
	PY
}
check "the totals are the sums of the rows, and what does not sample says why" totals_are_sums

same_software_events() {
	local name missing=0
	for name in $(perf list sw 2>/dev/null | awk '/Software event/ { print $1 }'); do
		[ -n "$(ability "$name")" ] || { echo "perf has $name"; missing=1; }
	done
	return $missing
}
check "every software event of perf is listed" same_software_events

same_abilities() {
	local name ours theirs bad=0
	for name in cycles instructions ref-cycles bus-cycles branches branch-misses cache-references cache-misses \
		stalled-cycles-frontend stalled-cycles-backend L1-dcache-loads L1-dcache-load-misses \
		L1-icache-load-misses dTLB-load-misses iTLB-load-misses node-loads cpu-clock task-clock page-faults \
		minor-faults major-faults context-switches cpu-migrations cgroup-switches alignment-faults \
		emulation-faults; do
		ours=$(ability "$name") theirs=unavailable
		perf_can "$name" && theirs=usable
		[ "$ours" = unavailable ] || ours=usable
		[ "$ours" = "$theirs" ] || { echo "$name: $ours, perf says $theirs"; bad=1; }
	done
	return $bad
}
check "generic and software events work here exactly when they do for perf" same_abilities

same_sysfs_events() {
	diff <(python3 -c 'import json,sys
print("\n".join(sorted(e["name"] for e in json.load(open(sys.argv[1]))["events"] if e["source"] == "sysfs")))' \
		"$work/events.json") \
		<(cd /sys/bus/event_source/devices && for f in */events/*; do
			case $f in *'*' | *.scale | *.unit | *.snapshot | *.per-pkg) continue ;; esac
			echo "${f%%/*}/${f##*/}/"
		done | LC_ALL=C sort)
}
check "every event of every PMU in sysfs is listed, and nothing else" same_sysfs_events

if perf_can msr/tsc/; then
	check "msr/tsc/ counts and does not sample" [ "$(ability msr/tsc/)" = counts ]
else
	skip "msr/tsc/ counts and does not sample" "this machine has no msr PMU"
fi
check "cpu-clock samples" [ "$(ability cpu-clock)" = samples ]
check "dummy does not sample" [ "$(ability dummy)" = counts ]

if [ -d /sys/bus/event_source/devices/cpu ] || [ -d /sys/bus/event_source/devices/cpu_core ]; then
	skip "without a PMU the reason is said once" "this machine has a PMU"
else
	"$PROFILER" events >"$work/events.txt"
	check "without a PMU cycles is unavailable" grep -qE '^  cycles +no \[[0-9]+\]' "$work/events.txt"
	check "the reason is ENOENT: no PMU, and cpu-clock works" \
		grep -qE '^  \[[0-9]+\] this machine has no hardware PMU \(ENOENT\).*cpu-clock' "$work/events.txt"
	check "it is said once for each source" \
		[ "$(grep -c 'no hardware PMU' "$work/events.txt")" -le "$(grep -c '^[a-z]' "$work/events.txt")" ]
fi

"$PROFILER" events CLOCK >"$work/clock.txt"
result $? "a pattern in another case matches"
check "only matching names are shown" [ "$(grep -cE '^  [a-z]' "$work/clock.txt")" = 2 ]

"$PROFILER" events cycels >"$work/out.txt" 2>"$work/err.txt"
check "a pattern nothing contains exits with 1" [ $? = 1 ]
check "and names what is near" grep -q "near it: cycles" "$work/err.txt"
"$PROFILER" events $'x\033[31m\n' >"$work/out.txt" 2>"$work/err.txt"
check "control characters of a pattern do not reach the terminal" grep -qF 'x\x1b[31m\x0a' "$work/err.txt"
"$PROFILER" events one two >"$work/out.txt" 2>&1
check "two patterns are wrong usage" [ $? = 2 ]
"$PROFILER" events --nonsense >"$work/out.txt" 2>&1
check "an unknown option is wrong usage" [ $? = 2 ]
"$PROFILER" events >/dev/full 2>"$work/err.txt"
check "a full output is an error" [ $? = 1 ]
check "--help succeeds" "$PROFILER" events --help

if [ "$(id -u)" != 0 ]; then
	skip "without a capability the reason names it" "needs root to drop capabilities"
	skip "a hidden /proc/sys leaves the aliases working" "needs root for a mount namespace"
	finish
fi

chmod 755 "$work"
cp "$PROFILER" "$work/profiler"
unprivileged() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; }
paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
if [ "$paranoid" -ge 1 ]; then
	(cd / && unprivileged "$work/profiler" events cpu-clock) >"$work/nobody.txt"
	check "without a capability the reason names it, and the sysctl's value" \
		grep -q "(EACCES): kernel.perf_event_paranoid is $paranoid and .*CAP_PERFMON" "$work/nobody.txt"
else
	skip "without a capability the reason names it" "kernel.perf_event_paranoid is $paranoid"
fi

# libpfm4 falls silent only where it knows the CPU; of one that it does not know it is told another.
hidden() {
	"$PROFILER" events --json | grep -q '"source": "libpfm4"' || export LIBPFM_FORCE_PMU=skx
	unshare -m sh -c 'mount -t tmpfs none /proc/sys/kernel && exec "$0" events --json' "$PROFILER" >"$work/hidden.json" &&
		grep -q ProcSubset=pid "$work/hidden.json"
}
check "a hidden /proc/sys is named as the cause of libpfm4's silence" eval "(hidden)"
cp "$work/hidden.json" "$work/events.json"
check "and leaves cpu-clock working" [ "$(ability cpu-clock)" = samples ]

# libpfm4 takes the machine for a Broadwell-EP whose memory controller the kernel knows as type 4242.
cat >"$work/libpfm4.sh" <<'EOS'
mount -t tmpfs none /sys/devices
mount -t tmpfs none /sys/bus/event_source/devices
for d in /sys/devices/uncore_imc_0 /sys/bus/event_source/devices/uncore_imc_0; do
	mkdir $d
	echo 4242 >$d/type
	echo 0 >$d/cpumask
done
LIBPFM_FORCE_PMU=bdx_unc_imc0 exec "$1" events --json UNC_M_CAS_COUNT:RD
EOS
if [ "$(uname -m)" = x86_64 ]; then
	unshare -m sh "$work/libpfm4.sh" "$PROFILER" >"$work/libpfm4.json"
	check "libpfm4's uncore events belong to the PMU sysfs names, and are not taken for events of the cores" \
		grep -q '"pmu": "uncore_imc_0"' "$work/libpfm4.json"
else
	skip "libpfm4's uncore events belong to the PMU sysfs names" "its x86 tables are not built in here"
fi

# Another machine's sysfs, in our own mount namespace: the kernel does not know its types.
cat >"$work/fixture.sh" <<'EOS'
mount -t tmpfs none /sys/bus/event_source/devices
cd /sys/bus/event_source/devices
mkdir -p uncore_imc_0/events uncore_imc_0/format
echo 4242 >uncore_imc_0/type
echo 0 >uncore_imc_0/cpumask
echo config:0-7 >uncore_imc_0/format/event
echo event=0x04 >uncore_imc_0/events/cas_count_read
echo MiB >uncore_imc_0/events/cas_count_read.unit
exec "$1" events cas_count
EOS
unshare -m sh "$work/fixture.sh" "$PROFILER" >"$work/fixture.txt"
check "a PMU the kernel no longer has is unavailable, with its events and units" \
	grep -qE '^  uncore_imc_0/cas_count_read/ +no \[1\] +event=0x04, in MiB' "$work/fixture.txt"
check "and the reason is that its driver is gone" grep -q 'PMU uncore_imc_0 .*driver (ENOENT)' "$work/fixture.txt"

finish
