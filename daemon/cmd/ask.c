// SPDX-License-Identifier: Apache-2.0
#include "cmd/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "engine/config.h"
#include "engine/control.h"

#define DEFAULT_SOCKET "/run/ebpf-profiler/control"

/* A wrong configuration must not stand in the way of asking, unless it was named. */
static int find_socket(const struct ask_options *o, struct config *c, char **ret_messages,
		       const char **ret)
{
	int r;

	if (o->socket) {
		*ret = o->socket;
		return EXIT_OK;
	}
	r = config_load(o->config, c, ret_messages);
	*ret = r == 0 ? c->control_socket : DEFAULT_SOCKET;
	if (r == 0 || !o->config)
		return EXIT_OK;
	fputs(*ret_messages ? *ret_messages : "ebpf-profiler: out of memory\n", stderr);
	return EXIT_CONFIG;
}

static int explain(const char *path, int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		fprintf(stderr,
			"ebpf-profiler: no daemon answers on %s; 'systemctl start ebpf-profiler' "
			"starts it, 'systemctl status ebpf-profiler' tells why it ended\n",
			path);
		return EXIT_NOT_RUNNING;
	case -EACCES:
	case -EPERM:
		fprintf(stderr,
			"ebpf-profiler: %s is for root and the group ebpf-profiler only; "
			"'adduser USER ebpf-profiler' makes USER a member\n",
			path);
		return EXIT_PRIVILEGE;
	case -ETIMEDOUT:
		fprintf(stderr, "ebpf-profiler: the daemon on %s does not answer\n", path);
		return EXIT_FAILED;
	case -EBADMSG:
		fprintf(stderr, "ebpf-profiler: what answers on %s is not the daemon\n", path);
		return EXIT_FAILED;
	default:
		fprintf(stderr, "ebpf-profiler: cannot ask the daemon on %s: %s\n", path,
			strerror(-error));
		return EXIT_FAILED;
	}
}

int ask_daemon(const struct ask_options *o, const char *request, struct buffer *reply)
{
	_cleanup_(config_done) struct config c = { 0 };
	_cleanup_free_ char *messages = NULL;
	const char *path;
	int r = find_socket(o, &c, &messages, &path);

	if (r)
		return r;
	r = control_ask(path, request, reply);
	if (r < 0) {
		/* Perhaps it names another socket. */
		fputs(messages ? messages : "", stderr);
		return explain(path, r);
	}
	if (r > 0) {
		fprintf(stderr, "ebpf-profiler: %.*s", (int)reply->size, (const char *)reply->data);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}
