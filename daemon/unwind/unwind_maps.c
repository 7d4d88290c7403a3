// SPDX-License-Identifier: Apache-2.0
#include "unwind/unwind_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include "util/thread.h"

static int create(enum bpf_map_type type, const char *name, size_t value_size, size_t n,
		  uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
	int fd = bpf_map_create(type, name, sizeof(uint32_t), (uint32_t)value_size, (uint32_t)n,
				&options);

	/* Unknown flags are what an old kernel complains about. */
	return fd >= 0 ? fd : fd == -EINVAL ? -EOPNOTSUPP : fd;
}

/* An array that both sides see. */
static int create_mapped(const char *name, size_t value_size, size_t n, void **ret,
			 size_t *ret_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (value_size * n + page - 1) / page * page;
	int fd = create(BPF_MAP_TYPE_ARRAY, name, value_size, n, BPF_F_MMAPABLE);
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		int r = -errno;

		safe_close(fd);
		return r;
	}
	*ret = memory;
	*ret_bytes = bytes;
	return fd;
}

static int create_chunk(void)
{
	return create(BPF_MAP_TYPE_ARRAY, "unwind_chunk", sizeof(struct unwind_chunk), 1,
		      BPF_F_MMAPABLE);
}

/* Addresses for all chunks, so that words of two neighbours are neighbours; and no chunk yet. */
static int open_chunks(struct unwind_maps *m, size_t n_chunks)
{
	_cleanup_close_ int like = create_chunk();
	LIBBPF_OPTS(bpf_map_create_opts, options);
	void *memory;

	if (like < 0)
		return like;
	options.inner_map_fd = (uint32_t)like;
	m->chunks_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "unwind_chunks",
				      sizeof(uint32_t), sizeof(uint32_t), (uint32_t)n_chunks,
				      &options);
	if (m->chunks_fd < 0)
		return m->chunks_fd;
	memory = mmap(NULL, n_chunks * sizeof(struct unwind_chunk), PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	m->words = memory;
	m->words_bytes = n_chunks * sizeof(struct unwind_chunk);
	return 0;
}

static int open_all(struct unwind_maps *m, size_t n_chunks, size_t possible_cpus)
{
	int r = open_chunks(m, n_chunks);

	if (r < 0)
		return r;
	m->slots_fd = create_mapped("unwind_slots", sizeof(struct unwind_slot), UNWIND_MAX_SLOTS,
				    (void **)&m->slots, &m->slots_bytes);
	if (m->slots_fd < 0)
		return m->slots_fd;
	m->mappings_fd = create_mapped("unwind_mappings", sizeof(struct unwind_mapping),
				       UNWIND_MAX_MAPPINGS, (void **)&m->mappings,
				       &m->mappings_bytes);
	if (m->mappings_fd < 0)
		return m->mappings_fd;
	m->processes_fd = create(BPF_MAP_TYPE_HASH, "unwind_process",
				 sizeof(struct unwind_process), UNWIND_MAX_PROCESSES, 0);
	if (m->processes_fd < 0)
		return m->processes_fd;
	m->cpus_fd = create(BPF_MAP_TYPE_ARRAY, "unwind_cpus", sizeof(struct unwind_cpu),
			    possible_cpus, 0);
	return m->cpus_fd < 0 ? m->cpus_fd : 0;
}

int unwind_maps_open(uint64_t bytes, size_t possible_cpus, struct unwind_maps **ret)
{
	size_t n_chunks = (bytes + sizeof(struct unwind_chunk) - 1) / sizeof(struct unwind_chunk);
	_cleanup_(unwind_maps_closep) struct unwind_maps *m = NULL;
	int r;

#if !defined(__x86_64__) && !defined(__aarch64__)
	return -ENOSYS;
#endif
	m = malloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	*m = (struct unwind_maps){
		.chunks_fd = -1,
		.slots_fd = -1,
		.mappings_fd = -1,
		.processes_fd = -1,
		.cpus_fd = -1,
		.n_words = n_chunks * UNWIND_CHUNK_WORDS,
		.n_slots = UNWIND_MAX_SLOTS,
		.n_mappings = UNWIND_MAX_MAPPINGS,
	};
	r = open_all(m, n_chunks, possible_cpus);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

/* Behind the last one; of no use yet. */
static int make_chunk(struct unwind_maps *m)
{
	_cleanup_close_ int fd = create_chunk();
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(m->words + m->n_chunks * UNWIND_CHUNK_WORDS, sizeof(struct unwind_chunk),
		      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	/* The map is kept by the array and by the mapping. */
	return bpf_map_update_elem(m->chunks_fd, &m->n_chunks, &fd, BPF_ANY);
}

static void *make_ahead(void *userdata)
{
	struct unwind_maps *m = userdata;

	m->ahead_result = make_chunk(m);
	return NULL;
}

static int await_ahead(struct unwind_maps *m)
{
	pthread_join(m->ahead, NULL);
	m->is_ahead = false;
	return m->ahead_result;
}

static size_t words_there(const struct unwind_maps *m)
{
	return (size_t)m->n_chunks * UNWIND_CHUNK_WORDS;
}

/* The last chunk is half full: the next one is made meanwhile. Without a thread it is when its time
 * comes. */
static void look_ahead(struct unwind_maps *m, size_t n)
{
	if (!m->is_ahead && words_there(m) < m->n_words &&
	    n + UNWIND_CHUNK_WORDS / 2 > words_there(m))
		m->is_ahead = thread_start("rows-ahead", 128 * 1024, make_ahead, m, &m->ahead) == 0;
}

int unwind_maps_reach(struct unwind_maps *m, size_t n)
{
	if (m->chunks_fd < 0)
		return 0;
	while (words_there(m) < n) {
		int r = m->is_ahead ? await_ahead(m) : make_chunk(m);

		if (r < 0)
			return r;
		m->n_chunks++;
	}
	look_ahead(m, n);
	return 0;
}

uint64_t unwind_maps_bytes(const struct unwind_maps *m)
{
	return m->n_chunks * sizeof(struct unwind_chunk) + m->slots_bytes + m->mappings_bytes;
}

static void unmap(void *memory, size_t bytes)
{
	if (memory && bytes)
		munmap(memory, bytes);
}

struct unwind_maps *unwind_maps_close(struct unwind_maps *m)
{
	if (!m)
		return NULL;
	if (m->is_ahead)
		(void)await_ahead(m);
	unmap(m->words, m->words_bytes);
	unmap(m->slots, m->slots_bytes);
	unmap(m->mappings, m->mappings_bytes);
	safe_close(m->chunks_fd);
	safe_close(m->slots_fd);
	safe_close(m->mappings_fd);
	safe_close(m->processes_fd);
	safe_close(m->cpus_fd);
	free(m);
	return NULL;
}

int unwind_maps_set_process(struct unwind_maps *m, const struct unwind_process *p)
{
	if (m->processes_fd < 0)
		return 0;
	return bpf_map_update_elem(m->processes_fd, &p->pid, p, BPF_ANY);
}

int unwind_maps_drop_process(struct unwind_maps *m, uint32_t pid)
{
	int r = m->processes_fd < 0 ? 0 : bpf_map_delete_elem(m->processes_fd, &pid);

	return r == -ENOENT ? 0 : r;
}
