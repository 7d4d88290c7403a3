// SPDX-License-Identifier: Apache-2.0
#include "symbols/index_cache.h"

#include <errno.h>

#include "symbols/build_id_cache.h"

struct index_cache {
	struct build_id_cache *files;
};

int index_cache_open(const char *directory, uint64_t limit_bytes, struct index_cache **ret)
{
	_cleanup_(index_cache_closep) struct index_cache *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = build_id_cache_open(directory, ".fidx", limit_bytes, &c->files);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct index_cache *index_cache_close(struct index_cache *c)
{
	if (!c)
		return NULL;
	build_id_cache_close(c->files);
	free(c);
	return NULL;
}

uint64_t index_cache_bytes(const struct index_cache *c)
{
	return build_id_cache_bytes(c->files);
}

int index_cache_load(struct index_cache *c, const struct build_id *id, uid_t owner,
		     struct function_index **ret)
{
	_cleanup_close_ int fd = build_id_cache_get(c->files, id, owner);
	int r;

	if (fd < 0)
		return fd;
	r = function_index_map(fd, id->bytes, id->size, ret);
	if (r == -EBADMSG) {
		build_id_cache_drop(c->files, id, owner);
		return -ENOENT;
	}
	return r;
}

int index_cache_store(struct index_cache *c, const struct build_id *id, uid_t owner,
		      struct function_index **index)
{
	const struct function_index_header *h;
	struct function_index *mapped;
	_cleanup_close_ int fd = -1;
	size_t size;
	int r;

	h = function_index_data(*index, &size);
	fd = build_id_cache_put(c->files, id, owner, h, size);
	if (fd < 0)
		return fd;
	r = function_index_map(fd, h->build_id, h->build_id_size, &mapped);
	if (r < 0)
		return r;
	function_index_free(*index);
	*index = mapped;
	return 0;
}

int index_cache_keep(struct index_cache *c, struct function_index **index)
{
	return index_cache_store(c, &(const struct build_id){ 0 }, 0, index);
}
