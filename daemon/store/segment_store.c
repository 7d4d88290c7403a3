// SPDX-License-Identifier: Apache-2.0
/*
 * Segments are ordered by the number in their name, which grows even when the clock is set back.
 * What is deleted was sealed before by this program; the file being written never is.
 */
#include "store/segment_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "util/parse.h"

#define SUFFIX ".seg"
#define KEEP_FREE_INTERVAL_NS (10 * NSEC_PER_SEC)
#define STAMP_FORMAT "%Y%m%dT%H%M%SZ"

/* Does `name` begin with 20250131T101530Z-42.seg? Sets what is behind it. */
static bool parse_name(const char *name, uint64_t *ret_sequence, const char **ret_rest)
{
	static const char stamp[] = "00000000T000000Z-";
	uint64_t sequence = 0;
	const char *p = name;

	for (size_t i = 0; stamp[i]; i++, p++)
		if (stamp[i] == '0' ? *p < '0' || *p > '9' : *p != stamp[i])
			return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(sequence, 10, &sequence) ||
		    __builtin_add_overflow(sequence, (uint64_t)(*p - '0'), &sequence))
			return false;
	if (strncmp(p, SUFFIX, strlen(SUFFIX)) != 0 || p[-1] == '-')
		return false;
	*ret_sequence = sequence;
	*ret_rest = p + strlen(SUFFIX);
	return true;
}

static int by_sequence(const void *a, const void *b)
{
	uint64_t x = ((const struct stored_segment *)a)->sequence,
		 y = ((const struct stored_segment *)b)->sequence;

	return x < y ? -1 : x > y;
}

/* Takes a sealed segment into the list, at its end. */
static int add_segment(struct segment_store *s, const char *name, uint64_t sequence)
{
	struct stored_segment *segment;
	struct stat st;

	if (fstatat(s->directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (s->n == s->capacity) {
		size_t capacity = MAX(s->capacity * 2, (size_t)64);
		struct stored_segment *segments =
			reallocarray(s->segments, capacity, sizeof(*segments));

		if (!segments)
			return -ENOMEM;
		s->segments = segments;
		s->capacity = capacity;
	}
	segment = &s->segments[s->n++];
	*segment = (struct stored_segment){
		.sequence = sequence,
		.bytes = (uint64_t)st.st_size,
		.end_ns = (uint64_t)st.st_mtim.tv_sec * NSEC_PER_SEC + (uint64_t)st.st_mtim.tv_nsec,
	};
	snprintf(segment->name, sizeof(segment->name), "%s", name);
	s->bytes += segment->bytes;
	s->next_sequence = MAX(s->next_sequence, sequence + 1);
	return 0;
}

/* `name` without ".active" */
static int repair_one(struct segment_store *s, const char *active)
{
	char name[SEGMENT_NAME_MAX + 1];
	struct stat st;
	int r;

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(active) - strlen(SEGMENT_ACTIVE)),
		 active);
	r = segment_file_repair(s->directory, name);
	if (r != -EBADMSG)
		return r;
	/* Not one good frame: nothing to seal. What is there stays for a human to look at. */
	if (fstatat(s->directory, active, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return unlinkat(s->directory, active, 0) < 0 ? -errno : 0;
	return renameat2(s->directory, active, s->directory, name, RENAME_NOREPLACE) < 0 ? -errno
											 : 0;
}

static int for_each_name(struct segment_store *s, bool active,
			 int (*each)(struct segment_store *s, const char *name, uint64_t sequence))
{
	int fd = openat(s->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *entry;
	const char *rest;
	uint64_t sequence;
	DIR *d;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r >= 0 && (entry = readdir(d)))
		if (parse_name(entry->d_name, &sequence, &rest) &&
		    strcmp(rest, active ? SEGMENT_ACTIVE : "") == 0)
			r = each(s, entry->d_name, sequence);
	closedir(d);
	return r;
}

/* One that cannot be repaired (no space for its index, say) must not keep the writer from its work.
 */
static int repair_each(struct segment_store *s, const char *name, uint64_t sequence)
{
	(void)repair_one(s, name);
	s->next_sequence = MAX(s->next_sequence, sequence + 1);
	return 0;
}

static int list(struct segment_store *s)
{
	int r;

	s->n = 0;
	s->bytes = 0;
	r = for_each_name(s, false, add_segment);
	if (s->n)
		qsort(s->segments, s->n, sizeof(*s->segments), by_sequence);
	return r;
}

static int repair(struct segment_store *s)
{
	int r = for_each_name(s, true, repair_each);

	return r < 0 ? r : list(s);
}

struct segment_store *segment_store_free(struct segment_store *s)
{
	if (s) {
		safe_close(s->directory);
		free(s->segments);
		free(s->path);
		free(s);
	}
	return NULL;
}

static int open_directory(struct segment_store *s, char **ret_error)
{
	int r;

	if (mkdir(s->path, 0750) < 0 && errno != EEXIST) {
		r = -errno;
		if (asprintf(ret_error, "Cannot create the directory %s: %s", s->path,
			     strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	s->directory = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = s->directory < 0 || faccessat(s->directory, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno
											  : 0;
	/* A file system that is read-only now may be writable again later. */
	if (r < 0 && r != -EROFS) {
		if (asprintf(ret_error, "Cannot write to the directory %s: %s", s->path,
			     strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	r = segment_lock(s->directory);
	if (r < 0 && asprintf(ret_error,
			      r == -EBUSY ? "Another ebpf-profiler is already writing to %s"
					  : "Cannot lock the directory %s: %m",
			      s->path) < 0)
		*ret_error = NULL;
	return r;
}

int segment_store_open(const char *path, struct segment_store **ret, char **ret_error)
{
	_cleanup_(segment_store_freep) struct segment_store *s = calloc(1, sizeof(*s));
	int r;

	*ret_error = NULL;
	if (!s)
		return -ENOMEM;
	s->directory = -1;
	s->path = strdup(path);
	if (!s->path)
		return -ENOMEM;
	r = open_directory(s, ret_error);
	if (r < 0)
		return r;
	r = repair(s);
	if (r < 0) {
		if (asprintf(ret_error, "Cannot read the directory %s: %s", path, strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	*ret = TAKE_PTR(s);
	return 0;
}

int segment_store_create(struct segment_store *s, struct segment_file **ret)
{
	char stamp[32], name[SEGMENT_NAME_MAX + 1];
	time_t now = time(NULL);
	struct tm tm;
	int r;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), STAMP_FORMAT, &tm);
	snprintf(name, sizeof(name), "%s-%08llu" SUFFIX, stamp,
		 (unsigned long long)s->next_sequence);
	r = segment_file_create(s->directory, name, ret);
	if (r < 0)
		return r;
	s->next_sequence++;
	return 0;
}

int segment_store_seal(struct segment_store *s, struct segment_file *f)
{
	const char *rest;
	uint64_t sequence;
	int r = segment_file_seal(f, false);

	if (r < 0)
		return r;
	/* Sealed it is, even if it cannot be listed. */
	if (parse_name(f->name, &sequence, &rest))
		(void)add_segment(s, f->name, sequence);
	return 0;
}

bool segment_store_delete_oldest(struct segment_store *s)
{
	bool gone;

	if (s->n == 0)
		return false;
	/* One that cannot be deleted leaves the list all the same: it must not hide the others. */
	gone = unlinkat(s->directory, s->segments[0].name, 0) == 0;
	s->deleted += gone;
	s->bytes -= s->segments[0].bytes;
	s->n--;
	memmove(s->segments, s->segments + 1, s->n * sizeof(*s->segments));
	return true;
}

/* How many bytes are missing to what is to be kept free. */
static uint64_t missing_bytes(const struct segment_store *s, unsigned int keep_free_percent)
{
	struct statvfs fs;
	double missing;

	if (keep_free_percent == 0 || fstatvfs(s->directory, &fs) < 0)
		return 0;
	missing = (double)fs.f_blocks * keep_free_percent / 100 - (double)fs.f_bavail;
	return missing > 0 ? (uint64_t)(missing * (double)fs.f_frsize) : 0;
}

/*
 * Deletes no more than what is missing, and looks again only after a while: some file systems (XFS)
 * count deleted blocks as free only later.
 */
static void keep_free(struct segment_store *s, unsigned int keep_free_percent)
{
	uint64_t now = now_ns(), missing, before = s->bytes;

	if (s->free_checked_ns && now - s->free_checked_ns < KEEP_FREE_INTERVAL_NS)
		return;
	s->free_checked_ns = now;
	missing = missing_bytes(s, keep_free_percent);
	while (before - s->bytes < missing && segment_store_delete_oldest(s))
		;
}

bool segment_store_make_room(struct segment_store *s, const struct segment_writer_options *limits,
			     uint64_t active_bytes)
{
	uint64_t now_ns = clock_ns(CLOCK_REALTIME);

	while (s->n > 0 && limits->retain_ns && now_ns > s->segments[0].end_ns &&
	       now_ns - s->segments[0].end_ns > limits->retain_ns)
		segment_store_delete_oldest(s);
	keep_free(s, limits->keep_free_percent);
	while (s->n > 0 && limits->retain_bytes && s->bytes + active_bytes > limits->retain_bytes)
		segment_store_delete_oldest(s);
	return !limits->retain_bytes || s->bytes + active_bytes <= limits->retain_bytes;
}
