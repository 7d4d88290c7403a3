#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where records of processes were lost, /proc tells who ended: nobody is kept that is gone.
. "$(dirname "$0")/lib.sh"

SLEEPERS=200

mkdir "$work/state"
cat >"$work/daemon.conf" <<-CONF
	[store]
	directory = $work/state
	[symbols]
	cache-directory =
	[daemon]
	control-socket = $work/control
CONF

# field NAME: of the daemon's status
field() {
	"$PROFILER" status --socket "$work/control" --json |
		python3 -c "import json, sys; s = json.load(sys.stdin); print({**s, **s['stacks']}['$1'])"
}
at_least() {
	[ "$(field "$1")" -ge "$2" ]
}
below() {
	[ "$(field "$1")" -lt "$2" ]
}

"$PROFILER" daemon --config "$work/daemon.conf" 2>"$work/daemon.log" &
daemon=$!
started_pids+=($daemon)
check "it runs" until_true 20 field pid
if ! field processes >/dev/null 2>&1; then
	skip "who is gone is forgotten" "user stacks come by frame pointers here, processes are not counted"
	finish
fi

before=$(field processes)
for _ in $(seq $SLEEPERS); do background sleep 300; done
sleepers=("${started_pids[@]:1}")
check "$SLEEPERS processes come" until_true 20 at_least processes $((before + SLEEPERS * 9 / 10))
known=$(field processes)

# While it stands still, far more happens than its rings hold; the end of the sleepers comes last.
kill -STOP $daemon
"$O/workloads/storm" 2000 0 >/dev/null
kill "${sleepers[@]}"
wait "${sleepers[@]}" 2>/dev/null
kill -CONT $daemon

check "records of processes are lost" until_true 20 at_least process_records_lost 1
check "those that ended are forgotten" until_true 20 below processes $((known - SLEEPERS * 9 / 10))
check "it stops when told" sh -c "kill -TERM $daemon"
wait $daemon
result $? "its exit code is 0"

finish
