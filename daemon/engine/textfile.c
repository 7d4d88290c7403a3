// SPDX-License-Identifier: Apache-2.0
#include "engine/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "util/thread.h"

struct textfile {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned int references; /* the owner's and the thread's */
	bool end;
	bool waiting; /* `content` is to be written */
	struct buffer content;
	int error, told;
	char *path, *temporary;
	mode_t mode;
};

static int write_all(int fd, const struct buffer *b)
{
	size_t done = 0;

	while (done < b->size) {
		ssize_t n = write(fd, b->data + done, b->size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int replace(const struct textfile *t, const struct buffer *content)
{
	_cleanup_close_ int fd = -1;
	int r;

	/* What an earlier process left, or somebody put there: never written through. */
	(void)unlink(t->temporary);
	fd = open(t->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, content);
	if (r == 0 && fchmod(fd, t->mode) < 0)
		r = -errno;
	if (r == 0 && rename(t->temporary, t->path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(t->temporary);
	return r;
}

static void unref(struct textfile *t)
{
	bool last;

	pthread_mutex_lock(&t->lock);
	last = --t->references == 0;
	pthread_mutex_unlock(&t->lock);
	if (!last)
		return;
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	buffer_done(&t->content);
	free(t->path);
	free(t->temporary);
	free(t);
}

static void *run(void *arg)
{
	struct textfile *t = arg;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		struct buffer content;
		int r;

		while (!t->waiting && !t->end)
			pthread_cond_wait(&t->wake, &t->lock);
		if (!t->waiting)
			break;
		content = t->content;
		t->content = (struct buffer){};
		t->waiting = false;
		pthread_mutex_unlock(&t->lock);
		r = replace(t, &content);
		buffer_done(&content);
		pthread_mutex_lock(&t->lock);
		t->error = r;
	}
	pthread_mutex_unlock(&t->lock);
	unref(t);
	return NULL;
}

int textfile_new(const char *path, mode_t mode, struct textfile **ret)
{
	struct textfile *t = calloc(1, sizeof(*t));
	const char *slash = strrchr(path, '/');
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->mode = mode;
	t->references = 2;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	t->path = strdup(path);
	/* The node exporter reads *.prom, and so not this. */
	if (asprintf(&t->temporary, "%.*s.%s.tmp", (int)(slash - path) + 1, path, slash + 1) < 0)
		t->temporary = NULL;
	if (!t->path || !t->temporary)
		r = -ENOMEM;
	if (r == 0)
		r = thread_start("textfile", 128 * 1024, run, t, NULL);
	if (r < 0) {
		t->references = 1;
		unref(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct textfile *textfile_free(struct textfile *t)
{
	if (!t)
		return NULL;
	pthread_mutex_lock(&t->lock);
	t->end = true;
	t->waiting = false;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	unref(t);
	return NULL;
}

void textfile_put(struct textfile *t, struct buffer *content)
{
	pthread_mutex_lock(&t->lock);
	buffer_done(&t->content);
	t->content = *content;
	t->waiting = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	*content = (struct buffer){};
}

bool textfile_changed(struct textfile *t, int *ret_error)
{
	bool changed;

	pthread_mutex_lock(&t->lock);
	*ret_error = t->error;
	changed = t->error != t->told;
	t->told = t->error;
	pthread_mutex_unlock(&t->lock);
	return changed;
}

bool textfile_is(const struct textfile *t, const char *path, mode_t mode)
{
	return strcmp(t->path, path) == 0 && t->mode == mode;
}
