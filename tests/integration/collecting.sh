# SPDX-License-Identifier: Apache-2.0
# Sourced, after lib.sh, by the tests that run a collector beside a workload and judge its rows.
collector=
# Before Linux 5.11 maps of all of a user's processes count against each one's limit.
ulimit -l unlimited 2>/dev/null

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
