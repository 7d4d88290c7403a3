#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An instruction count known by construction is counted within 2 %, sampled within 2 %, and found in its function.
. "$(dirname "$0")/lib.sh"
need_pmu
event_list
[ "$(ability instructions)" = samples ] || skip_all "instructions: $(reason instructions)"

wanted=1000000000
! is_virtual || wanted=200000000
check "the workload runs" count instructions:u -- "$workloads/instructions" $wanted
known=$(cat "$work/truth")
got=$(counted count)
measured "instructions, known" "$known"
measured "instructions, counted" "$got"
near "instructions of user space counted" "$got" "$known" 2
check "the counter ran all the time" [ "$(counted enabled)" = "$(counted running)" ]

count -g cycles:u,instructions:u -- "$workloads/instructions" $wanted
ipc=$(calc "$(counted count 2) / $(counted count 1)")
measured "instructions per cycle" "$ipc"
check "cycles and instructions in one group give a credible IPC ($ipc)" holds "$ipc > 0.05 && $ipc < 16"

# Long enough for an emulator that looks at its counters once a tick; the last, unfinished period is no sample.
period=3000017
check "the workload is sampled" profile known -e instructions:u@$period -- "$workloads/instructions" $wanted
sampled=$(of_event known weight)
measured "instructions, sampled" "$sampled"
check "the samples of the process stand for its instructions, within 2 % and a period ($sampled)" \
	holds "$sampled >= $known * 0.98 - $period && $sampled <= $known * 1.02"
near "and are in its function" "$(share known known_instructions)" 100 2
check "none was lost" [ "$(ledger known lost)" = 0 ]

if perf_works; then
	perf stat -x , -e instructions:u -o "$work/perf.csv" "$workloads/instructions" $wanted >/dev/null 2>&1
	near "perf stat counts the same" "$got" "$(awk -F , '/instructions/ { print $1 }' "$work/perf.csv")" 1
else
	skip "perf stat counts the same" "perf is not installed"
fi
finish
