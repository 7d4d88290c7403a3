// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_index.h"

#include <errno.h>
#include <stdlib.h>

#include "symbols/elf_debug.h"
#include "symbols/elf_frames.h"
#include "symbols/elf_plt.h"
#include "symbols/elf_symbols.h"

/* How far a symbol without a size may reach when none follows: a dynamic symbol in a stripped file
 * would otherwise swallow the functions without names behind it. */
#define SIZELESS_BYTES_MAX 4096

/* -ENODATA: it gives nothing. */
static int add_from_source(const struct elf_source *source, const struct elf_file *program,
			   struct function_index_builder *b)
{
	struct elf_file f;
	uint32_t sources = 0;
	int r = elf_file_open(source, &f);

	if (r < 0)
		return r == -ECANCELED || r == -ENOMEM ? r : -ENODATA;
	r = elf_symbols_add(&f, program, b, &sources);
	elf_file_done(&f);
	return r < 0 ? r : sources & SOURCE_SYMTAB ? 0 : -ENODATA;
}

static int add_from_debug_file(const struct elf_file *program,
			       const struct elf_index_options *options,
			       struct function_index_builder *b)
{
	_cleanup_close_ int fd = -1;
	struct elf_source source;
	struct build_id id;

	if (elf_file_build_id(program, &id) == 0)
		fd = elf_debug_open_by_build_id(options->debug_directory, &id);
	if (fd < 0)
		fd = elf_debug_open_by_link(program, options->debug_directory, options->path);
	if (fd < 0 || elf_source_from_fd(fd, program->source.cancel, &source) < 0)
		return -ENODATA;
	return add_from_source(&source, program, b);
}

static int add_from_debugdata(const struct elf_file *program, struct function_index_builder *b)
{
	_cleanup_free_ void *data = NULL;
	struct elf_source source = { .fd = -1, .cancel = program->source.cancel };
	size_t size;
	int r = elf_debug_unpack(program, &data, &size);

	if (r < 0)
		return r == -ENOMEM || r == -ECANCELED ? r : -ENODATA;
	source.data = data;
	source.size = size;
	return add_from_source(&source, program, b);
}

/* A stripped program's symbols from elsewhere. */
static int add_separate(const struct elf_file *program, const struct elf_index_options *options,
			struct function_index_builder *b, uint32_t *sources)
{
	int r = add_from_debug_file(program, options, b);

	if (r == 0)
		*sources |= SOURCE_DEBUG_FILE;
	if (r != -ENODATA)
		return r;
	r = add_from_debugdata(program, b);
	if (r == 0)
		*sources |= SOURCE_DEBUGDATA;
	return r == -ENODATA ? 0 : r;
}

int elf_index_build(const struct elf_source *source, const struct elf_index_options *options,
		    struct function_index **ret)
{
	_cleanup_(function_index_builder_freep) struct function_index_builder *b =
		function_index_builder_new(SIZELESS_BYTES_MAX);
	struct elf_file program;
	struct build_id id = { 0 };
	uint32_t sources = 0;
	int r;

	if (!b)
		return -ENOMEM;
	r = elf_file_open(source, &program);
	if (r < 0)
		return r;
	r = elf_symbols_add(&program, &program, b, &sources);
	if (r == 0 && !(sources & SOURCE_SYMTAB))
		r = add_separate(&program, options, b, &sources);
	if (r == 0)
		r = elf_plt_add(&program, b, &sources);
	if (r == 0 && !(sources & (SOURCE_SYMTAB | SOURCE_DEBUG_FILE | SOURCE_DEBUGDATA)))
		r = elf_frames_add(&program, b, &sources);
	elf_file_build_id(&program, &id);
	elf_file_done(&program);
	if (r == 0)
		r = function_index_builder_finish(b, sources, id.bytes, id.size, ret);
	return r;
}
