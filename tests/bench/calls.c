// SPDX-License-Identifier: Apache-2.0
/*
 * What a system call takes: N calls of getppid on one CPU, nanoseconds each.
 *
 *   calls N          as the host is
 *   calls N empty    with an empty program at the raw tracepoint sys_exit
 */
#include <linux/types.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* It ends with this process. */
static int attach_empty(void)
{
	const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "empty", "GPL", nothing, 2, NULL);

	return program < 0 ? program : bpf_raw_tracepoint_open("sys_exit", program);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	cpu_set_t last;
	double start;

	if (n == 0) {
		fprintf(stderr, "usage: calls N [empty]\n");
		return 2;
	}
	CPU_ZERO(&last);
	CPU_SET((unsigned long)sysconf(_SC_NPROCESSORS_ONLN) - 1, &last);
	sched_setaffinity(0, sizeof(last), &last);
	if (argc > 2 && strcmp(argv[2], "empty") == 0 && attach_empty() < 0) {
		perror("calls: an empty program at sys_exit");
		return 1;
	}
	start = now_ns();
	for (unsigned long i = 0; i < n; i++)
		(void)syscall(SYS_getppid);
	printf("%.2f\n", (now_ns() - start) / (double)n);
	return 0;
}
