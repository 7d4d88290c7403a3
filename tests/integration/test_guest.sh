#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A virtual machine of this host: the time its code runs is [guest] in a profile, below what runs it. Where KVM is not to
# be had, that is said.
. "$(dirname "$0")/lib.sh"

"$PROFILER" record -e cpu-clock@999Hz -o "$work/guest.seg" -- "$O/workloads/guest" 2>"$work/guest.err"
code=$?
if [ $code -eq 77 ]; then
	skip "samples of a guest are [guest]" "$(grep 'no virtual machine' "$work/guest.err")"
	finish
fi
check "a host with a guest is recorded" [ $code -eq 0 ]
"$PROFILER" report --json --limit 0 "$work/guest.seg" >"$work/guest.json"
check "most of the time is the guest's" python3 - "$work/guest.json" <<'PY'
import json, sys
rows = {r["name"]: r for r in json.load(open(sys.argv[1]))["events"][0]["rows"]}
guest = rows["[guest]"]
print(guest)
assert guest["module"] == "[guest]" and guest["self_percent"] > 50 and guest["self_samples"] > 20
PY
"$PROFILER" report --json --by kernel-user "$work/guest.seg" >"$work/sides.json"
check "and neither the kernel's nor user space's" python3 - "$work/sides.json" "$work/guest.json" <<'PY'
import json, sys
sides, functions = ({r["name"]: r["self_samples"] for r in json.load(open(f))["events"][0]["rows"]} for f in sys.argv[1:])
print(sides)
assert sides["[guest]"] == functions["[guest]"] and set(sides) <= {"[guest]", "[kernel]", "[user]", "[no stack]"}
PY
check "below the call that runs it" sh -c "'$PROFILER' export --format folded '$work/guest.seg' | grep -q '^guest;.*ioctl;.*\[guest\] [0-9]'"
check "it is of a kind of its own, which flame graphs have a colour for" sh -c "
	'$PROFILER' export --format json '$work/guest.seg' | grep -q '\"function\":\"\[guest\]\".*\"kind\":\"guest\"' &&
	'$PROFILER' flame -o '$work/guest.html' '$work/guest.seg' && grep -q '\"guest\"' '$work/guest.html'"
"$PROFILER" record -e cpu-clock@999Hz -o "$work/host.seg" -- "$O/workloads/pages" 100000 >/dev/null 2>&1
check "code of the host is not" sh -c "! '$PROFILER' report --limit 0 '$work/host.seg' | grep -qF '[guest]'"

finish
