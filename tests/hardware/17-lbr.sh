#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stacks by rows have the callers that the CPU recorded.
. "$(dirname "$0")/lib.sh"
need_pmu
assess
[ "$(value "$work/check.json" sampler.lbr)" = true ] ||
	skip_all "no LBRs in call-stack mode: $(value "$work/check.json" sampler.lbr_error)"

# lbr COLUMN: of the table "unwind", all of the recording
lbr() {
	"$PROFILER" cat --collector unwind -o json "$work/lbr.seg" |
		awk -v column="\"$1\":" '/"table":"unwind"/ { i = index($0, column); if (i) n += substr($0, i + length(column)) } END { print n + 0 }'
}

background "$workloads/deep" $((seconds + 30))
check "a recording with the check" profile lbr -e cycles -F 99 -d $((seconds * 2)) --unwind dwarf --unwind-check-lbr
end_started
check "nothing is said to be missing" [ -z "$(grep LBR "$work/lbr.err")" ]
stacks=$(lbr branch_stacks) checked=$(lbr branches_checked) right=$(lbr branches_right)
measured "stacks compared with LBRs" "$stacks"
measured "callers compared" "$checked"
measured "callers that agree %" "$(calc "$checked ? 100 * $right / $checked : 0")"
check "stacks were taken for it" [ "$stacks" -gt $((seconds * 2)) ]
check "LBRs know callers of each, on average" [ "$checked" -ge "$stacks" ]
check "98 % of them are the same" holds "$right >= 0.98 * $checked"
check "the profile has no samples of the check" [ "$(value "$work/lbr.json" events.1.fired)" = "" ]
check "none of its own was lost" [ "$(ledger lbr lost)" = 0 ]
finish
