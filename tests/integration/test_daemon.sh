#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon by hand: it keeps its CPU budget by sampling less, says so, and says when an event never fires.
. "$(dirname "$0")/lib.sh"

mkdir "$work/state"
cat >"$work/daemon.conf" <<-CONF
	[sampler]
	cpu-budget = 0.01
	[store]
	directory = $work/state
	[symbols]
	cache-directory =
	[daemon]
	control-socket = $work/control
	status-interval = 1s
	[profile busy]
	events = cpu-clock@4999Hz, alignment-faults
CONF

status() {
	"$PROFILER" status --socket "$work/control" "$@"
}

# No CPU is idle: an idle CPU's samples are counted, but not stored.
for _ in $(seq "$(nproc)"); do background "$O/workloads/shares" functions 60 >/dev/null; done
"$PROFILER" daemon --config "$work/daemon.conf" 2>"$work/daemon.log" &
daemon=$!
started_pids+=($daemon)

check "it answers on its control socket" until_true 20 status
check "over its budget, it lowers the rate" until_true 30 grep -q 'rate lowered to' "$work/daemon.log"
status_says_rate() {
	status --json | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(s)
rates = [e["freq_hz"] for e in s["events"] if e["event"] == "cpu-clock"]
sys.exit(0 if rates and 0 < rates[0] < 4999 else 1)'
}
check "its status tells the lowered rate" status_says_rate
check "an event that never fires on a busy CPU is told" \
	until_true 20 grep -q 'alignment-faults opened but did not fire' "$work/daemon.log"
sed -i 's/alignment-faults/emulation-faults@3/' "$work/daemon.conf"
check "it takes another configuration" status --reload
check "an event that came with it and never fires is told, too" \
	until_true 20 grep -q 'emulation-faults opened but did not fire' "$work/daemon.log"
check "it stops when told" sh -c "kill -TERM $daemon"
wait $daemon
result $? "its exit code is 0"
check "the profile tells both, too" sh -c "'$PROFILER' report '$work/state' | tee '$work/report.out' |
	grep -q 'rate lowered' && grep -q 'did not fire' '$work/report.out'"
lower_rate_is_real() {
	"$PROFILER" report --json "$work/state" | python3 -c '
import json, sys
r = json.load(sys.stdin)
e = [e for e in r["events"] if e["fired"] == "cpu-clock"][0]
l = e["ledger"]
print(l)
# what was delivered is what was expected at the rates that really were set, and weights stand for the time
count = l["count"] * l["received"] / l["seen"]
sys.exit(0 if l["not_delivered"] * 10 < l["expected"] and abs(e["weight"] - count) < 0.2 * count else 1)'
}
check "weights and ledger follow the lowered rate" lower_rate_is_real
check "sealed, whole" "$PROFILER" verify "$work/state"

finish
