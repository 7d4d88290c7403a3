# SPDX-License-Identifier: Apache-2.0
# Sourced, after lib.sh, by the tests that run a collector beside a workload and judge its rows.
collector=
# Before Linux 5.11 maps of all of a user's processes count against each one's limit.
ulimit -l unlimited 2>/dev/null

# tracefs where it is not mounted, in a mount namespace of this test's own: begins the test anew.
own_tracefs() {
	[ ! -e /sys/kernel/tracing/events/syscalls ] && [ -z "${OWN_TRACEFS:-}" ] || return 0
	export OWN_TRACEFS=1
	rm -rf "$work"
	exec unshare -m sh -c 'mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"' sh "$0" "$O"
}

# collect NAME OPTION...: in the background, writing $work/rows; comes back when it has read once. What stands in
# ${inside[@]} runs it.
inside=()
collect() {
	rm -f "$work/rows"
	background "${inside[@]}" "$PROFILER" collect "$@" --json >"$work/rows" 2>"$work/err"
	collector=$!
	until_true 60 test -s "$work/rows" || { cat "$work/err"; return 1; }
}

# Ends the collector, which then reads once more, and judges its rows.
judge() { # EXPRESSION...
	kill -INT "$collector"
	wait "$collector" || { cat "$work/err"; return 1; }
	tests/integration/judge_rows.py "$work/rows" "$@"
}

# run COMMAND...: in the background, so that $pid is known, and to its end.
run() {
	"$@" >"$work/out" 2>&1 &
	pid=$!
	wait $pid
}
