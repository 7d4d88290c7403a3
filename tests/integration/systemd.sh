# SPDX-License-Identifier: Apache-2.0
# Sourced by tests that need a service manager: boots a real systemd in namespaces of its own (pid, mount, cgroup, net,
# uts, ipc), with the host's /etc, /usr and /var below an overlay, so that whatever is installed is gone with it.
#
#   boot_systemd          until it is up; 1 and the reason in $systemd_error when it cannot be
#   inside COMMAND...     runs there; paths must be absolute
#   shut_down_systemd     ends it and everything in it

systemd_pid='' systemd_error=''
systemd_cgroup=ebpf-profiler-test-$$

# The hierarchies systemd needs: its own on cgroup v1 and hybrid hosts, the unified one.
systemd_hierarchies() {
	local h
	for h in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
		[ ! -e "$h/cgroup.procs" ] || echo "$h"
	done
}

# Runs as PID 1 of the new namespaces, before systemd takes its place.
# shellcheck disable=SC2016
systemd_setup='
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
for d in etc usr var; do
	mkdir -p /run/overlay/$d/upper /run/overlay/$d/work
	mount -t overlay overlay -o lowerdir=/$d,upperdir=/run/overlay/$d/upper,workdir=/run/overlay/$d/work /$d
done
mount -t proc proc /proc
case $PWD in /tmp/*) ;; *) mount -t tmpfs tmpfs /tmp ;; esac # the tree itself may lie there
if [ -e /sys/fs/cgroup/cgroup.procs ]; then
	umount -l /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
	umount -R -l /sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
	mkdir /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
	mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd
	mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
fi
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
mkdir -p /run/units /run/systemd
cp /lib/systemd/system/systemd-journald.service /lib/systemd/system/systemd-journald.socket \
	/lib/systemd/system/systemd-journald-dev-log.socket /run/units
for t in sysinit basic shutdown local-fs sockets multi-user test; do
	printf "[Unit]\nDefaultDependencies=no\nDescription=%s\n" $t >/run/units/$t.target
done
printf "Wants=systemd-journald.service systemd-journald.socket\n" >>/run/units/test.target
mkdir -p /etc/systemd/journald.conf.d
printf "[Journal]\nStorage=volatile\nRateLimitBurst=0\nReadKMsg=no\n" >/etc/systemd/journald.conf.d/test.conf
hostname test
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lxc SYSTEMD_UNIT_PATH=/run/units \
	/lib/systemd/systemd --unit=test.target --log-target=journal --show-status=no
'

boot_systemd() {
	local h

	for h in $(systemd_hierarchies); do mkdir -p "$h/$systemd_cgroup"; done
	(
		for h in $(systemd_hierarchies); do echo "$BASHPID" >"$h/$systemd_cgroup/cgroup.procs"; done
		exec unshare --mount --pid --cgroup --net --uts --ipc --fork --kill-child \
			bash -c "$systemd_setup" >"$work/systemd.log" 2>&1 </dev/null
	) &
	systemd_parent=$!
	started_pids+=("$systemd_parent")
	for _ in $(seq 100); do
		systemd_pid=$(cat "/proc/$systemd_parent/task/$systemd_parent/children" 2>/dev/null || true)
		systemd_pid=${systemd_pid%% *}
		if [ -n "$systemd_pid" ] && inside systemctl is-active test.target >/dev/null 2>&1; then
			return 0
		fi
		kill -0 "$systemd_parent" 2>/dev/null || break
		sleep 0.1
	done
	systemd_error=$(tail -n 3 "$work/systemd.log" | tr '\n' ' ')
	return 1
}

inside() {
	nsenter -t "$systemd_pid" --mount --pid --cgroup --net --uts --ipc -- "$@"
}

shut_down_systemd() {
	local h

	[ -z "$systemd_pid" ] || kill -KILL "$systemd_pid" 2>/dev/null
	wait "$systemd_parent" 2>/dev/null
	for h in $(systemd_hierarchies); do
		find "$h/$systemd_cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
	done
}
