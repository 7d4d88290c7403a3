/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One question to the running daemon, with everything said that can go wrong.
 */
#include "util/buffer.h"

/* Where the daemon is to be found. */
struct ask_options {
	const char *config; /* NULL: the default */
	const char *socket; /* NULL: as configured */
};

/*
 * The request, without its newline, and the reply to it. Returns an exit code; a refusal and every
 * other trouble were printed then.
 */
int ask_daemon(const struct ask_options *o, const char *request, struct buffer *reply);
