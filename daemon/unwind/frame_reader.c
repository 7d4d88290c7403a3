// SPDX-License-Identifier: Apache-2.0
#include "unwind/frame_reader.h"

#include <errno.h>
#include <string.h>

#include "unwind/frame_bytes.h"
#include "unwind/frame_program.h"

#define WINDOW_BYTES (256U << 10)
/* A CIE has some 20 bytes. It may be read anew for many FDEs, and must not cost much then. */
#define CIE_BYTES_MAX 4096
#define CIES_MAX 65536
/* FDEs that may have a CIE read for themselves. */
#define STRAY_CIES_MAX 256

/* DW_EH_PE_*: how an address is written, what it is relative to, whether it is another's place. */
enum {
	ENCODING_FORMAT = 0x0f,
	ENCODING_RELATIVE = 0x70,
	ENCODING_PC = 0x10,
	ENCODING_DATA = 0x30,
	ENCODING_INDIRECT = 0x80,
	ENCODING_OMIT = 0xff,
};

struct frame_reader {
	const struct frame_machine *machine;
	struct frame_section section;
	uint8_t *window;
	size_t window_size, window_capacity;
	uint64_t window_at; /* in the section */
	uint64_t at; /* of the next entry */
	struct frame_cie *cies; /* sorted by place */
	size_t n_cies, cie_capacity;
	struct frame_cie stray;
	size_t last; /* the CIE used last */
	uint32_t n_strays, damaged;
};

struct entry {
	uint64_t at, id_at; /* in the section */
	uint64_t id;
	bool wide; /* 64-bit DWARF */
	struct cursor body; /* after the id */
};

int frame_reader_new(const struct frame_machine *m, const struct frame_section *section,
		     struct frame_reader **ret)
{
	_cleanup_(frame_reader_freep) struct frame_reader *r = NULL;

	if (section->size > FRAME_SECTION_BYTES_MAX)
		return -E2BIG;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->machine = m;
	r->section = *section;
	r->stray.at = UINT64_MAX;
	*ret = TAKE_PTR(r);
	return 0;
}

struct frame_reader *frame_reader_free(struct frame_reader *r)
{
	if (!r)
		return NULL;
	free(r->window);
	free(r->cies);
	free(r);
	return NULL;
}

uint32_t frame_reader_damaged(const struct frame_reader *r)
{
	return r->damaged;
}

static int grow_window(struct frame_reader *r, size_t size)
{
	uint8_t *window;

	if (size <= r->window_capacity)
		return 0;
	window = realloc(r->window, size);
	if (!window)
		return -ENOMEM;
	r->window = window;
	r->window_capacity = size;
	return 0;
}

/* Bytes [at, at + size) of the section, which has them. */
static int look(struct frame_reader *r, uint64_t at, size_t size, const uint8_t **ret)
{
	uint64_t left = r->section.size - at;
	size_t want = (size_t)MIN(left, (uint64_t)MAX(size, (size_t)WINDOW_BYTES));
	int error;

	if (at < r->window_at || at - r->window_at > r->window_size ||
	    size > r->window_size - (at - r->window_at)) {
		error = grow_window(r, want);
		if (error < 0)
			return error;
		r->window_size = 0;
		error = elf_source_read(r->section.source, r->section.offset + at, r->window, want);
		if (error < 0)
			return error;
		r->window_at = at;
		r->window_size = want;
	}
	*ret = r->window + (at - r->window_at);
	return 0;
}

/* How long the entry at `at` is after its length field of *ret_head bytes. */
static int entry_length(struct frame_reader *r, uint64_t at, size_t *ret_head, uint64_t *ret)
{
	uint64_t left = r->section.size - at;
	const uint8_t *bytes;
	uint32_t length;
	int error;

	*ret_head = 4;
	error = look(r, at, 4, &bytes);
	if (error < 0)
		return error;
	memcpy(&length, bytes, 4);
	*ret = length;
	if (length != UINT32_MAX || left < 12)
		return 0;
	*ret_head = 12;
	error = look(r, at, 12, &bytes);
	if (error == 0)
		memcpy(ret, bytes + 4, 8);
	return error;
}

static uint64_t get_id(struct frame_reader *r, struct entry *e)
{
	/* .eh_frame has 4 bytes also where the length takes 12: LSB 5.0, 10.6.1.1. */
	return cursor_get_fixed(&e->body, e->wide && r->section.debug_frame ? 8 : 4);
}

static bool is_cie(const struct frame_reader *r, const struct entry *e)
{
	if (!r->section.debug_frame)
		return e->id == 0;
	return e->id == (e->wide ? UINT64_MAX : UINT32_MAX);
}

/*
 * The entry at `at`. 1; 0: its bytes are of no use, *ret_next says where to go on; or an error.
 * *ret_next is the section's end where a length leads out of it.
 */
static int read_entry(struct frame_reader *r, uint64_t at, struct entry *ret, uint64_t *ret_next)
{
	uint64_t length, left = r->section.size - at;
	const uint8_t *bytes;
	size_t head;
	int error;

	*ret_next = r->section.size;
	if (left < 4)
		return 0;
	error = entry_length(r, at, &head, &length);
	if (error < 0)
		return error;
	if (length == 0) {
		/* Between the objects of a link, and at its end. */
		if (!r->section.terminated)
			*ret_next = at + head;
		return 0;
	}
	if (length > left - head) {
		/* Where the size is a guess, what follows the last entry may look like this. */
		r->damaged++;
		return 0;
	}
	*ret_next = at + head + length;
	if (length < 4 || length > FRAME_ENTRY_BYTES_MAX) {
		r->damaged++;
		return 0;
	}
	error = look(r, at, head + (size_t)length, &bytes);
	if (error < 0)
		return error;
	*ret = (struct entry){
		.at = at,
		.id_at = at + head,
		.wide = head == 12,
		.body = { .pos = bytes + head, .end = bytes + head + length },
	};
	ret->id = get_id(r, ret);
	if (!ret->body.error)
		return 1;
	r->damaged++;
	return 0;
}

static uint64_t get_value(struct cursor *c, unsigned int format)
{
	switch (format) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		return cursor_get_fixed(c, 8);
	case 0x01:
		return cursor_get_varint(c);
	case 0x02:
		return cursor_get_fixed(c, 2);
	case 0x03:
		return cursor_get_fixed(c, 4);
	case 0x09:
		return (uint64_t)cursor_get_sleb(c);
	case 0x0a:
		return (uint64_t)cursor_get_signed(c, 2);
	case 0x0b:
		return (uint64_t)cursor_get_signed(c, 4);
	}
	c->error = -EBADMSG;
	return 0;
}

uint64_t frame_get_address(struct cursor *c, const struct frame_cie *cie, uint64_t address)
{
	uint64_t value = get_value(c, cie->encoding & ENCODING_FORMAT);

	if (cie->encoding & ENCODING_INDIRECT)
		c->error = -EBADMSG;
	switch (cie->encoding & ENCODING_RELATIVE) {
	case 0:
		return value;
	case ENCODING_PC:
		return value + address;
	case ENCODING_DATA:
		if (cie->data_address)
			return value + cie->data_address;
	}
	c->error = -EBADMSG;
	return 0;
}

/* A pointer to something else in a CIE's augmentation; its value is not wanted. */
static void skip_pointer(struct cursor *c)
{
	uint8_t encoding = (uint8_t)cursor_get_fixed(c, 1);

	if (encoding != ENCODING_OMIT)
		get_value(c, encoding & ENCODING_FORMAT);
}

/* The data that the letters after 'z' announce. */
static void get_augmentation(struct cursor *c, const char *letters, struct frame_cie *cie)
{
	for (; *letters && !c->error; letters++) {
		switch (*letters) {
		case 'R':
			cie->encoding = (uint8_t)cursor_get_fixed(c, 1);
			break;
		case 'P':
			skip_pointer(c);
			break;
		case 'L':
			cursor_get_fixed(c, 1);
			break;
		case 'S':
			cie->signal = true;
			break;
		case 'B': /* arm64: addresses are signed with key B */
		case 'G': /* arm64: tagged stack memory */
			break;
		default:
			/* What follows may mean anything. */
			c->error = -EBADMSG;
		}
	}
}

static const char *get_string(struct cursor *c)
{
	const uint8_t *end = memchr(c->pos, 0, cursor_left(c));
	const char *s = (const char *)c->pos;

	if (!end) {
		c->error = -EBADMSG;
		return "";
	}
	c->pos = end + 1;
	return s;
}

/* Leaves the cursor at the instructions. */
static void get_cie(struct cursor *c, bool debug_frame, uint8_t usual_ra, struct frame_cie *cie)
{
	uint64_t version = cursor_get_fixed(c, 1), ra, size;
	const char *letters = c->error ? "" : get_string(c);
	struct cursor data;

	if (version == 4 && debug_frame && cursor_get_fixed(c, 2) != 8)
		c->error = -EBADMSG; /* addresses of 8 bytes, without segments */
	else if (version != 1 && version != 3 && !(version == 4 && debug_frame))
		c->error = -EBADMSG;
	if (strcmp(letters, "eh") == 0) {
		cursor_get_fixed(c, 8); /* gcc 2 */
		letters = "";
	}
	cie->code_align = cursor_get_varint(c);
	cie->data_align = cursor_get_sleb(c);
	ra = version == 1 ? cursor_get_fixed(c, 1) : cursor_get_varint(c);
	cie->other_ra = ra != usual_ra; /* helpers with conventions of their own */
	if (*letters && *letters != 'z')
		c->error = -EBADMSG;
	if (c->error || !*letters)
		return;
	cie->augmented = true;
	size = cursor_get_varint(c);
	if (c->error || size > cursor_left(c)) {
		c->error = -EBADMSG;
		return;
	}
	data = (struct cursor){ .pos = c->pos, .end = c->pos + size };
	get_augmentation(&data, letters + 1, cie);
	c->error = data.error;
	c->pos += size;
}

static void parse_cie(struct frame_reader *r, const struct entry *e, struct frame_cie *ret)
{
	struct cursor c = e->body;

	*ret = (struct frame_cie){ .at = e->at, .data_address = r->section.data_address };
	if (cursor_left(&c) > CIE_BYTES_MAX)
		c.error = -EBADMSG;
	else
		get_cie(&c, r->section.debug_frame, r->machine->ra, ret);
	if (r->machine->ra_on_stack || ret->other_ra)
		ret->initial.ra.how = FRAME_OTHER; /* until it is said */
	ret->code = c;
	ret->usable = !c.error && frame_program_begin(r->machine, ret) == 0;
	if (!ret->usable)
		r->damaged++;
}

/* Entries come by in order, so that the table is sorted. */
static int keep_cie(struct frame_reader *r, const struct entry *e)
{
	struct frame_cie *cies;

	if (r->n_cies == CIES_MAX)
		return 0;
	if (r->n_cies == r->cie_capacity) {
		size_t capacity = r->cie_capacity ? r->cie_capacity * 2 : 16;

		cies = reallocarray(r->cies, capacity, sizeof(*cies));
		if (!cies)
			return -ENOMEM;
		r->cies = cies;
		r->cie_capacity = capacity;
	}
	parse_cie(r, e, &r->cies[r->n_cies++]);
	return 0;
}

static const struct frame_cie *kept_cie(struct frame_reader *r, uint64_t at)
{
	size_t low = 0, high = r->n_cies;

	if (r->last < r->n_cies && r->cies[r->last].at == at)
		return &r->cies[r->last];
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->cies[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == r->n_cies || r->cies[low].at != at)
		return r->stray.at == at ? &r->stray : NULL;
	r->last = low;
	return &r->cies[low];
}

/* Of one that has not come by: this moves the window. 1, 0: it is none; or an error. */
static int read_stray(struct frame_reader *r, uint64_t at)
{
	struct entry e;
	uint64_t next;
	int found;

	if (at >= r->section.size || r->n_strays == STRAY_CIES_MAX)
		return 0;
	r->n_strays++;
	found = read_entry(r, at, &e, &next);
	if (found <= 0)
		return found;
	if (!is_cie(r, &e))
		return 0;
	parse_cie(r, &e, &r->stray);
	return 1;
}

static uint64_t address_of(const struct frame_reader *r, const uint8_t *pos)
{
	return r->section.address + r->window_at + (uint64_t)(pos - r->window);
}

/* 1; 0: it describes nothing, or nothing that can be read. */
static int parse_fde(struct frame_reader *r, struct entry *e, const struct frame_cie *cie,
		     struct frame_fde *ret)
{
	struct cursor *c = &e->body;
	struct frame_fde fde;

	fde.start = frame_get_address(c, cie, address_of(r, c->pos));
	fde.size = get_value(c, cie->encoding & ENCODING_FORMAT);
	if (cie->augmented && !c->error) {
		uint64_t size = cursor_get_varint(c);

		if (c->error || size > cursor_left(c))
			c->error = -EBADMSG;
		else
			c->pos += size;
	}
	if (c->error || fde.size > UINT64_MAX - fde.start) {
		r->damaged++;
		return 0;
	}
	/* Functions that the linker dropped stay behind at 0 in .debug_frame. */
	if (fde.size == 0 || (r->section.debug_frame && fde.start == 0))
		return 0;
	fde.code = *c;
	fde.code_address = address_of(r, c->pos);
	*ret = fde;
	return 1;
}

static uint64_t cie_of(const struct frame_reader *r, const struct entry *e)
{
	if (r->section.debug_frame)
		return e->id;
	return e->id <= e->id_at ? e->id_at - e->id : UINT64_MAX;
}

/* Its FDE's CIE; when it had to be looked for, the window is at the FDE again. */
static int find_cie(struct frame_reader *r, struct entry *e, const struct frame_cie **ret)
{
	uint64_t next;
	int found = 1;

	*ret = kept_cie(r, cie_of(r, e));
	if (!*ret) {
		found = read_stray(r, cie_of(r, e));
		if (found <= 0)
			return found;
		*ret = &r->stray;
		found = read_entry(r, e->at, e, &next);
	}
	return found > 0 && !(*ret)->usable ? 0 : found;
}

int frame_reader_next(struct frame_reader *r, struct frame_fde *ret_fde,
		      const struct frame_cie **ret_cie)
{
	while (r->at < r->section.size) {
		struct entry e;
		int found = read_entry(r, r->at, &e, &r->at);

		if (found > 0 && is_cie(r, &e)) {
			found = keep_cie(r, &e);
		} else if (found > 0) {
			found = find_cie(r, &e, ret_cie);
			if (found == 0)
				r->damaged++;
			if (found > 0)
				found = parse_fde(r, &e, *ret_cie, ret_fde);
		}
		if (found != 0)
			return found;
	}
	return 0;
}
