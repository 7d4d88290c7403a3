#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Turns what the tests printed into test-report.md and junit.xml, and says in its exit code how it went.
#
# usage: report.sh DIRECTORY SIGNAL CHOSEN
#   DIRECTORY   of scripts/run-hardware-tests.sh: tap/NAME.tap, tap/NAME.code ("EXIT SECONDS"), machine.md, check.json
#   SIGNAL      that ended the run, or nothing
#   CHOSEN      names of the tests that should have run
#
# Exit codes: 0 PASS, 1 FAIL, 77 SKIP, 128 + SIGNAL interrupted. PASS takes a PMU, a claim that held, and no failure.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
directory=$1 signal=${2:-} chosen=${3:-}
report=$directory/test-report.md

# results.tsv: TEST TAB pass|fail|skip TAB CLAIM TAB REASON-OR-DETAIL TAB SECONDS
collect() {
	local tap name code seconds
	for tap in "$directory"/tap/*.tap; do
		[ -e "$tap" ] || continue
		name=$(basename "$tap" .tap)
		read -r code seconds 2>/dev/null <"$directory/tap/$name.code" || code='' seconds=0
		awk -v name="$name" -v code="$code" -v seconds="$seconds" -f "$here/tap.awk" "$tap"
	done
	for name in $chosen; do
		[ -e "$directory/tap/$name.tap" ] || printf '%s\tmissing\tnot run\t\t0\n' "$name"
	done
}

# number WORD [TEST]: how many results of this kind
number() {
	awk -F '\t' -v word="$1" -v test="${2:-}" '$2 == word && (test == "" || $1 == test) { n++ } END { print n + 0 }' \
		"$directory/results.tsv"
}
# Claims that held in the tests, not in the stages around them.
held() {
	awk -F '\t' '$2 == "pass" && $1 !~ /^(00|99)-/ { n++ } END { print n + 0 }' "$directory/results.tsv"
}
checked() {
	[ ! -e "$directory/check.json" ] ||
		awk -f "$here/json.awk" "$directory/check.json" | awk -F '\t' -v path="$1" '$1 == path { print $2; exit }'
}

judge() {
	pmu=$(checked features.sampling_cycles.available)
	if [ -n "$signal" ]; then
		status=INTERRUPTED code=$((128 + signal)) why="ended by signal $signal; what ran before is below"
		[ "$(number fail)" -eq 0 ] || why="$why, with failures"
	elif [ "$(number fail)" -gt 0 ]; then
		status=FAIL code=1 why="$(number fail) claims do not hold"
	elif [ "$(number missing)" -gt 0 ]; then
		status=FAIL code=1 why="$(number missing) tests did not run"
	elif [ "$pmu" != true ]; then
		status=SKIP code=77 why="no hardware PMU could be opened here; only what needs none was tested"
	elif [ "$(held)" -eq 0 ]; then
		status=SKIP code=77 why="nothing could be tested"
	else
		status=PASS code=0 why="every claim that could be tested holds"
	fi
}

# Markdown of what may hold any character.
cell() {
	sed 's/\\/\\\\/g; s/|/\\|/g; s/</\&lt;/g; s/`/'"'"'/g'
}

environment() {
	sed -n '/^- model:/p; /^- arm/p; /^- vendor/p; /^- microcode/p; /^- CPUs online/p; /^- packages/p; /^- cores/p; /^- node/p
		/^- memory/p; /^- kernel/p; /^- distribution/p; /^- machine:/p; /^- virtualised/p; /^- technology/p; /^- evidence/p
		/^- core_pmus/p; /^- ebpf-profiler/p; /^- source/p; /^- perf:/p' "$directory/machine.md" | cell
}

settings() {
	local p value
	[ -e "$directory/settings.before" ] || { echo "Not touched." && return; }
	if [ -s "$directory/settings.applied" ]; then sed 's/^/- during the tests: /' "$directory/settings.applied"; else
		echo "- during the tests: nothing was changed"
	fi
	while read -r p value; do
		echo "- afterwards: $p = $(cat "$p" 2>/dev/null), before $value"
	done <"$directory/settings.before" | grep -v '/cpu[0-9]*/online = 1, before 1$'
}

by_test() {
	echo '| test | status | passed | failed | skipped | seconds |'
	echo '|---|---|---:|---:|---:|---:|'
	awk -F '\t' '
		!($1 in seen) { seen[$1] = 1; order[++n] = $1 }
		{ count[$1, $2]++; seconds[$1] = $5 }
		END {
			for (i = 1; i <= n; i++) {
				t = order[i]
				status = count[t, "fail"] ? "**FAIL**" : count[t, "missing"] ? "not run" : count[t, "pass"] ? "PASS" : "SKIP"
				printf "| %s | %s | %d | %d | %d | %d |\n", t, status, count[t, "pass"], count[t, "fail"], count[t, "skip"], seconds[t]
			}
		}' "$directory/results.tsv"
}

# of_kind WORD: its claims with their reasons
of_kind() {
	awk -F '\t' -v word="$1" '$2 == word { printf "- %s: %s%s\n", $1, $3, $4 == "" ? "" : " (" $4 ")" }' "$directory/results.tsv" | cell
}

figures() {
	local tap name
	echo '| test | figure | value |'
	echo '|---|---|---:|'
	for tap in "$directory"/tap/*.tap; do
		[ -e "$tap" ] || continue
		name=$(basename "$tap" .tap)
		sed -n 's/^# measured: //p' "$tap" | cell | sed "s/^\(.*\) = \(.*\)\$/| $name | \1 | \2 |/"
	done
}

write_report() {
	echo "# Hardware tests of ebpf-profiler"
	printf '\n**%s: %s**\n\n' "$status" "$why"
	echo "$(held) claims hold, $(number fail) do not, $(number skip) could not be tested; $(date -u '+%Y-%m-%d %H:%M UTC')."
	printf '\n## Machine\n\n'
	environment
	printf '\nEverything else about it: machine.md.\n'
	if [ "$(number fail)" -gt 0 ]; then
		printf '\n## What does not hold\n\n'
		of_kind fail
	fi
	printf '\n## Tests\n\n'
	by_test
	printf '\n## Figures\n\n'
	figures
	if [ "$(number skip)" -gt 0 ]; then
		printf '\n## Not tested, and why\n\n'
		of_kind skip
	fi
	printf '\n## Settings of the host\n\n'
	settings
	printf '\nThe raw output is in hardware-tests.log, the same results for machines in junit.xml.\n'
}

# --- JUnit ---

# XML knows no control characters at all.
write_junit() {
	printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="ebpf-profiler hardware tests" tests="%d" failures="%d" skipped="%d">\n' \
		"$(grep -c . "$directory/results.tsv")" "$(($(number fail) + $(number missing)))" "$(number skip)"
	tr -d '\000-\010\013-\037' <"$directory/results.tsv" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g' | awk -F '\t' '
		!($1 in seen) { seen[$1] = 1; order[++n] = $1 }
		{
			total[$1]++; seconds[$1] = $5
			line = "    <testcase classname=\"hardware." $1 "\" name=\"" $3 "\""
			if ($2 == "pass") line = line "/>"
			else if ($2 == "skip") line = line "><skipped message=\"" $4 "\"/></testcase>"
			else { line = line "><failure message=\"" ($4 == "" ? $3 : $4) "\"/></testcase>"; bad[$1]++ }
			if ($2 == "skip") skipped[$1]++
			cases[$1] = cases[$1] line "\n"
		}
		END {
			for (i = 1; i <= n; i++) {
				t = order[i]
				printf "  <testsuite name=\"%s\" tests=\"%d\" failures=\"%d\" skipped=\"%d\" time=\"%d\">\n%s  </testsuite>\n",
					t, total[t], bad[t], skipped[t], seconds[t], cases[t]
			}
		}'
	echo '</testsuites>'
}

collect | iconv -c -f UTF-8 -t UTF-8 2>/dev/null >"$directory/results.tsv" || collect >"$directory/results.tsv"
judge
write_report >"$report"
write_junit >"$directory/junit.xml"
exit $code
