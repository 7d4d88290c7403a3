// SPDX-License-Identifier: Apache-2.0
#include "export/perf_data_features.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <time.h>

#include "export/frames.h"
#include "util/buffer.h"
#include "util/cleanup.h"
#include "util/json.h"

/* Feature bits of the header: enum in tools/perf/util/header.h */
enum {
	FEATURE_BUILD_ID = 2,
	FEATURE_HOSTNAME = 3,
	FEATURE_OSRELEASE = 4,
	FEATURE_VERSION = 5,
	FEATURE_ARCH = 6,
	FEATURE_NRCPUS = 7,
	FEATURE_CPUDESC = 8,
	FEATURE_CMDLINE = 11,
	FEATURE_EVENT_DESC = 12,
	FEATURE_SAMPLE_TIME = 21,
	FEATURE_CLOCKID = 23,
	FEATURE_CLOCK_DATA = 29,
};

#define BUILD_ID_BYTES 20
#define MISC_BUILD_ID_SIZE (1 << 15) /* the byte behind the build-id is its size */
#define CLOCK_DATA_VERSION 1

struct section {
	uint64_t offset, size;
};

struct header {
	char magic[8];
	uint64_t size;
	uint64_t attr_size;
	struct section attrs, data, event_types;
	uint64_t features[4];
};

/* As it stands in the file: the attribute, and where its ids are. */
struct file_attr {
	struct perf_event_attr attr;
	struct section ids;
};

_Static_assert(sizeof(struct header) == PERF_DATA_HEADER_SIZE, "header is perf's");

static void put_u32(struct buffer *b, uint32_t v)
{
	buffer_put(b, &v, sizeof(v));
}

static void put_u64(struct buffer *b, uint64_t v)
{
	buffer_put(b, &v, sizeof(v));
}

/* A string of the features: length with its NUL, then the bytes. */
static void put_text(struct buffer *b, const char *text)
{
	char safe[1024];
	size_t size;

	text_safe(text ? text : "", safe, sizeof(safe));
	size = strlen(safe) + 1;
	put_u32(b, (uint32_t)size);
	buffer_put(b, safe, size);
}

static void fill_attr(const struct profile *p, uint32_t event, struct perf_event_attr *ret)
{
	const struct profile_event *e = &p->events[event];

	*ret = (struct perf_event_attr){
		.size = sizeof(*ret),
		.type = e->type,
		.config = e->config,
		.sample_type =
			PERF_DATA_SAMPLE_TYPE | (e->memory_access ? PERF_DATA_ACCESS_TYPE : 0),
		.read_format = PERF_FORMAT_ID,
		.sample_id_all = 1,
		.freq = e->rates[0].freq,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.mmap = event == 0,
		.mmap2 = event == 0,
		.comm = event == 0,
		.task = event == 0,
		.ksymbol = event == 0,
		.build_id = event == 0,
	};
	ret->sample_freq = e->rates[0].value; /* or sample_period: one union */
}

static void put_build_id(struct buffer *b, const struct profile_object *o)
{
	bool user = o->kind == OBJECT_FILE;
	const char *name =
		o->kind == OBJECT_KERNEL ? PERF_DATA_KERNEL_NAME : (user ? o->path : o->name);
	uint16_t misc =
		(user ? PERF_RECORD_MISC_USER : PERF_RECORD_MISC_KERNEL) | MISC_BUILD_ID_SIZE;
	char safe[4096];
	uint16_t size;

	text_safe(name ? name : "", safe, sizeof(safe));
	size = (uint16_t)((strlen(safe) + 8) & ~7UL);
	memset(safe + strlen(safe), 0, size - strlen(safe));
	size += 8 + 4 + 24;
	put_u32(b, 0);
	buffer_put(b, &misc, sizeof(misc));
	buffer_put(b, &size, sizeof(size));
	put_u32(b, UINT32_MAX); /* pid: the host */
	buffer_put(b, o->build_id, BUILD_ID_BYTES);
	put_u32(b, (uint32_t)o->build_id_size);
	buffer_put(b, safe, size - (8 + 4 + 24));
}

static void put_build_ids(struct buffer *b, const struct profile *p)
{
	for (size_t i = 0; i < p->n_objects; i++) {
		const struct profile_object *o = &p->objects[i];
		bool has_file = o->kind == OBJECT_FILE || o->kind == OBJECT_KERNEL ||
				o->kind == OBJECT_MODULE;

		if (has_file && o->build_id_size > 0 && o->build_id_size <= BUILD_ID_BYTES)
			put_build_id(b, o);
	}
}

/* Without a blank, at which scripts end a name. */
static void put_event_name(struct buffer *b, const struct profile *p, const struct profile_event *e)
{
	char name[256];

	snprintf(name, sizeof(name), "%s%s%s", e->fired, profile_event_shares_name(p, e) ? "@" : "",
		 profile_event_shares_name(p, e) ? e->profile : "");
	put_text(b, name);
}

static void put_event_desc(struct buffer *b, const struct profile *p)
{
	put_u32(b, (uint32_t)p->n_events);
	put_u32(b, sizeof(struct perf_event_attr));
	for (uint32_t i = 0; i < p->n_events; i++) {
		struct perf_event_attr attr;

		fill_attr(p, i, &attr);
		buffer_put(b, &attr, sizeof(attr));
		put_u32(b, 1); /* ids */
		put_event_name(b, p, &p->events[i]);
		put_u64(b, i + 1);
	}
}

static void put_cmdline(struct buffer *b)
{
	static const char *const words[] = { "ebpf-profiler", "export", "--format", "perf.data" };

	put_u32(b, ARRAY_SIZE(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		put_text(b, words[i]);
}

static void put_feature(struct buffer *b, unsigned int feature, const struct profile *p,
			const struct perf_data_times *t)
{
	switch (feature) {
	case FEATURE_BUILD_ID:
		put_build_ids(b, p);
		break;
	case FEATURE_HOSTNAME:
		put_text(b, p->host.hostname);
		break;
	case FEATURE_OSRELEASE:
		put_text(b, p->host.kernel);
		break;
	case FEATURE_VERSION:
		put_text(b, "ebpf-profiler " VERSION);
		break;
	case FEATURE_ARCH:
		put_text(b, p->host.arch);
		break;
	case FEATURE_NRCPUS:
		put_u32(b, p->host.cpu_ids); /* available */
		put_u32(b, p->host.cpus); /* online */
		break;
	case FEATURE_CPUDESC:
		put_text(b, p->host.cpu_model);
		break;
	case FEATURE_CMDLINE:
		put_cmdline(b);
		break;
	case FEATURE_EVENT_DESC:
		put_event_desc(b, p);
		break;
	case FEATURE_SAMPLE_TIME:
		put_u64(b, t->first_ns);
		put_u64(b, t->last_ns);
		break;
	case FEATURE_CLOCKID:
		put_u64(b, 1); /* resolution in ns */
		break;
	case FEATURE_CLOCK_DATA:
		put_u32(b, CLOCK_DATA_VERSION);
		put_u32(b, CLOCK_MONOTONIC);
		put_u64(b, t->realtime_ns);
		put_u64(b, t->monotonic_ns);
		break;
	}
}

/* `offset` is where `b` will stand in the file. */
static void put_features(struct buffer *b, uint64_t offset, const struct profile *p,
			 const struct perf_data_times *t, struct header *header)
{
	static const unsigned int features[] = {
		FEATURE_BUILD_ID,   FEATURE_HOSTNAME,	 FEATURE_OSRELEASE, FEATURE_VERSION,
		FEATURE_ARCH,	    FEATURE_NRCPUS,	 FEATURE_CPUDESC,   FEATURE_CMDLINE,
		FEATURE_EVENT_DESC, FEATURE_SAMPLE_TIME, FEATURE_CLOCKID,   FEATURE_CLOCK_DATA,
	};
	struct section table[ARRAY_SIZE(features)] = { 0 };

	buffer_put(b, table, sizeof(table));
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		table[i].offset = offset + b->size;
		put_feature(b, features[i], p, t);
		table[i].size = offset + b->size - table[i].offset;
		header->features[0] |= 1ULL << features[i];
	}
	if (!b->error)
		memcpy(b->data, table, sizeof(table));
}

static void put_attrs(struct buffer *b, uint64_t offset, const struct profile *p,
		      struct header *header)
{
	uint64_t ids = offset + b->size + p->n_events * sizeof(struct file_attr);

	header->attrs =
		(struct section){ offset + b->size, p->n_events * sizeof(struct file_attr) };
	for (uint32_t i = 0; i < p->n_events; i++) {
		struct file_attr attr = { .ids = { ids + i * sizeof(uint64_t), sizeof(uint64_t) } };

		fill_attr(p, i, &attr.attr);
		buffer_put(b, &attr, sizeof(attr));
	}
	for (uint32_t i = 0; i < p->n_events; i++)
		put_u64(b, i + 1);
}

int perf_data_write_tail(FILE *out, const struct profile *p, const struct perf_data_times *t)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	struct header header = {
		.magic = { 'P', 'E', 'R', 'F', 'I', 'L', 'E', '2' },
		.size = sizeof(header),
		.attr_size = sizeof(struct file_attr),
		.data = { .offset = sizeof(header) },
	};
	off_t end = ftello(out);
	int r;

	if (end < 0)
		return -errno;
	header.data.size = (uint64_t)end - sizeof(header);
	put_features(&b, (uint64_t)end, p, t, &header);
	put_attrs(&b, (uint64_t)end, p, &header);
	r = buffer_flush_to(&b, out, true);
	if (r < 0)
		return r;
	if (fseeko(out, 0, SEEK_SET) < 0)
		return -errno;
	buffer_put(&b, &header, sizeof(header));
	return buffer_flush_to(&b, out, true);
}
