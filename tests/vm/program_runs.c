// SPDX-License-Identifier: Apache-2.0
/*
 * How often each BPF program of a process ran; the kernel counts while kernel.bpf_stats_enabled is 1.
 *
 *   program_runs PID     a line "NAME RUNS" for each program the process holds; NAME is never cut off
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel's own name has 15 characters; the function's in the program's BTF has all. */
static const char *full_name(struct btf *btf, const struct bpf_func_info *function)
{
	const struct btf_type *type = btf ? btf__type_by_id(btf, function->type_id) : NULL;

	return type ? btf__name_by_offset(btf, type->name_off) : NULL;
}

static int print_program(uint32_t id)
{
	struct bpf_func_info function = {};
	struct bpf_prog_info info = {
		.nr_func_info = 1,
		.func_info_rec_size = sizeof(function),
		.func_info = (uint64_t)(uintptr_t)&function,
	};
	uint32_t size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	struct btf *btf;
	const char *name;

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0) {
		close(fd);
		return -errno;
	}
	btf = info.btf_id ? btf__load_from_kernel_by_id(info.btf_id) : NULL;
	name = full_name(btf, &function);
	printf("%s %llu\n", name ? name : info.name, (unsigned long long)info.run_cnt);
	btf__free(btf);
	close(fd);
	return 0;
}

/* 0 where the descriptor is no program. */
static uint32_t program_of(const char *path)
{
	char line[128];
	uint32_t id = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "prog_id:", 8) == 0)
			id = (uint32_t)strtoul(line + 8, NULL, 10);
		else if (strncmp(line, "link_type:", 10) == 0) {
			id = 0; /* a link names its program, too */
			break;
		}
	fclose(f);
	return id;
}

int main(int argc, char **argv)
{
	char path[64];
	struct dirent *entry;
	int failed = 0;
	uint32_t id;
	DIR *dir;

	if (argc != 2) {
		fprintf(stderr, "usage: program_runs PID\n");
		return 2;
	}
	snprintf(path, sizeof(path), "/proc/%.20s/fdinfo", argv[1]);
	dir = opendir(path);
	if (!dir) {
		fprintf(stderr, "program_runs: %s: %s\n", path, strerror(errno));
		return 1;
	}
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.10s", argv[1], entry->d_name);
		id = program_of(path);
		if (id)
			failed |= print_program(id) < 0;
	}
	closedir(dir);
	return failed;
}
