// SPDX-License-Identifier: Apache-2.0
#include "util/thread.h"

#include <signal.h>

int thread_start(const char *name, size_t stack_bytes, void *(*work)(void *userdata),
		 void *userdata, pthread_t *ret)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_attr_init(&attr);
	if (!ret)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (stack_bytes)
		pthread_attr_setstacksize(&attr, stack_bytes);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attr, work, userdata);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (r)
		return -r;
	(void)pthread_setname_np(thread, name);
	if (ret)
		*ret = thread;
	return 0;
}
