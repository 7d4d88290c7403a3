# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: an emulated PMU whose machine counts its own time in instructions (-icount), so
# that rates, counts and ratios are exact: every instruction takes the same time.

sampled=sampler/sample_to_perf_ring
case $(uname -m) in
aarch64) per_cycle=0.5 missed=0.002 ;; # shift=1: two cycles of 1 GHz are one instruction
riscv64) per_cycle=1.0 missed=0.03 ;;  # shift=0, a cycle each; the kernel sees an overflow a little late
esac

at_rate() { # EVENT
	profile rate -e "$1@99Hz" -- "$workloads/shares" functions 4 || return
	ask rate "e['fired'] == '$1'" "balanced(e)" "abs(e['samples'] / (99 * e['ledger']['running_ns'] / 1e9) - 1) <= 0.03"
}
if [ "$(uname -m)" = aarch64 ]; then
	attempt $sampled "cycles at 99 Hz: rate x time within 3 %" at_rate cycles
	attempt $sampled "instructions at 99 Hz: rate x time within 3 %" at_rate instructions
fi

# Instructions: QEMU looks at a counter that was set anew no earlier than at the next timer tick or system call, so that the
# period is long beside the tick.
by_period() { # EVENT PERIOD TRANSPORT ATTACH
	profile period -e "$1@$2" --transport "$3" --attach "$4" -- "$workloads/shares" functions 2 || return
	ask period "e['fired'] == '$1'" "balanced(e)" "e['weight'] == e['samples'] * $2" \
		"abs(e['samples'] / (e['ledger']['count'] / $2) - 1) <= 0.03" \
		"abs(e['ledger']['count'] - e['weight']) <= $2 + $missed * e['ledger']['count']"
}
attempt $sampled "cycles by period: count / period samples, and the periods add up to the count" by_period cycles 1000003 perf link
attempt sampler/sample_to_bpf_ring "cycles by period, into BPF rings by ioctl" by_period cycles 1000003 bpf ioctl
attempt $sampled "instructions by period: count / period samples, and the periods add up" by_period instructions 5000011 perf ioctl

together() {
	profile together -e cycles@99Hz,instructions@1000003,cpu-clock@99Hz,page-faults@1 -- "$workloads/shares" functions 3 || return
	ask together "[x['fired'] for x in r['events']] == ['cycles', 'instructions', 'cpu-clock', 'page-faults']" \
		"all(balanced(x) for x in r['events'])" "known_function(event('cycles'))" \
		"event('page-faults')['weight'] == event('page-faults')['ledger']['count']" \
		"abs(event('instructions')['ledger']['count'] / event('cycles')['ledger']['count'] / $per_cycle - 1) <= 0.01"
}
attempt $sampled "hardware and software events together; $per_cycle instructions a cycle within 1 %" together

known_count() {
	local known
	profile known -e instructions@5000011 -- "$workloads/instructions" 600000000 || return
	known=$(cat "$work/known.out")
	ask known "balanced(e)" "abs(e['ledger']['count'] / $known - 1) <= 0.02" \
		"abs(rows(e)['known_instructions']['self_weight'] / $known - 1) <= 0.02"
}
attempt $sampled "an instruction count known by construction, within 2 %, also in its function" known_count

# Counters read at each sample. A function without a value had too few samples.
values="[x['metric']['value'] for x in e['rows'] if x['metric']['value'] is not None]"
each_function() {
	profile counted -e cycles@1000003 --counters cycles,instructions -- "$workloads/shares" functions 4 || return
	"$PROFILER" report --metric ipc --json --limit 0 "$work/counted.seg" >"$work/counted.json" || return
	ask counted "balanced(e)" "len($values) >= 3" "all(abs(v / $per_cycle - 1) <= 0.01 for v in $values)"
}

# A miss for each load of the one function and none for the other's: `stat` says so of the whole run, and how many instructions
# a load takes; the counters at each sample must say it of each function.
misses_by_function() {
	local loads=20000000
	"$PROFILER" stat --json -o "$work/tlb.stat" -e instructions,dTLB-load-misses -- "$workloads/tlb" $loads &&
		profile tlb -e cpu-clock@999Hz --counters instructions,dTLB-load-misses -- "$workloads/tlb" $loads &&
		"$PROFILER" report --metric dtlb_mpki --json --limit 0 "$work/tlb.seg" >"$work/tlb.json" || return
	cat "$work/tlb.stat"
	python3 -SE - "$work/tlb.stat" "$work/tlb.json" $loads <<-'PY'
		import json, sys
		count = {x["event"]: x["count"] for x in json.load(open(sys.argv[1]))["events"]}
		rows = {x["name"]: x["metric"] for x in json.load(open(sys.argv[2]))["events"][0]["rows"]}
		loads = int(sys.argv[3])
		by_stat = 1000 * loads / (count["instructions"] / 2)
		walk, stay = (rows[f]["value"] for f in ("walk_many_pages", "stay_in_one_page"))
		print("misses", count["dTLB-load-misses"], "of loads", loads, "per 1000 instructions", by_stat, "walk", walk, "stay", stay)
		sys.exit(not (abs(count["dTLB-load-misses"] / loads - 1) <= 0.01 and abs(walk / by_stat - 1) <= 0.03 and stay <= 0.01 * walk))
	PY
}

in_turns() {
	local events=instructions:u known i
	for i in 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do events=$events,instructions:u; done
	timeout 120 "$PROFILER" stat --json -o "$work/turns.json" -e $events -- "$workloads/instructions" 600000000 >"$work/turns.out" || return
	cat "$work/turns.json"
	known=$(cat "$work/turns.out")
	python3 -SE - "$work/turns.json" "$known" <<-'PY'
		import json, sys
		events = json.load(open(sys.argv[1]))["events"]
		sys.exit(not (len(events) == 24 and all(0 < x["running_ratio"] < 0.9 and abs(x["value"] / int(sys.argv[2]) - 1) <= 0.02
		                                        for x in events)))
	PY
}
# QEMU's RISC-V has one counter for each event: it cannot count one twice.
if [ "$(uname -m)" = aarch64 ]; then
	attempt sampler/count_to_perf_ring "counters at each sample: $per_cycle instructions a cycle within 1 % in every function" each_function
	attempt - "24 events on few counters: each scales to the known count within 2 %" in_turns
else
	attempt sampler/count_to_perf_ring "counters at each sample: TLB misses per 1000 instructions in each function, within 3 %" misses_by_function
fi
