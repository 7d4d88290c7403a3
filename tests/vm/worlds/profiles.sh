# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: the whole way of samples, from the kernel to a report, and what a profile must hold.

# User stacks by rows, for long enough that rows are there for most of them; on other machines the refusal.
unwinding() {
	local answer
	case $(uname -m) in
	x86_64 | aarch64)
		profile unwinding -F 199 --unwind dwarf -- "$workloads/shares" functions 4 || return
		ask unwinding "known_function(e)" "balanced(e)" \
			"e['user_stacks']['complete'] > 0.3 * (e['samples'] - e['user_stacks']['none'])" \
			"e['user_stacks']['unverified'] == 0"
		;;
	*)
		answer=$("$PROFILER" record --unwind dwarf -d 1 -o "$work/no.seg" 2>&1) && return 1
		echo "$answer"
		grep -q 'x86-64 and arm64' <<<"$answer" && "$PROFILER" record --unwind auto -d 1 -o "$work/no.seg"
		;;
	esac
}
attempt sampler/unwind_to_perf_ring "most user stacks are complete" unwinding

# Every page fault is a sample: nothing may be lost, and each sample's period is one. The ring has room for all of them, for
# who reads it may have no CPU until they are over. On a CPU where a task is preempted within a call of bpf(2), which we make
# too, the kernel runs no program for a perf event: of three tries one must be without that.
page_faults() {
	for _ in 1 2 3; do
		profile "faults-$1" -e cpu-clock@199Hz,page-faults@1 --unwind fp --ring-size 4M --transport "$1" -- "$workloads/pages" 5000 &&
			ask "faults-$1" "event('page-faults')['samples'] >= 5000" "balanced(event('page-faults'))" \
				"event('page-faults')['weight'] <= event('page-faults')['ledger']['count']" \
				"share(event('page-faults'), 'touch_pages') > 90" || return
		ask "faults-$1" "event('page-faults')['weight'] == event('page-faults')['ledger']['count']" && return
	done
	return 1
}
attempt sampler/sample_to_perf_ring "sum of periods = the event's own count" page_faults perf
attempt sampler/sample_to_bpf_ring "sum of periods = the event's own count" page_faults bpf

whole_way() {
	profile whole -F 199 -- "$workloads/shares" functions 2 &&
		ask whole "known_function(e)" "balanced(e)" "functions_have_names(e)" &&
		"$PROFILER" verify "$work/whole.seg" &&
		"$PROFILER" export --format folded -o - "$work/whole.seg" | grep -q burn_seventy &&
		"$PROFILER" flame -o "$work/flame.html" "$work/whole.seg" && grep -q burn_seventy "$work/flame.html"
}
attempt - "record, report, verify, export, flame" whole_way

whole_host() {
	local busy r
	"$workloads/shares" functions 300 >/dev/null &
	busy=$!
	profile host -F 199 -d 2
	r=$?
	kill $busy
	wait $busy
	[ $r -eq 0 ] && ask host "share(e, 'burn_seventy') > 10" "balanced(e)"
}
attempt - "the whole host" whole_host

check_says() {
	"$PROFILER" check --json >"$work/check.json"
	local code=$?
	cat "$work/check.json"
	[ $code -eq 0 ] || [ $code -eq 3 ]
}
attempt - "check finds a sampler that works" check_says

attempt - "nothing is left behind" nothing_left
