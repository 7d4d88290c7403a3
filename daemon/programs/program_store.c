// SPDX-License-Identifier: Apache-2.0
#include "programs/program_store.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "programs/program_attach.h"
#include "programs/program_file.h"
#include "programs/program_list.h"
#include "util/buffer.h"
#include "util/cleanup.h"

#define LOG_BYTES (1U << 20)
#define LOG_SHOWN 600 /* of its end */
#define ABOUT_BYTES 4096
#define REHEARSAL_SECONDS 10

static int _printf_(3, 4) fail(int error, char **ret_error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(ret_error, format, arguments) < 0)
		*ret_error = NULL;
	va_end(arguments);
	return error;
}

/* --- the directory --- */

static int make_store(const char *store, char **ret_error)
{
	struct statfs fs;

	if (mkdir(store, 0700) < 0 && errno != EEXIST) {
		int r = -errno;

		return fail(r, ret_error,
			    "cannot make %s: %s; is a BPF file system mounted there (mount -t bpf bpf "
			    "/sys/fs/bpf)?",
			    store, strerror(-r));
	}
	if (statfs(store, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		(void)rmdir(store);
		return fail(-ENOTSUP, ret_error,
			    "%s is on no BPF file system; 'mount -t bpf bpf /sys/fs/bpf' makes one",
			    store);
	}
	return 0;
}

/* mkdir(2) is what keeps two from taking the same number. */
static int make_object(const char *store, unsigned int *ret, char *path, size_t size,
		       char **ret_error)
{
	for (unsigned int n = 1; n <= PROGRAM_STORE_MAX; n++) {
		snprintf(path, size, "%s/%u", store, n);
		if (mkdir(path, 0700) == 0) {
			*ret = n;
			return 0;
		}
		if (errno != EEXIST) {
			int r = -errno;

			return fail(r, ret_error, "cannot make %s: %s", path, strerror(-r));
		}
	}
	return fail(-ENOSPC, ret_error, "%d objects are loaded, which is the most",
		    PROGRAM_STORE_MAX);
}

static int find_object(const char *store, unsigned int handle, char *path, size_t size,
		       char **ret_error)
{
	snprintf(path, size, "%s/%u", store, handle);
	if (handle == 0 || access(path, F_OK) < 0)
		return fail(-ENOENT, ret_error,
			    "there is no loaded object %u; 'ebpf-profiler programs' lists them",
			    handle);
	return 0;
}

/* Dots are not allowed in a BPF file system. */
static void put_name(char *out, size_t size, const char *directory, const char *prefix,
		     const char *name)
{
	int n = snprintf(out, size, "%s/%s%s", directory, prefix, name);

	for (char *c = out + MIN((size_t)MAX(n, 0), size) - strlen(name); *c; c++)
		if (*c == '.')
			*c = '_';
}

static void remove_object(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	char file[512];

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		snprintf(file, sizeof(file), "%s/%s", path, d->d_name);
		if (d->d_name[0] != '.')
			(void)unlink(file);
	}
	closedir(dir);
	(void)rmdir(path);
}

/* --- loading --- */

/* What the kernel's verifier said last, in which the reason is. */
static const char *last_words(const char *log)
{
	size_t n = strlen(log);
	const char *from = n > LOG_SHOWN ? log + n - LOG_SHOWN : log;
	const char *newline = from > log ? strchr(from, '\n') : NULL;

	return newline ? newline + 1 : from;
}

static int pin_all(struct bpf_object *object, const char *directory, char **ret_error)
{
	struct bpf_program *p;
	struct bpf_map *m;
	char path[512];
	int r;

	bpf_object__for_each_program(p, object) {
		put_name(path, sizeof(path), directory, "prog-", bpf_program__name(p));
		r = bpf_obj_pin(bpf_program__fd(p), path);
		if (r < 0)
			return fail(r, ret_error, "cannot pin the program at %s: %s", path,
				    strerror(-r));
	}
	bpf_object__for_each_map(m, object) {
		put_name(path, sizeof(path), directory, "map-", bpf_map__name(m));
		r = bpf_obj_pin(bpf_map__fd(m), path);
		if (r < 0)
			return fail(r, ret_error, "cannot pin the map at %s: %s", path,
				    strerror(-r));
	}
	return 0;
}

/* "FILE\nNAME SECTION\n..." */
static int put_about(struct bpf_object *object, const char *file, const char *directory,
		     char **ret_error)
{
	_cleanup_(buffer_donep) struct buffer text = {};
	_cleanup_close_ int fd = -1;
	char path[512];
	struct bpf_program *p;
	__u32 zero = 0;
	int r;

	buffer_printf(&text, "%s\n", file);
	bpf_object__for_each_program(p, object) {
		buffer_printf(&text, "%s %s\n", bpf_program__name(p), bpf_program__section_name(p));
	}
	buffer_put_byte(&text, 0);
	if (text.error)
		return text.error;
	text.size = MIN(text.size, (size_t)ABOUT_BYTES);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "about", sizeof(zero), (__u32)text.size, 1, NULL);
	r = fd < 0 ? -errno : bpf_map_update_elem(fd, &zero, text.data, BPF_ANY);
	snprintf(path, sizeof(path), "%s/about", directory);
	if (r == 0)
		r = bpf_obj_pin(fd, path);
	return r < 0 ? fail(r, ret_error, "cannot keep %s: %s", path, strerror(-r)) : 0;
}

static int check_types(struct bpf_object *object, const char *file, char **ret_error)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, object) {
		if (program_attach_supports(p))
			continue;
		return fail(-EOPNOTSUPP, ret_error,
			    "%s: program '%s' of section '%s' is of type %s, which cannot be attached "
			    "here (XDP, TC, kprobe, tracepoint, tracing and LSM programs can)",
			    file, bpf_program__name(p), bpf_program__section_name(p),
			    program_type_name(bpf_program__type(p)));
	}
	return 0;
}

/*
 * What libbpf warns of, for our own sentence. Its print function is given no place to put that, so
 * the place is named here, while an object is opened and loaded.
 */
static struct buffer *words;

static _printf_(2, 0) int take_words(enum libbpf_print_level level, const char *format,
				     va_list arguments)
{
	char line[512];
	int n = vsnprintf(line, sizeof(line), format, arguments);

	/* It guesses at limits of memory where rights are missing. */
	if (level != LIBBPF_WARN || strstr(line, "try raising 'ulimit"))
		return n;
	buffer_printf(words, "%s", strncmp(line, "libbpf: ", 8) == 0 ? line + 8 : line);
	return n;
}

/*
 * A damaged file can crash libbpf's reader of ELF files: so it is read in a process of its own
 * first.
 */
static int rehearse(const void *data, size_t size, const char *file, char **ret_error)
{
	const struct rlimit none = {};
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return fail(-errno, ret_error, "cannot make a process: %s", strerror(errno));
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &none);
		alarm(REHEARSAL_SECONDS);
		libbpf_set_print(NULL);
		bpf_object__close(bpf_object__open_mem(data, size, NULL));
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		return fail(-EINVAL, ret_error, "%s is damaged: libbpf fails at reading it (%s)", file,
			    strsignal(WTERMSIG(status)));
	return 0;
}

/*
 * Why it was refused: the verifier's last words, or where it had no say, libbpf's. The kernel's log may
 * also be a list of types, which tells nobody anything.
 */
static const char *reason(char *log)
{
	bool types = strncmp(log, "magic: 0x", 9) == 0;
	char *text;
	size_t n;

	buffer_put_byte(words, 0);
	if (words->error)
		return "";
	text = *log && !types ? log : (char *)words->data;
	n = strlen(text);
	while (n && text[n - 1] == '\n')
		text[--n] = 0;
	return last_words(text);
}

static int refused(int r, const char *file, char *log, char **ret_error)
{
	const char *why = reason(log);

	if (r == -EPERM)
		return fail(r, ret_error,
			    "the kernel does not let us load %s (CAP_BPF and CAP_PERFMON, for "
			    "networking CAP_NET_ADMIN; or it is locked down)",
			    file);
	return fail(r, ret_error, "the kernel refused %s: %s%s%s", file, strerror(-r),
		    *why ? "\n" : "", why);
}

static int open_and_load(const void *data, size_t size, const char *file, struct bpf_object **ret,
			 char **ret_error)
{
	_cleanup_free_ char *log = calloc(1, LOG_BYTES);
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "user", .kernel_log_buf = log,
		    .kernel_log_size = LOG_BYTES, .kernel_log_level = 1);
	struct bpf_object *object = log ? bpf_object__open_mem(data, size, &options) : NULL;
	int r = object ? 0 : log ? -errno : -ENOMEM;

	if (r < 0 && log)
		return fail(r, ret_error, "%s is no BPF object that libbpf understands: %s\n%s", file,
			    strerror(-r), reason(log));
	if (r < 0)
		return r;
	r = check_types(object, file, ret_error);
	if (r == 0) {
		r = bpf_object__load(object);
		if (r < 0)
			r = refused(r, file, log, ret_error);
	}
	if (r < 0) {
		bpf_object__close(object);
		return r;
	}
	*ret = object;
	return 0;
}

static int load(const char *file, struct bpf_object **ret, char **ret_error)
{
	_cleanup_(buffer_donep) struct buffer heard = { .limit = 65536 };
	_cleanup_free_ void *data = NULL;
	libbpf_print_fn_t before;
	size_t size;
	int r = program_file_read(file, &data, &size, ret_error);

	if (r == 0)
		r = rehearse(data, size, file, ret_error);
	if (r < 0)
		return r;
	words = &heard;
	before = libbpf_set_print(take_words);
	r = open_and_load(data, size, file, ret, ret_error);
	(void)libbpf_set_print(before);
	words = NULL;
	return r;
}

int program_store_load(const char *store, const char *file, unsigned int *ret, char **ret_error)
{
	struct bpf_object *object;
	unsigned int handle = 0;
	char path[256];
	int r = make_store(store, ret_error);

	if (r == 0)
		r = load(file, &object, ret_error);
	if (r < 0) {
		(void)rmdir(store); /* where nothing else is */
		return r;
	}
	r = make_object(store, &handle, path, sizeof(path), ret_error);
	if (r == 0) {
		r = pin_all(object, path, ret_error);
		if (r == 0)
			r = put_about(object, file, path, ret_error);
		if (r < 0)
			remove_object(path);
	}
	bpf_object__close(object);
	if (r == 0)
		*ret = handle;
	return r;
}

/* --- attaching --- */

static bool read_about(const char *directory, char value[static ABOUT_BYTES])
{
	_cleanup_close_ int fd = -1; /* of a map whose value is no longer */
	char path[512];
	__u32 zero = 0;

	snprintf(path, sizeof(path), "%s/about", directory);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, value) < 0)
		return false;
	value[ABOUT_BYTES - 1] = 0;
	return true;
}

/* The section of a program, as the object says; "" unknown. */
static void section_of(const char *directory, const char *program, char *out, size_t size)
{
	char value[ABOUT_BYTES], *rest = value, *line;
	size_t n = strlen(program);

	*out = 0;
	if (!read_about(directory, value))
		return;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, program, n) == 0 && line[n] == ' ')
			snprintf(out, size, "%s", line + n + 1);
}

int program_store_find(const char *store, const char *file, unsigned int *ret, char **ret_error)
{
	char path[256], value[ABOUT_BYTES];

	for (unsigned int n = 1; n <= PROGRAM_STORE_MAX; n++) {
		snprintf(path, sizeof(path), "%s/%u", store, n);
		if (!read_about(path, value))
			continue;
		value[strcspn(value, "\n")] = 0;
		if (strcmp(value, file) == 0) {
			*ret = n;
			return 0;
		}
	}
	return fail(-ENOENT, ret_error,
		    "no object was loaded from %s; 'ebpf-profiler programs' lists them", file);
}

/* The pin of a program's attachment, whichever kind it is. */
static bool find_link(const char *directory, const char *program, char *out, size_t size)
{
	DIR *dir = opendir(directory);
	bool found = false;
	struct dirent *d;

	while (dir && !found && (d = readdir(dir))) {
		size_t n = strlen(d->d_name), m = strlen(program);

		found = (strncmp(d->d_name, "link-", 5) == 0 && strcmp(d->d_name + 5, program) == 0) ||
			(strncmp(d->d_name, "tc-", 3) == 0 && n > m + 1 &&
			 d->d_name[n - m - 1] == '-' && strcmp(d->d_name + n - m, program) == 0);
		if (found)
			snprintf(out, size, "%s/%s", directory, d->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int attach_one(const char *directory, unsigned int handle, const char *program,
		      const struct program_attach *where, struct buffer *done, char **ret_error)
{
	char pin[512], path[512], section[256];
	_cleanup_close_ int fd = -1;
	int r;

	if (find_link(directory, program, pin, sizeof(pin)))
		return fail(-EALREADY, ret_error,
			    "program '%s' of object %u is attached already; 'programs detach %u' "
			    "detaches it",
			    program, handle, handle);
	put_name(path, sizeof(path), directory, "prog-", program);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fail(-ENOENT, ret_error, "object %u has no program '%s'", handle, program);
	section_of(directory, program, section, sizeof(section));
	r = program_attach(fd, directory, program, section, where, done, ret_error);
	return r;
}

/* Calls `each` for the named program, or for all. */
static int each_program(const char *directory, unsigned int handle, const char *program,
			int (*each)(const char *directory, unsigned int handle,
				    const char *program, void *userdata, char **ret_error),
			void *userdata, char **ret_error)
{
	struct dirent *d;
	int r = 0;
	DIR *dir;

	if (program)
		return each(directory, handle, program, userdata, ret_error);
	dir = opendir(directory);
	if (!dir)
		return -errno;
	while (r >= 0 && (d = readdir(dir)))
		if (strncmp(d->d_name, "prog-", 5) == 0)
			r = each(directory, handle, d->d_name + 5, userdata, ret_error);
	closedir(dir);
	return r;
}

struct attaching {
	const struct program_attach *where;
	struct buffer *done;
};

static int attach_each(const char *directory, unsigned int handle, const char *program,
		       void *userdata, char **ret_error)
{
	struct attaching *a = userdata;

	return attach_one(directory, handle, program, a->where, a->done, ret_error);
}

int program_store_attach(const char *store, unsigned int handle, const char *program,
			 const struct program_attach *where, char **ret_done, char **ret_error)
{
	_cleanup_(buffer_donep) struct buffer done = {};
	struct attaching a = { where, &done };
	char path[256];
	int r = find_object(store, handle, path, sizeof(path), ret_error);

	if (r == 0)
		r = each_program(path, handle, program, attach_each, &a, ret_error);
	if (r < 0)
		return r;
	*ret_done = buffer_take_string(&done);
	return *ret_done ? 0 : -ENOMEM;
}

/* --- detaching --- */

static int detach_each(const char *directory, unsigned int handle, const char *program,
		       void *userdata, char **ret_error)
{
	unsigned int *n = userdata;
	char pin[512];
	int r;

	if (!find_link(directory, program, pin, sizeof(pin)))
		return 0;
	r = program_detach(pin);
	if (r < 0)
		return fail(r, ret_error, "cannot detach program '%s' of object %u: %s", program,
			    handle, strerror(-r));
	(*n)++;
	return 0;
}

int program_store_detach(const char *store, unsigned int handle, const char *program,
			 char **ret_error)
{
	unsigned int n = 0;
	char path[256];
	int r = find_object(store, handle, path, sizeof(path), ret_error);

	if (r == 0)
		r = each_program(path, handle, program, detach_each, &n, ret_error);
	if (r < 0 || n)
		return r;
	return fail(-ENOENT, ret_error, "nothing of object %u is attached%s%s", handle,
		    program ? " by the name of " : "", program ?: "");
}

/* When it was the last one. Marks that are left then are of interfaces out of our reach (clsact.h). */
static void remove_store(const char *store)
{
	DIR *dir = opendir(store);
	char path[512];
	struct dirent *d;
	bool used = false;

	while (dir && (d = readdir(dir)))
		used |= d->d_name[0] != '.' && strncmp(d->d_name, "clsact-", 7) != 0;
	if (dir && !used) {
		rewinddir(dir);
		while ((d = readdir(dir))) {
			snprintf(path, sizeof(path), "%s/%s", store, d->d_name);
			if (d->d_name[0] != '.')
				(void)rmdir(path);
		}
		(void)rmdir(store);
	}
	if (dir)
		closedir(dir);
}

int program_store_unload(const char *store, unsigned int handle, char **ret_error)
{
	unsigned int n = 0;
	char path[256];
	int r = find_object(store, handle, path, sizeof(path), ret_error);

	if (r == 0)
		r = each_program(path, handle, NULL, detach_each, &n, ret_error);
	if (r < 0)
		return r;
	remove_object(path);
	remove_store(store);
	return 0;
}
