#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon with collectors that have BPF programs loses nothing at its end and at a reload, and leaves nothing behind;
# collectors run with the rights that the service has, and say which is missing.
. "$(dirname "$0")/lib.sh"

workloads=$O/workloads
. "$(dirname "$0")/collecting.sh"
own_tracefs

# --- the daemon ---

# Read once at its start and then once a day: what comes after that comes at the end.
run_daemon() { # with $work/more as the end of its configuration
	rm -rf "$work/state" "$work/collectors.json"
	mkdir "$work/state"
	cat >"$work/daemon.conf" <<-CONF
		[sampler]
		transport = auto
		[store]
		directory = $work/state
		[symbols]
		cache-directory =
		[daemon]
		control-socket = $work/control
		[profile idle]
		events = cpu-clock@1Hz
		[collector exec]
		interval = 1d
	CONF
	background "$PROFILER" daemon --config "$work/daemon.conf" 2>"$work/daemon.log"
	daemon=$!
	until_true 30 exec_was_read || { cat "$work/daemon.log"; return 1; }
}
end_daemon() {
	kill -TERM $daemon
	wait $daemon || { cat "$work/daemon.log"; return 1; }
	"$PROFILER" cat --collector exec -o json "$work"/state/*.seg >"$work/rows"
}
last_words() {
	run_daemon && run "$workloads/calls" arguments 3 5 && end_daemon || return
	tests/integration/judge_rows.py "$work/rows" "len(rows('exec', pid=$pid)) == 2" \
		"rows('exec_losses')[-1]['events'] == len(rows('exec'))"
}
reads_of() { # COLLECTOR
	"$PROFILER" collectors --socket "$work/control" --json |
		python3 -c 'import json, sys
print(next(c["reads"] for c in json.load(sys.stdin)["collectors"] if c["name"] == sys.argv[1]))' "$1"
}
has_read() { [ "$(reads_of "$1")" -ge "$2" ]; }
# The collector that a reload ends has its ring read before; the new one begins anew, and others go on.
reloaded() {
	local first second
	run_daemon && run "$workloads/calls" arguments 3 5 || return
	first=$pid
	until_true 30 has_read load 5 || return
	echo "argv = full" >>"$work/daemon.conf"
	kill -HUP $daemon
	until_true 30 exec_began_anew || { cat "$work/daemon.log"; return 1; }
	has_read load 5 || return
	run "$workloads/calls" arguments 3 5 || return
	second=$pid
	end_daemon || return
	tests/integration/judge_rows.py "$work/rows" "[r['argv'] for r in rows('exec', pid=$first)] == ['$workloads/calls', 'calls']" \
		"argv(rows('exec', pid=$second)[1]) == ['calls', 'end'] + [chr(97 + i) * 5 for i in range(3)]"
}
exec_began_anew() {
	grep -q "configuration reloaded" "$work/daemon.log" && exec_was_read
}
exec_was_read() {
	"$PROFILER" collectors --socket "$work/control" --json >"$work/collectors.json" &&
		python3 -c 'import json, sys
c = next(c for c in json.load(open(sys.argv[1]))["collectors"] if c["name"] == "exec")
sys.exit(0 if c["reads"] else 1)' "$work/collectors.json"
}
# Samplers and collectors that reloads replaced: their descriptors, and what hangs on them.
held() { echo "$(ls "/proc/$daemon/fd" | wc -l) $(programs_of $daemon | wc -l) $(sed -n 's/^map_id:[[:space:]]*//p' "/proc/$daemon/fdinfo"/* 2>/dev/null | sort -u | wc -l)"; }
holds_no_more() { # of anything; a file that is being read for its symbols may have been among them then
	local now
	read -ra now < <(held)
	[ "${now[0]}" -le "$1" ] && [ "${now[1]}" -le "$2" ] && [ "${now[2]}" -le "$3" ]
}
times_reloaded() { [ "$(grep -c "configuration reloaded" "$work/daemon.log")" -eq "$1" ]; }
replaced() {
	local before i
	run_daemon || return
	for i in $(seq 10); do
		sed -i -e "s/@.*Hz/@$((1 + i % 2))Hz/" -e '/^argv/d' "$work/daemon.conf"
		[ $((i % 2)) -eq 0 ] || echo "argv = full" >>"$work/daemon.conf"
		kill -HUP $daemon
		until_true 30 times_reloaded $i && until_true 30 exec_was_read || { cat "$work/daemon.log"; return 1; }
		[ $i -ne 2 ] || before=$(held)
	done
	echo "descriptors, programs and maps before: $before, after: $(held)"
	# shellcheck disable=SC2086
	until_true 30 holds_no_more $before || return
	end_daemon
}
check "what a ring holds when the daemon stops is recorded" last_words
check "what a ring holds when a reload changes its collector is recorded" reloaded
check "ten reloads of sampler and collector leave no descriptor, program or map behind" replaced

# --- rights ---

as_user() { # CAPABILITIES COMMAND...: an ordinary user with exactly these
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set "$1" --inh-caps "$1" --ambient-caps "$1" "${@:2}"
}
five=-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search,+syslog

delivers() {
	local c
	for c in exec processes oom syscalls sockets; do
		as_user $five "$work/ebpf-profiler" collect $c -n 1 --json >"$work/rows" && grep -q "_losses" "$work/rows" || return
	done
}
says_why() {
	as_user "${five/,+bpf/}" "$work/ebpf-profiler" collectors --local --json >"$work/collectors.json" || return
	python3 - "$work/collectors.json" <<-'PY'
		import json, sys
		ours = {c["name"]: c for c in json.load(open(sys.argv[1]))["collectors"]}
		for name in ("exec", "processes", "oom", "syscalls", "sockets"):
		    assert not ours[name]["available"], name
		    assert "CAP_BPF is missing" in json.dumps(ours[name]), ours[name]
	PY
}
if [ "$(id -u)" -eq 0 ] && as_user $five true 2>/dev/null; then
	chmod 755 "$work"
	install -m 755 "$PROFILER" "$work/ebpf-profiler"
	check "an ordinary user with five capabilities runs them all" delivers
	check "without CAP_BPF each says so" says_why
else
	skip "an ordinary user with five capabilities runs them all" "capabilities can only be taken away by root"
fi

finish
