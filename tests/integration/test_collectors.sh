#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The collectors on the running machine: each delivers, or says why not; values agree with others' of the same moment; the
# manual page is theirs.
. "$(dirname "$0")/lib.sh"

"$PROFILER" collectors --local --json >"$work/collectors.json"
result $? "collectors --json succeeds"

# names TRUE|FALSE: of the collectors that are (not) available.
names() {
	python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["collectors"]:
    if c["available"] == (sys.argv[2] == "true"):
        print(c["name"])' "$work/collectors.json" "$1"
}

one_row() { # NAME
	timeout 20 "$PROFILER" collect "$1" -I 200 -n 1 --json >"$work/row.json" && grep -q '"table":"'"$1" "$work/row.json"
}
for c in $(names true); do
	check "$c delivers a row" one_row "$c"
done

refused_with_reason() { # NAME
	"$PROFILER" collect "$1" -n 1 >"$work/out" 2>"$work/err"
	[ $? -eq 69 ] && [ ! -s "$work/out" ] && grep -q "$1" "$work/err" && [ "$(wc -c <"$work/err")" -gt 40 ]
}
for c in $(names false); do
	check "$c cannot work here, and says why" refused_with_reason "$c"
done

check "values agree with /proc, vmstat and ss" tests/integration/compare_collectors.py "$PROFILER"
check "docs/collectors.md lists the program's own tables" scripts/document_collectors.py "$PROFILER" --check

finish
