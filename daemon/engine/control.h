/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The daemon's control socket: a Unix stream socket on which one line asks and one reply answers.
 *
 *   request   "status", "status json", "collectors", "collectors json", "metrics", "rotate",
 *             "reload" or "yield SECONDS", and a newline
 *   reply     "ok" or "error", a newline, the text, and the end of the stream
 *
 * A passive object for the event loop: control_dispatch() is called when control_fd() is readable,
 * takes a bounded amount of work, and never blocks. What a client can cost is bounded, too: a
 * request of 64 bytes, a few seconds, one of a few places; the oldest client gives way to a new
 * one.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "util/buffer.h"

/*
 * Each fills `reply`, with the text on success, with a sentence on failure, and returns 0 or a
 * negative errno. `peer` is the asking process as the kernel names it.
 */
struct control_handlers {
	int (*status)(void *userdata, const struct ucred *peer, bool json, struct buffer *reply);
	int (*collectors)(void *userdata, const struct ucred *peer, bool json,
			  struct buffer *reply);
	int (*metrics)(void *userdata, const struct ucred *peer, struct buffer *reply);
	int (*rotate)(void *userdata, const struct ucred *peer, struct buffer *reply);
	int (*reload)(void *userdata, const struct ucred *peer, struct buffer *reply);
	/* 0 seconds: the counters are taken back. */
	int (*yield)(void *userdata, const struct ucred *peer, uint64_t seconds,
		     struct buffer *reply);
	void *userdata;
};

struct control;

/*
 * Creates the socket, mode 0660, owned by `group` (name or number; "" or NULL: the process's own).
 * A socket that nobody listens on is replaced. -EADDRINUSE when another daemon answers on it; on
 * failure *ret_error is a heap sentence.
 */
int control_open(const char *path, const char *group, const struct control_handlers *handlers,
		 struct control **ret, char **ret_error);
/* Ends all clients and removes the socket. */
struct control *control_close(struct control *c);
DEFINE_CLEANUP(struct control *, control_close);

/* Readable when there is something to do. */
int control_fd(const struct control *c);
int control_dispatch(struct control *c);

/*
 * The client's side: sends `request` (no newline) to the daemon at `path`. 0 and the text in *reply
 * when the daemon answered "ok", 1 and its sentence when it answered "error". -ENOENT and
 * -ECONNREFUSED: it does not run; -EACCES, -EPERM; -ETIMEDOUT; -EBADMSG: no such reply.
 */
int control_ask(const char *path, const char *request, struct buffer *reply);
