// SPDX-License-Identifier: Apache-2.0
#include "programs/clsact.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <glob.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

/* Indexes are told apart by their namespace: the store is every namespace's. */
static void put_mark(char *out, size_t size, const char *object, unsigned int interface)
{
	struct stat st = {};

	(void)stat("/proc/self/ns/net", &st);
	snprintf(out, size, "%s/../clsact-%llu-%u", object, (unsigned long long)st.st_ino,
		 interface);
}

static int remove_qdisc(unsigned int interface)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	return bpf_tc_hook_destroy(&hook);
}

int clsact_take(const char *object, unsigned int interface)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface, .attach_point = BPF_TC_INGRESS);
	char mark[512];
	int r = bpf_tc_hook_create(&hook);

	if (r < 0)
		return r == -EEXIST ? 0 : r;
	put_mark(mark, sizeof(mark), object, interface);
	if (mkdir(mark, 0700) == 0 || errno == EEXIST)
		return 0;
	r = -errno;
	(void)remove_qdisc(interface);
	return r;
}

/* --- what hangs on it --- */

/* 1: a filter, 0: none and the answer's end, 2: there is more to come; or a negative errno. */
static int look_for_filter(int fd)
{
	char answer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t n = recv(fd, answer, sizeof(answer), 0);
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

	if (n < 0)
		return -errno;
	for (size_t left = (size_t)n; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		if (h->nlmsg_type == RTM_NEWTFILTER)
			return 1;
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error ?: -EIO;
	}
	return 2;
}

/* As look_for_filter(), to the end. */
static int has_filters(unsigned int interface, unsigned int direction)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr head;
		struct tcmsg filter;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = RTM_GETTFILTER,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.filter = { .tcm_family = AF_UNSPEC,
			    .tcm_ifindex = (int)interface,
			    .tcm_parent = TC_H_MAKE(TC_H_CLSACT, direction) },
	};
	int r = 2;

	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	while (r == 2)
		r = look_for_filter(fd);
	return r;
}

static bool has_our_filters(const char *object, unsigned int interface)
{
	char pattern[512];
	glob_t found;
	bool any;

	snprintf(pattern, sizeof(pattern), "%s/../*/tc-%u-*", object, interface);
	any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
	globfree(&found);
	return any;
}

void clsact_leave(const char *object, unsigned int interface)
{
	char mark[512];
	int in, out;

	put_mark(mark, sizeof(mark), object, interface);
	if (access(mark, F_OK) < 0)
		return;
	in = has_filters(interface, TC_H_MIN_INGRESS);
	out = has_filters(interface, TC_H_MIN_EGRESS);
	if (in == 0 && out == 0)
		(void)remove_qdisc(interface); /* or the interface is gone */
	else if (has_our_filters(object, interface))
		return;
	(void)rmdir(mark);
}
