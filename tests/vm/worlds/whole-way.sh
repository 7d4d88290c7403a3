# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: a sample's whole way, in a guest that has little of something.

whole() {
	local busy r
	"$workloads/shares" functions 300 >/dev/null &
	busy=$!
	profile small -F 199 -d 3
	r=$?
	kill $busy
	wait $busy
	free -m
	[ $r -eq 0 ] && ask small "share(e, 'burn_seventy') > 25" "balanced(e)" && "$PROFILER" verify "$work/small.seg" &&
		"$PROFILER" export --format pprof -o "$work/small.pb.gz" "$work/small.seg"
}
attempt sampler/sample_to_perf_ring "record, report, verify, export with $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB" whole
