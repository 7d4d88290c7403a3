// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "collect/call_names.h"

#include <asm/unistd.h>
#include <stdio.h>

#include "bpf/syscalls.h"
#include "util/cleanup.h"

static const char *const call_names[] = {
#include "syscall_names.h"
};

/* enum bpf_cmd of uapi/linux/bpf.h. */
static const char *const bpf_names[] = {
	"MAP_CREATE",	     "MAP_LOOKUP_ELEM",
	"MAP_UPDATE_ELEM",   "MAP_DELETE_ELEM",
	"MAP_GET_NEXT_KEY",  "PROG_LOAD",
	"OBJ_PIN",	     "OBJ_GET",
	"PROG_ATTACH",	     "PROG_DETACH",
	"PROG_TEST_RUN",     "PROG_GET_NEXT_ID",
	"MAP_GET_NEXT_ID",   "PROG_GET_FD_BY_ID",
	"MAP_GET_FD_BY_ID",  "OBJ_GET_INFO_BY_FD",
	"PROG_QUERY",	     "RAW_TRACEPOINT_OPEN",
	"BTF_LOAD",	     "BTF_GET_FD_BY_ID",
	"TASK_FD_QUERY",     "MAP_LOOKUP_AND_DELETE_ELEM",
	"MAP_FREEZE",	     "BTF_GET_NEXT_ID",
	"MAP_LOOKUP_BATCH",  "MAP_LOOKUP_AND_DELETE_BATCH",
	"MAP_UPDATE_BATCH",  "MAP_DELETE_BATCH",
	"LINK_CREATE",	     "LINK_UPDATE",
	"LINK_GET_FD_BY_ID", "LINK_GET_NEXT_ID",
	"ENABLE_STATS",	     "ITER_CREATE",
	"LINK_DETACH",	     "PROG_BIND_MAP",
	"TOKEN_CREATE",
};

const char *call_name(uint32_t number, char *out, size_t size)
{
	if (number < ARRAY_SIZE(call_names) && call_names[number])
		return call_names[number];
	if (number == CALL_LEAVES_NO_NUMBER)
		return "rt_sigreturn";
	if (number == CALL_UNNAMED)
		return "unnamed";
	if (number & SYSCALLS_32BIT)
		snprintf(out, size, "32bit-%u", number & ~SYSCALLS_32BIT);
	else
		snprintf(out, size, "%u", number);
	return out;
}

const char *bpf_command_name(uint32_t command, char *out, size_t size)
{
	if (command < ARRAY_SIZE(bpf_names))
		return bpf_names[command];
	snprintf(out, size, "%u", command);
	return out;
}
