// SPDX-License-Identifier: Apache-2.0
#include "host/kernel_types.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

DEFINE_CLEANUP(struct btf *, btf__free);

struct types {
	const char *at, *end;
	const char *strings;
	size_t strings_size;
};

/* Bytes behind struct btf_type, by its kind (Documentation/bpf/btf.rst); -EINVAL: not known here.
 */
static ssize_t tail_size(const struct btf_type *t)
{
	size_t n = btf_vlen(t);

	switch (btf_kind(t)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	case BTF_KIND_INT:
		return sizeof(__u32);
	case BTF_KIND_VAR:
		return sizeof(struct btf_var);
	case BTF_KIND_DECL_TAG:
		return sizeof(struct btf_decl_tag);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return (ssize_t)(n * sizeof(struct btf_member));
	case BTF_KIND_ENUM:
		return (ssize_t)(n * sizeof(struct btf_enum));
	case BTF_KIND_FUNC_PROTO:
		return (ssize_t)(n * sizeof(struct btf_param));
	case BTF_KIND_DATASEC:
		return (ssize_t)(n * sizeof(struct btf_var_secinfo));
	case BTF_KIND_ENUM64:
		return (ssize_t)(n * sizeof(struct btf_enum64));
	default:
		return -EINVAL;
	}
}

static int open_types(const void *data, size_t size, struct types *ret)
{
	const struct btf_header *h = data;
	const char *body;

	if (size < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len < sizeof(*h) ||
	    h->hdr_len > size)
		return -EINVAL;
	body = (const char *)data + h->hdr_len;
	size -= h->hdr_len;
	if (h->type_off > size || h->type_len > size - h->type_off || h->type_off % 4 ||
	    h->str_off > size || h->str_len > size - h->str_off || h->str_len == 0 ||
	    body[h->str_off + h->str_len - 1])
		return -EINVAL;
	*ret = (struct types){ .at = body + h->type_off,
			       .end = body + h->type_off + h->type_len,
			       .strings = body + h->str_off,
			       .strings_size = h->str_len };
	return 0;
}

static const char *string(const struct types *s, uint32_t offset)
{
	return offset < s->strings_size ? s->strings + offset : "";
}

static void take_fields(const struct types *s, const struct btf_type *t, struct kernel_struct *w)
{
	const struct btf_member *members = btf_members(t);

	w->size = (int32_t)t->size;
	for (__u32 m = 0; m < btf_vlen(t); m++) {
		const char *name = string(s, members[m].name_off);

		for (size_t i = 0; i < KERNEL_FIELDS_MAX && w->fields[i].name; i++)
			if (w->fields[i].bit_offset < 0 && strcmp(name, w->fields[i].name) == 0)
				w->fields[i].bit_offset = (int)btf_member_bit_offset(t, m);
	}
}

/* How many of the wanted types this one answers. */
static size_t match(const struct types *s, const struct btf_type *t, struct kernel_struct *wanted,
		    size_t n)
{
	const char *name = string(s, t->name_off);
	size_t found = 0;

	if (!btf_is_composite(t) || !*name)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (wanted[i].size >= 0 || strcmp(name, wanted[i].name) != 0)
			continue;
		take_fields(s, t, &wanted[i]);
		found++;
	}
	return found;
}

int kernel_types_parse(const void *data, size_t size, struct kernel_struct *wanted, size_t n)
{
	struct types s = {};
	size_t missing = n;
	int r = open_types(data, size, &s);

	for (size_t i = 0; i < n; i++) {
		wanted[i].size = -1;
		for (size_t k = 0; k < KERNEL_FIELDS_MAX; k++)
			wanted[i].fields[k].bit_offset = -1;
	}
	if (r < 0)
		return r;
	while (missing && s.at < s.end) {
		const struct btf_type *t = (const void *)s.at;
		size_t left = (size_t)(s.end - s.at);
		ssize_t tail = left < sizeof(*t) ? -EINVAL : tail_size(t);

		if (tail < 0 || (size_t)tail > left - sizeof(*t))
			return -EINVAL;
		missing -= match(&s, t, wanted, n);
		s.at += sizeof(*t) + (size_t)tail;
	}
	return 0;
}

/* read() of this file gives a page at a time, which is why it is mapped where it can be
 * (Linux 6.15). */
static int read_all(int fd, char *out, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, out + done, size - done);

		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		done += (size_t)n;
	}
	return 0;
}

static int read_exported(struct kernel_struct *wanted, size_t n)
{
	_cleanup_close_ int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (data == MAP_FAILED)
			return -errno;
		r = read_all(fd, data, (size_t)st.st_size);
	}
	if (r == 0)
		r = kernel_types_parse(data, (size_t)st.st_size, wanted, n);
	munmap(data, (size_t)st.st_size);
	return r;
}

int kernel_types_read(struct kernel_struct *wanted, size_t n)
{
	_cleanup_(btf__freep) struct btf *btf = NULL;
	const void *data;
	__u32 size;
	int r = read_exported(wanted, n);

	if (r != -ENOENT)
		return r;
	btf = btf__load_vmlinux_btf();
	data = btf ? btf__raw_data(btf, &size) : NULL;
	return data ? kernel_types_parse(data, size, wanted, n) : -errno;
}
