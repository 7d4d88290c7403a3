#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The flame graph in a real browser: zoom, search, keys, addresses, hostile names.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1

make_pages() {
	mkdir "$work/names" &&
		"$PROFILER" record -e cpu-clock@999Hz -o "$work/shares.seg" -- "$O/workloads/shares" functions 2 &&
		"$PROFILER" report --json --limit=0 "$work/shares.seg" >"$work/report.json" &&
		"$PROFILER" flame -o "$work/shares.html" "$work/shares.seg" &&
		"$PROFILER" record -e cpu-clock@999Hz,page-faults@10 -o "$work/names.seg" \
			-- "$O/workloads/names" "$work/names" 0.05 &&
		"$PROFILER" flame -o "$work/names.html" "$work/names.seg"
}
check "recordings become pages" make_pages

# The browser's claims are ours, behind our numbers.
python3 tests/integration/flame_page.py "$work/shares.html" "$work/report.json" "$work/names.html" \
	>"$work/browser.tap" 2>"$work/browser.err"
driven=$?
while IFS= read -r line; do
	case $line in
	"ok "*) result 0 "${line#ok * - }" ;;
	"not ok "*) result 1 "${line#not ok * - }" ;;
	"#"*) echo "$line" ;;
	esac
done <"$work/browser.tap"
sed 's/^/# /' "$work/browser.err"
check "the browser was driven to the end" test "$driven" -eq 0

finish
