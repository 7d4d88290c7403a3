/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What makes the engine a system service: readiness, STATUS and watchdog for the service manager,
 * the control socket, reload, the CPU budget, and the messages an operator acts on.
 */
#include <linux/types.h>
#include <stdbool.h>

#include "engine/pipeline.h"

#define SERVICE_MAX_YIELD_NS (3600 * 1000000000ULL)

struct service;

struct service_options {
	struct pipeline *pipeline;
	struct config *config; /* the service takes what it holds over when it reloads */
	const char *config_path; /* NULL: the default */
	/* The sampler was replaced: its descriptors are new. */
	void (*sampler_changed)(void *userdata);
	void *userdata;
};

/* Opens the control socket. -EADDRINUSE: another daemon runs. On failure *ret_error is a heap
 * sentence. */
int service_open(const struct service_options *options, struct service **ret, char **ret_error);
struct service *service_close(struct service *s);

/* Everything runs: READY=1. `notes`: what is not as it was asked for, one sentence each. */
void service_ready(struct service *s, char *const *notes, size_t n_notes);
/* Once a second. */
void service_tick(struct service *s);
void service_reload(struct service *s); /* the outcome is logged */
void service_rotate(struct service *s);
void service_stopping(struct service *s);

int service_control_fd(const struct service *s);
void service_control_dispatch(struct service *s);

/* Readable when collectors delivered rows; -1: there are none. */
int service_rows_fd(const struct service *s);
void service_rows_dispatch(struct service *s);
