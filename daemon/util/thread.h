/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Threads beside the one that runs the loop.
 */
#include <pthread.h>
#include <stddef.h>

/*
 * Runs `work` in a thread of its own that no signal interrupts: they are for the loop. `name` shows
 * in ps, 15 bytes of it; stack_bytes 0: as large as usual. With `ret` NULL nobody waits for its end.
 * -EAGAIN: there are too many.
 */
int thread_start(const char *name, size_t stack_bytes, void *(*work)(void *userdata),
		 void *userdata, pthread_t *ret);
