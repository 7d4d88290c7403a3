// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_frames.h"

#include <errno.h>

#include "unwind/unwind_sections.h"

static int add_places(const struct elf_file *f, struct frame_reader *reader,
		      struct function_index_builder *b, uint32_t *sources)
{
	const struct frame_cie *cie;
	struct frame_fde fde;
	int r;

	while ((r = frame_reader_next(reader, &fde, &cie)) > 0) {
		uint64_t offset, end;

		if (!elf_file_code_offset(f, fde.start, &offset, &end) || fde.size > end - offset)
			continue;
		r = function_index_builder_add_place(b, offset, fde.size);
		if (r < 0)
			return r;
		*sources |= SOURCE_FRAMES;
	}
	return r;
}

int elf_frames_add(const struct elf_file *f, struct function_index_builder *b, uint32_t *sources)
{
	const struct frame_machine *machine = frame_machine_find(f->machine);
	_cleanup_(frame_reader_freep) struct frame_reader *reader = NULL;
	struct frame_section section;
	int r;

	if (!machine || !unwind_section_eh_frame(f, &section))
		return 0;
	r = frame_reader_new(machine, &section, &reader);
	if (r == 0)
		r = add_places(f, reader, b, sources);
	return r == -ENOMEM || r == -ECANCELED ? r : 0;
}
