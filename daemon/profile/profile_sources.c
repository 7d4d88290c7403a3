// SPDX-License-Identifier: Apache-2.0
/*
 * Where epochs come from. A segment is opened when its first epoch is given out and closed behind
 * its last one, so that thousands of files need no more descriptors than there are threads.
 *
 * Files of a directory may vanish (retention) or be renamed (sealing) between being found and being
 * opened: the first is no error, the second is followed.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "profile/profile_load.h"

static const char active_suffix[] = ".active";

__attribute__((format(printf, 1, 2))) static char *sentence(const char *format, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

int load_fail(struct load *l, int error, char *text)
{
	if (l->error == 0) {
		l->error = error;
		l->error_text = text;
	} else {
		free(text);
	}
	return l->error;
}

static char *explain(const char *path, int error)
{
	switch (error) {
	case -ENOENT:
		return sentence("There is no file or directory '%s'", path);
	case -EACCES:
	case -EPERM:
		return sentence("Cannot read %s: %s; be root, or a member of the group "
				"ebpf-profiler",
				path, strerror(-error));
	default:
		return sentence("Cannot read %s: %s", path, strerror(-error));
	}
}

static char *explain_empty(const char *path, bool is_default)
{
	if (!is_default)
		return sentence("There are no segments (*.seg) in %s", path);
	return sentence("There are no segments in %s: is the service running? 'ebpf-profiler "
			"record' writes a file of its own, which can be named here",
			path);
}

/* The same file by two names is read once. */
static bool known(const struct load *l, const struct stat *st)
{
	for (size_t i = 0; i < l->n_sources; i++)
		if (l->sources[i].device == st->st_dev && l->sources[i].inode == st->st_ino)
			return true;
	return false;
}

static int add_source(struct load *l, const char *path, bool named)
{
	struct source *grown;
	struct stat st;

	if (stat(path, &st) < 0)
		st = (struct stat){ 0 };
	else if (known(l, &st))
		return 0;
	grown = reallocarray(l->sources, l->n_sources + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	l->sources = grown;
	grown[l->n_sources] = (struct source){
		.path = strdup(path),
		.named = named,
		.device = st.st_dev,
		.inode = st.st_ino,
	};
	if (!grown[l->n_sources].path)
		return -ENOMEM;
	l->n_sources++;
	return 0;
}

static int add_directory(struct load *l, const char *path, bool is_default)
{
	char **paths = NULL;
	size_t n = 0;
	int r;

	r = segment_find(path, &paths, &n);
	if (r == -ENOENT)
		return load_fail(l, r, explain_empty(path, is_default));
	if (r < 0)
		return load_fail(l, r, explain(path, r));
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_source(l, paths[i], false);
	segment_paths_free(paths, n);
	return r;
}

static int add_path(struct load *l, const char *path, bool is_default)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		int error = -errno;

		return load_fail(l, error,
				 is_default && error == -ENOENT ? explain_empty(path, true)
								: explain(path, error));
	}
	if (S_ISDIR(st.st_mode))
		return add_directory(l, path, is_default);
	return add_source(l, path, true);
}

int sources_find(struct load *l, const char *const *paths, size_t n_paths)
{
	int r = 0;

	if (n_paths == 0)
		return add_path(l, PROFILE_STATE_DIRECTORY, true);
	for (size_t i = 0; r >= 0 && i < n_paths; i++)
		r = add_path(l, paths[i], false);
	return r;
}

/* --- opening -----------------------------------------------------------------------------------*/

static int open_reader(struct source *s, char **ret_error)
{
	size_t size = strlen(s->path), suffix = sizeof(active_suffix) - 1;
	int r;

	r = segment_reader_open(s->path, &s->reader, ret_error);
	if (r != -ENOENT || size <= suffix || strcmp(s->path + size - suffix, active_suffix) != 0)
		return r;
	free(*ret_error);
	*ret_error = NULL;
	s->path[size - suffix] = 0;
	return segment_reader_open(s->path, &s->reader, ret_error);
}

/* What the messages say about the time that could have been asked for. */
static void note_extent(struct load *l, const struct segment_info *info)
{
	uint64_t offset_ns = info->realtime_ns - info->monotonic_ns;

	for (size_t i = 0; i < info->n_epochs; i++) {
		const struct segment_epoch *e = &info->epochs[i];

		if (e->last_ns == 0)
			continue;
		if (l->first_ns == 0 || e->first_ns + offset_ns < l->first_ns)
			l->first_ns = e->first_ns + offset_ns;
		l->last_ns = MAX(l->last_ns, e->last_ns + offset_ns);
	}
}

static int source_open(struct load *l, struct source *s)
{
	_cleanup_free_ char *text = NULL;
	const struct segment_info *info;
	int r;

	r = open_reader(s, &text);
	if (r == -ENOENT && !s->named)
		return 0;
	if (r == -ENOMEM || (r < 0 && s->named)) {
		if (!text)
			text = explain(s->path, r);
		return load_fail(l, r, TAKE_PTR(text));
	}
	if (r < 0) {
		if (l->unopened++ == 0) {
			l->unopened_error = r;
			l->unopened_text = text ? TAKE_PTR(text) : explain(s->path, r);
		}
		return 0;
	}
	info = segment_reader_info(s->reader);
	s->n_epochs = info->n_epochs;
	s->clocks = malloc((s->n_epochs + 1) * sizeof(*s->clocks));
	if (!s->clocks)
		return load_fail(l, -ENOMEM, NULL);
	for (size_t i = 0; i < s->n_epochs; i++)
		s->clocks[i] = CLOCK_UNKNOWN;
	note_extent(l, info);
	l->n_opened++;
	r = dictionary_add(&l->boots, info->boot_id, sizeof(info->boot_id), sizeof(info->boot_id),
			   &s->boot);
	return r < 0 ? load_fail(l, r, NULL) : 0;
}

static int next_locked(struct load *l, struct source **ret_source, size_t *ret_epoch)
{
	for (; l->error == 0 && l->next_source < l->n_sources; l->next_source++) {
		struct source *s = &l->sources[l->next_source];
		int r = s->reader || s->epochs_given ? 0 : source_open(l, s);

		if (r < 0)
			return r;
		if (s->epochs_given < s->n_epochs) {
			*ret_source = s;
			*ret_epoch = s->epochs_given++;
			return 1;
		}
		if (s->n_epochs == 0 && !l->keep_open)
			s->reader = segment_reader_close(s->reader);
	}
	return l->error;
}

int sources_next(struct load *l, struct source **ret_source, size_t *ret_epoch)
{
	int r;

	pthread_mutex_lock(&l->lock);
	r = next_locked(l, ret_source, ret_epoch);
	pthread_mutex_unlock(&l->lock);
	return r;
}

void sources_finish(struct load *l, struct source *s)
{
	pthread_mutex_lock(&l->lock);
	s->epochs_done++;
	if (!l->keep_open && s->epochs_done == s->n_epochs)
		s->reader = segment_reader_close(s->reader);
	pthread_mutex_unlock(&l->lock);
}
