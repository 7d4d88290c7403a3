// SPDX-License-Identifier: Apache-2.0
/*
 * The BPF programs that are loaded now, "ID TYPE NAME" each: what bpftool prog shows, where bpftool
 * is not installed.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	__u32 id = 0;

	while (bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0 && errno == ENOENT)
			continue; /* gone since */
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0) {
			perror("bpf_left");
			return 1;
		}
		printf("%u %u %s\n", id, info.type, info.name[0] ? info.name : "-");
		close(fd);
	}
	if (errno != ENOENT) {
		perror("bpf_left");
		return 1;
	}
	return 0;
}
