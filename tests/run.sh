#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests below a build directory and ends with "N passed, N failed, N skipped".
#
# usage: tests/run.sh BUILD [unit|fuzz|integration]...
#
# Every test is a program that prints TAP ("ok N - claim", "not ok N - claim", "ok N - claim # SKIP reason"). One that
# exits non-zero without a "not ok", or prints no result at all, counts as failed.
set -u
cd "$(dirname "$0")/.."
O=$1
shift
[ $# -gt 0 ] || set -- unit fuzz integration

passed=0 failed=0 skipped=0
skips=() failures=()
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# execute NAME COMMAND...: leaves output, exit code and seconds in files called by the name.
execute() {
	local file=$out/${1//\//_} started=$SECONDS
	shift
	"$@" >"$file" 2>&1 </dev/null
	echo $? >"$file.code"
	echo $((SECONDS - started)) >"$file.seconds"
}

# account NAME: counts what an executed test said.
account() {
	local name=$1 file=$out/${1//\//_} code ok notok skip
	code=$(<"$file.code")
	skip=$(grep -cE '^ok .*# SKIP' "$file")
	ok=$(($(grep -cE '^ok( |$)' "$file") - skip))
	notok=$(grep -cE '^not ok( |$)' "$file")
	if [ "$notok" -eq 0 ] && { [ "$code" -ne 0 ] || [ $((ok + skip)) -eq 0 ]; }; then
		notok=1
		failures+=("$name: exit code $code without a result")
	fi
	while IFS= read -r line; do skips+=("$name: ${line#ok }"); done < <(grep -E '^ok .*# SKIP' "$file")
	while IFS= read -r line; do failures+=("$name: ${line#not ok }"); done < <(grep -E '^not ok' "$file")
	passed=$((passed + ok)) failed=$((failed + notok)) skipped=$((skipped + skip))
	printf '  %-40s %4d passed %3d failed %3d skipped  %3ds\n' "$name" "$ok" "$notok" "$skip" "$(<"$file.seconds")"
	[ "$notok" -eq 0 ] || sed 's/^/    | /' "$file" | tail -n 100
}

# beside NAME COMMAND...: executes in the background, as many at a time as there are CPUs.
beside() {
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
	execute "$@" &
}

# Of the unit tests these compute for seconds, and do nothing else. What samples, waits or looks at this host runs alone.
computing=' test_counter_group test_counters test_metric test_metric_encodings test_record test_segment test_segment_crash test_segment_damage '

run_unit_tests() {
	local names=() name
	for t in tests/unit/test_*.c; do names+=("$(basename "$t" .c)"); done
	unit_test() { # HOW NAME
		"$1" "unit/$2" env CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=detect_leaks=1 timeout 300 "$O/tests/$2"
	}
	for name in "${names[@]}"; do
		[[ $computing != *" $name "* ]] || unit_test beside "$name"
	done
	wait
	for name in "${names[@]}"; do
		[[ $computing == *" $name "* ]] || unit_test execute "$name"
		account "unit/$name"
	done
}

# Fuzzers take their time whatever runs beside them.
run_fuzzers() {
	local names=() name
	for t in tests/fuzz/fuzz_*.c; do names+=("$(basename "$t" .c)"); done
	for name in "${names[@]}"; do beside "fuzz/$name" tests/fuzz/run.sh "$O" 10 "$name"; done
	wait
	for name in "${names[@]}"; do account "fuzz/$name"; done
}

for suite; do
	case $suite in
	unit) run_unit_tests ;;
	fuzz) run_fuzzers ;;
	integration)
		for t in tests/integration/test_*.sh; do
			[ -e "$t" ] || continue
			name=integration/$(basename "$t" .sh)
			execute "$name" timeout 900 "$t" "$O"
			account "$name"
		done
		;;
	*)
		echo "tests/run.sh: unknown suite '$suite'" >&2
		exit 2
		;;
	esac
done

[ ${#skips[@]} -eq 0 ] || printf 'skipped: %s\n' "${skips[@]}"
[ ${#failures[@]} -eq 0 ] || printf 'FAILED: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
