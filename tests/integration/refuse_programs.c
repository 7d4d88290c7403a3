// SPDX-License-Identifier: Apache-2.0
/*
 * To be preloaded: a kernel without a helper in programs of a type, TYPE and HELPER when it is built.
 * Programs that call it are refused, in the verifier's words.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>

static int calls_helper(const union bpf_attr *a)
{
	const struct bpf_insn *insns = (const struct bpf_insn *)(uintptr_t)a->insns;

	for (uint32_t i = 0; a->prog_type == TYPE && i < a->insn_cnt; i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == 0 &&
		    insns[i].imm == HELPER)
			return 1;
	return 0;
}

long syscall(long number, ...)
{
	static long (*next)(long, ...);
	va_list list;
	long a[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf && a[0] == BPF_PROG_LOAD) {
		const union bpf_attr *attr = (const union bpf_attr *)a[1];

		if (calls_helper(attr)) {
			if (attr->log_buf && attr->log_size)
				snprintf((char *)(uintptr_t)attr->log_buf, attr->log_size,
					 "unknown func helper#%d\n", HELPER);
			errno = EINVAL;
			return -1;
		}
	}
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
