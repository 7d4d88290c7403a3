// SPDX-License-Identifier: Apache-2.0
/*
 * Frames are written in one call each, behind the last whole one, so that a crash or a full disk
 * can only ever leave a torn tail, which is cut off at once, by the next frame, or by the next
 * repair.
 */
#include "store/segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "store/crc32c.h"
#include "store/segment_scan.h"
#include "util/clock.h"
#include "util/parse.h"

static int active_name(const char *name, char out[static SEGMENT_NAME_MAX + 1])
{
	int n = snprintf(out, SEGMENT_NAME_MAX + 1, "%s" SEGMENT_ACTIVE, name);

	return n > SEGMENT_NAME_MAX ? -ENAMETOOLONG : 0;
}

static void read_boot_id(uint8_t out[static 16])
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	unsigned int digit, n = 0;
	int c;

	memset(out, 0, 16);
	while (f && n < 32 && (c = fgetc(f)) != EOF) {
		char text[2] = { (char)c, 0 };

		if (sscanf(text, "%1x", &digit) != 1)
			continue;
		out[n / 2] = (uint8_t)(out[n / 2] << 4 | digit);
		n++;
	}
}

/* All of it at `offset`; a short write of a full disk shows its errno at the next call. */
static int write_fully(int fd, struct iovec *iov, int n, uint64_t offset)
{
	while (n > 0) {
		ssize_t done = pwritev(fd, iov, n, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -EIO;
		offset += (size_t)done;
		for (; n > 0 && (size_t)done >= iov->iov_len; iov++, n--)
			done -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int take_epoch(struct segment_file *f, const struct frame_head *h)
{
	int r;

	if (h->type != FRAME_BLOCK)
		return 0;
	if (h->flags & FRAME_EPOCH_START) {
		r = epoch_list_add(&f->epochs, &(struct segment_epoch){ .offset = f->bytes });
		if (r < 0)
			return r;
	}
	return f->epochs.n ? 0 : -EINVAL;
}

int segment_file_append(struct segment_file *f, struct frame_head *h, const void *payload,
			size_t size)
{
	uint8_t head[FRAME_HEAD_SIZE];
	struct iovec iov[] = { { head, sizeof(head) }, { (void *)payload, size } };
	int r;

	if (size > FRAME_MAX_PAYLOAD || h->raw_size > FRAME_MAX_RAW)
		return -E2BIG;
	h->seq = f->seq;
	h->payload_size = (uint32_t)size;
	h->time_ns = now_ns();
	h->payload_crc = crc32c(0, payload, size);
	frame_head_encode(h, head);
	r = take_epoch(f, h);
	if (r < 0)
		return r;
	r = write_fully(f->fd, iov, size ? 2 : 1, f->bytes);
	if (r < 0) {
		/* Best effort: the next frame goes to the same place. */
		(void)!ftruncate(f->fd, (off_t)f->bytes);
		if (h->type == FRAME_BLOCK && h->flags & FRAME_EPOCH_START)
			f->epochs.n--;
		return r;
	}
	f->bytes += sizeof(head) + size;
	f->seq++;
	if (h->type == FRAME_BLOCK)
		epoch_list_extend(&f->epochs, h, f->bytes);
	return 0;
}

static int append_header(struct segment_file *f)
{
	struct frame_file_header header = {
		.major = FORMAT_MAJOR,
		.minor = FORMAT_MINOR,
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.monotonic_ns = now_ns(),
		.writer = "ebpf-profiler " VERSION,
	};
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	struct frame_head h = { .type = FRAME_HEADER };

	read_boot_id(header.boot_id);
	frame_file_header_encode(&header, &b);
	return b.error ? b.error : segment_file_append(f, &h, b.data, b.size);
}

static int file_new(int directory, const char *name, struct segment_file **ret)
{
	struct segment_file *f;

	if (strlen(name) > SEGMENT_NAME_MAX)
		return -ENAMETOOLONG;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->directory = directory;
	f->fd = -1;
	f->created_ns = now_ns();
	snprintf(f->name, sizeof(f->name), "%s", name);
	*ret = f;
	return 0;
}

struct segment_file *segment_file_free(struct segment_file *f)
{
	if (f) {
		safe_close(f->fd);
		epoch_list_done(&f->epochs);
		free(f);
	}
	return NULL;
}

int segment_lock(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno == ENOLCK || errno == EOPNOTSUPP)
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

/* Another process may have taken the new file for a leftover before it was locked. */
static int lock_new(int fd)
{
	struct stat st;
	int r = segment_lock(fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_nlink == 0 ? -EBUSY : 0;
}

int segment_file_create(int directory, const char *name, struct segment_file **ret)
{
	_cleanup_(segment_file_freep) struct segment_file *f = NULL;
	char active[SEGMENT_NAME_MAX + 1];
	int r = active_name(name, active);

	if (r < 0)
		return r;
	r = file_new(directory, name, &f);
	if (r < 0)
		return r;
	f->fd = openat(directory, active, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0640);
	if (f->fd < 0)
		return -errno;
	r = lock_new(f->fd);
	if (r < 0)
		return r;
	r = append_header(f);
	if (r < 0) {
		(void)unlinkat(directory, active, 0);
		return r;
	}
	*ret = TAKE_PTR(f);
	return 0;
}

uint64_t segment_file_seal_bytes(const struct segment_file *f)
{
	return 2 * FRAME_HEAD_SIZE + FOOTER_PAYLOAD_SIZE + 5 + 50 * (uint64_t)f->epochs.n;
}

static int append_footer(struct segment_file *f)
{
	_cleanup_(buffer_donep) struct buffer index = { 0 };
	struct frame_head h = { .type = FRAME_INDEX };
	uint8_t footer[FOOTER_PAYLOAD_SIZE];
	uint64_t index_offset = f->bytes;
	int r;

	frame_index_encode(&f->epochs, &index);
	if (index.error)
		return index.error;
	r = segment_file_append(f, &h, index.data, index.size);
	if (r < 0)
		return r;
	h = (struct frame_head){ .type = FRAME_FOOTER };
	frame_footer_encode(index_offset, f->seq + 1ULL, footer);
	return segment_file_append(f, &h, footer, sizeof(footer));
}

static int finish(struct segment_file *f, bool replace)
{
	char active[SEGMENT_NAME_MAX + 1];
	int r = active_name(f->name, active);

	if (r < 0)
		return r;
	r = append_footer(f);
	if (r < 0)
		return r;
	if (fsync(f->fd) < 0)
		return -errno;
	if (renameat2(f->directory, active, f->directory, f->name, replace ? 0 : RENAME_NOREPLACE) <
	    0)
		return -errno;
	(void)fsync(f->directory);
	return 0;
}

int segment_file_seal(struct segment_file *f, bool replace)
{
	uint64_t bytes = f->bytes;
	uint32_t seq = f->seq;
	int r = finish(f, replace);

	if (r < 0) {
		f->bytes = bytes;
		f->seq = seq;
		(void)!ftruncate(f->fd, (off_t)bytes);
	}
	return r;
}

int segment_file_discard(const struct segment_file *f)
{
	char active[SEGMENT_NAME_MAX + 1];
	int r = active_name(f->name, active);

	return r == 0 && unlinkat(f->directory, active, 0) < 0 ? -errno : r;
}

int segment_file_repair(int directory, const char *name)
{
	_cleanup_(segment_file_freep) struct segment_file *f = NULL;
	char active[SEGMENT_NAME_MAX + 1];
	struct segment_scan scan;
	int r = active_name(name, active);

	if (r < 0)
		return r;
	r = file_new(directory, name, &f);
	if (r < 0)
		return r;
	f->fd = openat(directory, active, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		return -errno;
	r = segment_scan(f->fd, true, NULL, NULL, &scan);
	if (r < 0)
		return r;
	f->bytes = scan.content_end;
	f->seq = scan.content_seq;
	f->epochs = scan.epochs;
	if (ftruncate(f->fd, (off_t)f->bytes) < 0)
		return -errno;
	return segment_file_seal(f, false);
}
