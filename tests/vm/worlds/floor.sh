# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: what Linux 4.18 has, forced here: the perf ring, attaching by ioctl, no BTF.

# Before 5.2 the kernel takes no program above 4,096 instructions. Unwinding by rows is not for such kernels: it reads with
# bpf_probe_read_user(), which came in 5.5.
programs_are_short() {
	"$O/vm-programs/verify_programs" "$O/bpf/sampler.bpf.o" "$O/bpf/exec.bpf.o" >"$work/lengths" || return
	awk -F'\t' '$1 == "accepted" && $3 !~ /unwind_to_/ { print $3, $5; n++; if ($5 > 4096) long = 1 } END { exit long || !n }' "$work/lengths"
}
attempt - "no program of sampler and exec that such a kernel loads is longer than 4,096 instructions" programs_are_short

mount -t tmpfs none /sys/kernel/btf
at_the_floor() {
	profile floor -F 199 --attach ioctl --transport perf --unwind fp "$@" -- "$workloads/shares" functions 2 || return
	ask floor "known_function(e)" "balanced(e)" "functions_have_names(e)"
}
attempt sampler/sample_to_perf_ring "as on 4.18: perf ring, ioctl, no BTF" at_the_floor
attempt sampler/count_to_perf_ring "as on 4.18: perf ring, ioctl, no BTF" at_the_floor --counters page-faults

exec_at_the_floor() {
	"$PROFILER" collect exec -I 200 --json --set transport=perf --set attach=tracepoint >"$work/exec.json" 2>"$work/exec.err" &
	local collecting=$! found=1
	for _ in $(seq 100); do
		/bin/true
		sleep 0.2
		if grep -q '"call":"execve",.*"file":"/bin/true"' "$work/exec.json"; then found=0 && break; fi
	done
	kill -INT $collecting
	wait $collecting
	cat "$work/exec.err"
	return $found
}
attempt exec/enter_execve "as on 4.18: perf ring, tracepoints, no BTF" exec_at_the_floor
umount /sys/kernel/btf
