#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each missing capability gives the sentence that names it, in check and in record.
. "$(dirname "$0")/lib.sh"

five=bpf,perfmon,sys_ptrace,dac_read_search,syslog
if [ "$(id -u)" -ne 0 ] || ! setpriv --reuid 65534 --clear-groups --inh-caps "-all,+bpf" --ambient-caps "-all,+bpf" true 2>/dev/null; then
	skip "missing capabilities one at a time" "capabilities can only be taken away by root"
	finish
fi
chmod 755 "$work"
install -m 755 "$PROFILER" "$work/ebpf-profiler"

# as_user CAPABILITIES COMMAND...: an ordinary user with exactly these (comma separated, "" for none).
as_user() {
	local caps=-all c
	for c in ${1//,/ }; do caps+=,+$c; done
	shift
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set "$caps" --inh-caps "$caps" --ambient-caps "$caps" "$@"
}

# without NAME: the five but one.
without() {
	local out=, c
	for c in ${five//,/ }; do [ "$c" = "$1" ] || out+=$c,; done
	echo "${out:1:-1}"
}

# A level above 2 is Debian's own and refuses CAP_PERFMON; then sampling cannot work for the five either.
paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)

as_user $five "$work/ebpf-profiler" check >"$work/out" 2>&1
code=$?
if [ "$paranoid" -le 2 ]; then
	result $([ $code -eq 0 ] || [ $code -eq 3 ]; echo $?) "five capabilities are enough for an ordinary user (exit $code)"
	grep -q ' is missing' <(grep -v '(option)' "$work/out")
	result $([ $? -ne 0 ]; echo $?) "with the five nothing is said to be missing"
else
	result $([ $code -eq 4 ] && grep -q 'perf_event_paranoid' "$work/out"; echo $?) \
		"a paranoid level of $paranoid is named as what is in the way"
fi

for c in bpf perfmon; do
	as_user "$(without $c)" "$work/ebpf-profiler" check >"$work/out" 2>&1
	code=$?
	result $([ $code -eq 4 ]; echo $?) "check without CAP_${c^^} exits 4 (got $code)"
	grep -q "CAP_${c^^} is missing: .*AmbientCapabilities" "$work/out"
	result $? "check without CAP_${c^^} says so, and how to mend it"
	others=$(grep -v '(option)' "$work/out" | grep -c ' is missing')
	result $([ "$others" -eq 1 ]; echo $?) "and names no other capability"
done
for c in sys_ptrace dac_read_search syslog; do
	as_user "$(without $c)" "$work/ebpf-profiler" check >"$work/out" 2>&1
	code=$?
	[ "$paranoid" -gt 2 ] || result $([ $code -eq 3 ]; echo $?) "check without CAP_${c^^} exits 3 (got $code)"
	grep -q -- "- CAP_${c^^} is missing: " "$work/out"
	result $? "check without CAP_${c^^} says what is lost"
done
as_user "" "$work/ebpf-profiler" check >"$work/out" 2>&1
code=$?
result $([ $code -eq 4 ]; echo $?) "check without any capability works and exits 4 (got $code)"
unshare -U "$work/ebpf-profiler" check >"$work/out" 2>&1
code=$?
if unshare -U true 2>/dev/null; then
	result $([ $code -eq 4 ] && grep -q 'user namespace' "$work/out"; echo $?) "a user namespace is named as what is in the way"
else
	skip "user namespace" "none can be made here"
fi

mkdir "$work/data"
chmod 777 "$work/data"
for c in bpf perfmon; do
	as_user "$(without $c)" timeout 60 "$work/ebpf-profiler" record -d 1 -o "$work/data/without-$c.seg" >"$work/out" 2>&1
	code=$?
	[ $code -eq 4 ] || sed 's/^/# /' "$work/out"
	result $([ $code -eq 4 ]; echo $?) "record without CAP_${c^^} exits 4 (got $code)"
	grep -q "CAP_${c^^} is missing" "$work/out"
	result $? "record without CAP_${c^^} names it"
	result $([ ! -e "$work/data/without-$c.seg" ]; echo $?) "and leaves no file"
done
if [ "$paranoid" -le 2 ]; then
	as_user $five timeout 60 "$work/ebpf-profiler" record -d 1 -o "$work/data/five.seg" >"$work/out" 2>&1
	code=$?
	[ $code -eq 0 ] || sed 's/^/# /' "$work/out"
	result $([ $code -eq 0 ] && [ -s "$work/data/five.seg" ]; echo $?) "record works for an ordinary user with the five"
fi

finish
