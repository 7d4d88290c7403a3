# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: every BPF program of the sampler verified, attached and triggered: those of
# perf events by link and by ioctl; those of tracepoints by their only way, a link of the program to the tracepoint.

verify sampler

# A number of instructions, not a time: a guest on a loaded host takes longer for them, and gets its samples all the same.
sampler_way() { # ATTACH TRANSPORT EXPRESSION OPTION...
	local way=way-$1-$2
	profile "$way" -e cpu-clock@499Hz --attach "$1" --transport "$2" "${@:4}" -- "$workloads/instructions" 600000000 &&
		ask "$way" "share(e, 'known_instructions') > 50" "e['samples'] >= 20" "balanced(e)" "$3"
}
# CPU time passes as fast as time does.
counting_way() { # ATTACH TRANSPORT EXPRESSION OPTION...
	local report_options=(--metric task-clock/time --min-samples 1)
	sampler_way "$1" "$2" "0.5e9 < e['metric']['all']['value'] < 2e9 and $3" --counters page-faults,task-clock "${@:4}"
}

# Each sampling program by each way to attach it. Stacks by frame pointers would be unverified, all of them.
by_pointers="e['user_stacks']['unverified'] > 0" by_rows="e['user_stacks']['unverified'] == 0"
for transport in perf bpf; do
	for attach in link ioctl; do
		how="attached by $attach, triggered"
		attempt sampler/sample_to_${transport}_ring "$how" sampler_way $attach $transport "$by_pointers" --unwind fp
		attempt sampler/count_to_${transport}_ring "$how" counting_way $attach $transport "$by_pointers" --unwind fp
		attempt sampler/unwind_to_${transport}_ring "$how" sampler_way $attach $transport "$by_rows" --unwind dwarf
		attempt sampler/count_unwind_to_${transport}_ring "$how" counting_way $attach $transport "$by_rows" --unwind dwarf
	done
done

context_switches() {
	local recording runs=0
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	"$PROFILER" record -F 99 -d 60 --counters task-clock --split-at-switch -o "$work/switch.seg" 2>"$work/switch.err" &
	recording=$!
	for _ in $(seq 100); do
		runs=$("$O/vm-programs/program_runs" $recording | awk '$1 == "close_deltas" { n += $2 } END { print n + 0 }')
		[ "$runs" -lt 10 ] || break
		sleep 0.1
	done
	kill -INT $recording
	wait $recording || { cat "$work/switch.err"; return 1; }
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
	echo "it ran $runs times"
	[ "$runs" -ge 10 ]
}
attempt sampler/close_deltas "attached to context switches, triggered" context_switches

# Ten naps of a tenth of a second. Each begins before the CPU is left, a moment that a loaded host makes long.
naps() {
	for _ in $(seq 10); do sleep 0.1; done
}

# On riscv64 the kernel cannot take a user's stack there without danger, and we refuse to ask for it.
switch_options=() slumber=slumber
if [ "$(uname -m)" = riscv64 ]; then
	switch_options=(--no-user-stacks) slumber=do_nanosleep
	user_stacks_are_refused() {
		"$PROFILER" record -e offcpu -d 1 -o "$work/refused.seg" >"$work/no.out" 2>&1
		local code=$?
		cat "$work/no.out"
		[ $code -eq 4 ] && grep -q 'dangerous for user stacks at context switches' "$work/no.out" && [ ! -e "$work/refused.seg" ]
	}
	attempt sampler/off_cpu_to_perf_ring "user stacks at context switches are refused" user_stacks_are_refused
fi

off_cpu() { # TRANSPORT
	local recording
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	"$PROFILER" record -e offcpu "${switch_options[@]}" --unwind fp --transport "$1" -d 300 -o "$work/off-cpu.seg" 2>"$work/off-cpu.err" &
	recording=$!
	until "$O/vm-programs/program_runs" $recording | grep -q '^off_cpu_to_.* [1-9]'; do
		kill -0 $recording || { cat "$work/off-cpu.err"; return 1; }
		sleep 0.1
	done
	naps
	"$O/vm-programs/program_runs" $recording >"$work/off-cpu.runs"
	kill -INT $recording
	wait $recording || { cat "$work/off-cpu.err"; return 1; }
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
	"$PROFILER" report --json --limit 0 --comm sleep "$work/off-cpu.seg" >"$work/off-cpu.json" || return
	cat "$work/off-cpu.runs"
	ask off-cpu "e['fired'] == 'offcpu'" "e['samples'] >= 10" "e['weight'] >= 0.8e9" "share(e, 'do_nanosleep') > 50"
}
attempt sampler/off_cpu_to_perf_ring "attached to context switches, triggered" off_cpu perf
attempt sampler/off_cpu_to_bpf_ring "attached to context switches, triggered" off_cpu bpf
attempt sampler/off_cpu_freed "attached, triggered" grep -q "^off_cpu_freed [1-9]" "$work/off-cpu.runs"

# By rows, beside samples of the CPU that may interrupt it; perf rings nest.
off_cpu_by_rows() { # TRANSPORT EVENTS
	profile off-cpu-rows -e "$2" "${switch_options[@]}" --unwind dwarf --transport "$1" -- "$workloads/sleeper" 100 20 || return
	ask off-cpu-rows "balanced(event('offcpu'))" "share(event('offcpu'), 'sleep_often') > 50" \
		"event('offcpu')['user_stacks']['complete'] > 0.5 * event('offcpu')['samples']"
}
attempt sampler/off_cpu_unwind_to_perf_ring "attached to context switches, triggered" off_cpu_by_rows perf cpu-clock@199Hz,offcpu
attempt sampler/off_cpu_unwind_to_bpf_ring "attached to context switches, triggered" off_cpu_by_rows bpf offcpu

# No emulated PMU records calls. A clock stands in for one that does: the program runs, and its samples come without.
branches() { # ATTACH TRANSPORT
	LD_PRELOAD=$O/vm-programs/branch_clock.so profile branches -e cpu-clock@97Hz --attach "$1" --transport "$2" --unwind dwarf \
		--unwind-check-lbr -- "$workloads/shares" functions 1 || return
	ask branches "len(r['events']) == 1" "balanced(e)" || return
	"$PROFILER" cat --collector unwind -o json branches.seg | tee branches.rows | grep -q '"branch_stacks":[1-9]' || {
		cat branches.rows
		return 1
	}
}
for transport in perf bpf; do
	for attach in link ioctl; do
		attempt sampler/branches_to_${transport}_ring "attached by $attach, triggered" branches $attach $transport
	done
done

# Of a command, what its descendants do; its parent waits as long.
off_cpu_follows() {
	profile follow -e offcpu "${switch_options[@]}" --unwind fp -- "$workloads/sleeper" 20 20 child &&
		ask follow "e['samples'] >= 15" "share(e, '$slumber') > 25" "balanced(e)" "e['weight'] >= 0.75 * 20 * 20e6"
}
attempt sampler/off_cpu_forked "attached, triggered" off_cpu_follows

# Where the kernel has no bpf_task_pt_regs() the way to the user's registers is measured once, before unwinding.
registers_are_found() {
	profile registers -F 199 --unwind dwarf -- "$workloads/shares" functions 1 &&
		ask registers "known_function(e)" "share(e, 'main') > 25"
}
attempt sampler/calibrate_registers "finds the registers that unwinding begins with" registers_are_found
attempt sampler/calibrate_registers "they lie near the end of the kernel stack" "$O/vm-programs/measure_registers"

attempt - "nothing is left behind" nothing_left
