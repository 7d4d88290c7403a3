# SPDX-License-Identifier: Apache-2.0
# Sourced by the integration tests: TAP output, a private directory, the built program.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
O=$(realpath "${1:-build}")
PROFILER=$O/ebpf-profiler
tests_run=0 tests_failed=0
work=$(mktemp -d "${TMPDIR:-/var/tmp}/ebpf-profiler-test.XXXXXX")
started_pids=()

cleanup() {
	local p
	for p in "${started_pids[@]:-}"; do [ -z "$p" ] || kill "$p" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

# result CODE CLAIM: one TAP line; 0 is success.
result() {
	tests_run=$((tests_run + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests_run - $2"
	else
		echo "not ok $tests_run - $2"
		tests_failed=$((tests_failed + 1))
	fi
}

# check CLAIM COMMAND...: runs the command; its failure is the test's.
check() {
	local claim=$1
	shift
	if "$@" >"$work/check.out" 2>&1; then
		result 0 "$claim"
	else
		sed 's/^/# /' "$work/check.out"
		result 1 "$claim"
	fi
}

skip() {
	tests_run=$((tests_run + 1))
	echo "ok $tests_run - $1 # SKIP $2"
}

finish() {
	echo "1..$tests_run"
	[ "$tests_failed" -eq 0 ]
	exit
}

# background COMMAND...: starts it, remembers its pid in $! and ends it at exit.
background() {
	"$@" &
	started_pids+=($!)
}

# programs_of PID: ids of the BPF programs it holds; others on this machine have theirs.
programs_of() {
	cat "/proc/$1/fdinfo"/* 2>/dev/null | sed -n 's/^prog_id:[[:space:]]*//p' | sort -u
}

# until_true SECONDS COMMAND...: tries ten times a second.
until_true() {
	local tries=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

no_program_left() { # ID...
	local id
	for id; do ! bpftool prog show id "$id" >/dev/null 2>&1 || return 1; done
}
