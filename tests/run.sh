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
out=$(mktemp)
trap 'rm -f "$out"' EXIT

run() {
	local name=$1 code ok notok skip started=$SECONDS
	shift
	"$@" >"$out" 2>&1 </dev/null
	code=$?
	skip=$(grep -cE '^ok .*# SKIP' "$out")
	ok=$(($(grep -cE '^ok( |$)' "$out") - skip))
	notok=$(grep -cE '^not ok( |$)' "$out")
	if [ "$notok" -eq 0 ] && { [ "$code" -ne 0 ] || [ $((ok + skip)) -eq 0 ]; }; then
		notok=1
		failures+=("$name: exit code $code without a result")
	fi
	while IFS= read -r line; do skips+=("$name: ${line#ok }"); done < <(grep -E '^ok .*# SKIP' "$out")
	while IFS= read -r line; do failures+=("$name: ${line#not ok }"); done < <(grep -E '^not ok' "$out")
	passed=$((passed + ok)) failed=$((failed + notok)) skipped=$((skipped + skip))
	printf '  %-40s %4d passed %3d failed %3d skipped  %3ds\n' "$name" "$ok" "$notok" "$skip" $((SECONDS - started))
	[ "$notok" -eq 0 ] || sed 's/^/    | /' "$out" | tail -n 100
}

for suite; do
	case $suite in
	unit)
		for t in tests/unit/test_*.c; do
			name=$(basename "$t" .c)
			run "unit/$name" env CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=detect_leaks=1 timeout 300 "$O/tests/$name"
		done
		;;
	fuzz)
		for t in tests/fuzz/fuzz_*.c; do
			[ -e "$t" ] || continue
			run "fuzz/$(basename "$t" .c)" tests/fuzz/run.sh "$O" 10 "$(basename "$t" .c)"
		done
		;;
	integration)
		for t in tests/integration/test_*.sh; do
			[ -e "$t" ] || continue
			run "integration/$(basename "$t" .sh)" timeout 900 "$t" "$O"
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
