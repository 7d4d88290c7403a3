# SPDX-License-Identifier: Apache-2.0
# Sourced in a guest: what makes the collectors' BPF programs run (tests/vm/collectors.conf). Each may be called again.

# By execve, and by execveat, which is what fexecve() is.
start_programs() {
	/bin/true
	python3 -SE -c 'import os; os.execve(os.open("/bin/true", os.O_RDONLY), ["true"], {})'
}

live_and_die() {
	/bin/true
	mkdir -p /sys/fs/cgroup/vm-trigger
	rmdir /sys/fs/cgroup/vm-trigger
}

# The kernel chooses a victim at once; the score makes it this one.
run_out_of_memory() {
	local victim
	choom -n 1000 -- sleep 300 &
	victim=$!
	until [ "$(cat /proc/$victim/oom_score_adj)" = 1000 ]; do sleep 0.05; done
	echo f >/proc/sysrq-trigger
	wait $victim
	[ $? -eq 137 ]
}

# A connection with a hundred bytes; one whose queue is full, so that its SYN is sent again; one to a port that is closed.
talk() {
	python3 -SE - <<-'PY'
		import socket, time
		full = socket.socket()
		full.bind(("127.0.0.1", 0))
		full.listen(0)
		address = full.getsockname()
		client = socket.create_connection(address)
		server, _ = full.accept()
		client.send(b"x" * 100)
		assert len(server.recv(100)) == 100
		client.close()
		server.close()
		waiting = [socket.socket() for _ in range(4)]
		for s in waiting:
		    s.setblocking(False)
		    s.connect_ex(address)
		time.sleep(1.3)
		full.close()
		assert socket.socket().connect_ex(address) != 0
	PY
}

# A packet and its answer.
send_packets() {
	busybox ping -c 1 127.0.0.1
}

write_to_console() {
	echo >/dev/console
}

# ramfs has major faults without a disk. A command that runs for a moment has minor ones, in the kernel too.
fault() {
	mkdir -p /run/holes
	mount -t ramfs ramfs /run/holes
	"$workloads/majors" /run/holes/file 20 20
	umount /run/holes
}

# A disk that is a file in memory, where the lab has the kernel's module for that.
make_disk() {
	[ -b /dev/loop0 ] || busybox insmod "/lib/modules/$(uname -r)/loop.ko" || return
	truncate -s 8M "$work/disk" && losetup /dev/loop0 "$work/disk"
}

read_disk() {
	dd if=/dev/loop0 of=/dev/null bs=1M count=8 iflag=direct
}
