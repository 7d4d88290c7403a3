// SPDX-License-Identifier: Apache-2.0
#include "export/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/json.h"

static int fail(int error, char **ret_error, const char *what, const char *path)
{
	char safe[512];

	if (asprintf(ret_error, "%s %s: %s", what, text_safe(path, safe, sizeof(safe)),
		     strerror(-error)) < 0)
		*ret_error = NULL;
	return error;
}

static int refuse(int error, char **ret_error, const char *path, const char *reason)
{
	char safe[512];

	if (asprintf(ret_error, "%s %s", text_safe(path, safe, sizeof(safe)), reason) < 0)
		*ret_error = NULL;
	return error;
}

static int open_stdout(struct output *o, enum output_kind kind, char **ret_error)
{
	if (kind != OUTPUT_TEXT && isatty(STDOUT_FILENO))
		return refuse(
			-ENOTTY, ret_error, "this format",
			"is binary and stdout is a terminal: name a file with -o, or redirect");
	o->spooled = kind == OUTPUT_SEEKABLE;
	o->file = o->spooled ? tmpfile() : stdout;
	if (!o->file)
		return fail(-errno, ret_error, "cannot make a temporary file in", P_tmpdir);
	return 0;
}

/* mkstemp(3) asks for mode 0600; the file gets what open(2) would have given it. */
static int set_usual_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, 0666 & ~mask) < 0 ? -errno : 0;
}

static int open_file(struct output *o, const char *path, char **ret_error)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return refuse(
			-EEXIST, ret_error, path,
			S_ISDIR(st.st_mode)
				? "is a directory: name a file in it"
				: "exists and is not a regular file, so that it is left alone");
	o->path = strdup(path);
	if (!o->path || asprintf(&o->temporary, "%s.XXXXXX", path) < 0) {
		o->temporary = NULL;
		return fail(-ENOMEM, ret_error, "cannot write", path);
	}
	fd = mkostemp(o->temporary, O_CLOEXEC);
	if (fd < 0) {
		int r = -errno;

		free(TAKE_PTR(o->temporary));
		return fail(r, ret_error, "cannot write", path);
	}
	if (set_usual_mode(fd) < 0)
		return fail(-errno, ret_error, "cannot write", path);
	o->file = fdopen(fd, "w");
	if (!o->file)
		return fail(-errno, ret_error, "cannot write", path);
	fd = -1;
	return 0;
}

int output_open(struct output *o, const char *path, enum output_kind kind, char **ret_error)
{
	int r;

	*o = (struct output){ 0 };
	r = strcmp(path, "-") == 0 ? open_stdout(o, kind, ret_error)
				   : open_file(o, path, ret_error);
	if (r < 0)
		output_done(o);
	return r;
}

static int copy_to_stdout(FILE *from)
{
	char chunk[64 * 1024];
	size_t n;

	rewind(from);
	while ((n = fread(chunk, 1, sizeof(chunk), from)) > 0)
		if (fwrite(chunk, 1, n, stdout) != n)
			return -errno;
	return ferror(from) ? -EIO : 0;
}

static int finish(struct output *o)
{
	int r = 0;

	if (!o->path) {
		if (o->spooled)
			r = copy_to_stdout(o->file);
		return r == 0 && fflush(stdout) != 0 ? -errno : r;
	}
	if (fflush(o->file) != 0 || ferror(o->file))
		return errno > 0 ? -errno : -EIO;
	if (fclose(TAKE_PTR(o->file)) != 0)
		return -errno;
	if (rename(o->temporary, o->path) < 0)
		return -errno;
	free(TAKE_PTR(o->temporary));
	return 0;
}

int output_commit(struct output *o, char **ret_error)
{
	int r = finish(o);

	if (r < 0)
		fail(r, ret_error, "cannot write", o->path ? o->path : "to stdout");
	output_done(o);
	return r;
}

void output_done(struct output *o)
{
	if (o->file && o->file != stdout)
		fclose(o->file);
	if (o->temporary)
		unlink(o->temporary);
	free(o->temporary);
	free(o->path);
	*o = (struct output){ 0 };
}
