#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs fuzz targets for a time each, from the seeds in tests/fuzz/corpus/NAME; prints TAP.
#
# usage: tests/fuzz/run.sh BUILD SECONDS [NAME]...
set -u
cd "$(dirname "$0")/../.."
O=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(cd tests/fuzz && ls fuzz_*.c | sed 's/\.c$//')
n=0 status=0
for name; do
	n=$((n + 1))
	work=$O/fuzzing/$name
	mkdir -p "$work" "tests/fuzz/corpus/$name"
	if "$O/fuzzers/$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=0 \
		-artifact_prefix="$work/" "$work" "tests/fuzz/corpus/$name" >"$work.log" 2>&1; then
		echo "ok $n - $name: $seconds s without a finding"
	else
		tail -n 40 "$work.log"
		echo "not ok $n - $name"
		status=1
	fi
done
exit $status
