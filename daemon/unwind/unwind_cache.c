// SPDX-License-Identifier: Apache-2.0
#include "unwind/unwind_cache.h"

#include <errno.h>

#include "symbols/build_id_cache.h"
#include "unwind/unwind_block.h"

struct unwind_cache {
	struct build_id_cache *files;
};

int unwind_cache_open(const char *directory, uint64_t limit_bytes, struct unwind_cache **ret)
{
	_cleanup_(unwind_cache_closep) struct unwind_cache *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = build_id_cache_open(directory, ".rows", limit_bytes, &c->files);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct unwind_cache *unwind_cache_close(struct unwind_cache *c)
{
	if (!c)
		return NULL;
	build_id_cache_close(c->files);
	free(c);
	return NULL;
}

uint64_t unwind_cache_bytes(const struct unwind_cache *c)
{
	return build_id_cache_bytes(c->files);
}

int unwind_cache_load(struct unwind_cache *c, const struct build_id *id, uid_t owner,
		      struct unwind_table **ret)
{
	_cleanup_close_ int fd = build_id_cache_get(c->files, id, owner);
	int r;

	if (fd < 0)
		return fd;
	r = unwind_block_map(fd, id, ret);
	if (r == -EBADMSG) {
		build_id_cache_drop(c->files, id, owner);
		return -ENOENT;
	}
	return r;
}

int unwind_cache_store(struct unwind_cache *c, const struct build_id *id, uid_t owner,
		       struct unwind_table **table)
{
	struct unwind_table *mapped;
	_cleanup_close_ int fd =
		build_id_cache_put(c->files, id, owner, (*table)->block, (*table)->block_size);
	int r;

	if (fd < 0)
		return fd;
	r = unwind_block_map(fd, id, &mapped);
	if (r < 0)
		return r;
	unwind_table_free(*table);
	*table = mapped;
	return 0;
}
