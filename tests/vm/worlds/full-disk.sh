# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/test-bpf-in-vm.sh: a file system without room. The daemon says so, goes on, and writes again later.

mkdir -p $work/small
mount -t tmpfs -o size=1M none $work/small
cat >$work/full.conf <<CONF
[sampler]
cpu-budget = 0
[store]
directory = $work/small
retain-size = 0
keep-free = 0
[symbols]
cache-directory =
[daemon]
control-socket = $work/control
status-interval = 1s
[profile cpu]
events = cpu-clock@99Hz
CONF

told() { # PATTERN: within a minute
	for _ in $(seq 300); do
		grep -q "$1" $work/full.log && return
		sleep 0.2
	done
	tail -n 20 $work/full.log
	return 1
}

goes_on() {
	local daemon code
	"$workloads/shares" functions 300 >/dev/null &
	local busy=$!
	"$PROFILER" daemon --config $work/full.conf 2>$work/full.log &
	daemon=$!
	until [ -S $work/control ]; do kill -0 $daemon || return; sleep 0.2; done
	cat /dev/zero >$work/small/filler 2>/dev/null
	told 'No space left' && "$PROFILER" status --socket $work/control | grep -q 'No space left' && rm $work/small/filler &&
		told 'goes on' && kill -TERM $daemon
	code=$?
	kill -KILL $busy
	[ $code -eq 0 ] || kill -KILL $daemon
	wait $daemon || { cat $work/full.log; return 1; }
	"$PROFILER" verify $work/small/*.seg && "$PROFILER" report $work/small | grep burn_seventy
}
attempt - "the daemon says that the disk is full, and writes again when there is room" goes_on

record_fails() {
	cat /dev/zero >$work/small/filler 2>/dev/null
	"$PROFILER" record -F 999 -o $work/small/cut.seg -- "$workloads/shares" functions 2 >$work/cut.out 2>&1
	local code=$?
	cat $work/cut.out
	[ $code -eq 1 ] && grep -q 'No space left' $work/cut.out
}
attempt - "record says that the disk is full, and exits with 1" record_fails
umount $work/small
