// SPDX-License-Identifier: Apache-2.0
// The index of an ELF file says what nm says, wherever its symbols are kept; no file, however
// broken, does more than fail.
#include "symbols_fixture.h"

#include <elf.h>
#include <errno.h>

#include "symbols/elf_debug.h"
#include "symbols/vdso.h"

/* --- beside nm */

struct nm_symbol {
	uint64_t address, size;
	char type, name[200];
};

struct nm {
	struct nm_symbol *list;
	size_t n, capacity;
	struct {
		uint64_t offset, address, size;
	} code[4]; /* executable segments, by readelf */
	size_t n_code;
};

static void nm_read(struct nm *nm, const char *options, const char *path)
{
	_cleanup_free_ char *line = NULL;
	char command[PATH_MAX + 64];
	size_t capacity = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "nm -S --defined-only %s '%s' 2>/dev/null", options,
		 path);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	while (getline(&line, &capacity, pipe) > 0) {
		struct nm_symbol s;

		if (sscanf(line, "%lx %lx %c %199s", &s.address, &s.size, &s.type, s.name) != 4 ||
		    !strchr("tTwWi", s.type) || strlen(s.name) == 199)
			continue;
		s.name[strcspn(s.name, "@")] = '\0';
		if (nm->n == nm->capacity) {
			nm->capacity = nm->capacity ? nm->capacity * 2 : 1024;
			nm->list = reallocarray(nm->list, nm->capacity, sizeof(*nm->list));
			assert_non_null(nm->list);
		}
		nm->list[nm->n++] = s;
	}
	pclose(pipe);
}

static void nm_read_segments(struct nm *nm, const char *path)
{
	_cleanup_free_ char *line = NULL;
	char command[PATH_MAX + 64];
	size_t capacity = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "readelf -lW '%s' 2>/dev/null", path);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	while (getline(&line, &capacity, pipe) > 0) {
		unsigned long offset, address, size;

		if (sscanf(line, " LOAD %lx %lx %*x %lx", &offset, &address, &size) != 3 ||
		    !strstr(line, " R E "))
			continue;
		assert_true(nm->n_code < ARRAY_SIZE(nm->code));
		nm->code[nm->n_code].offset = offset;
		nm->code[nm->n_code].address = address;
		nm->code[nm->n_code++].size = size;
	}
	pclose(pipe);
}

static bool nm_offset(const struct nm *nm, uint64_t address, uint64_t *ret)
{
	for (size_t i = 0; i < nm->n_code; i++)
		if (address - nm->code[i].address < nm->code[i].size) {
			*ret = address - nm->code[i].address + nm->code[i].offset;
			return true;
		}
	return false;
}

static int compare_nm(const void *left, const void *right)
{
	const struct nm_symbol *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

static const struct nm_symbol *nm_first_at(const struct nm *nm, uint64_t address)
{
	size_t low = 0, high = nm->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (nm->list[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return &nm->list[low];
}

/* One of nm's names for the place where the found function begins, of the symbols that cover
 * `address`. A function that goes on behind an inner one begins before. */
static bool nm_agrees(const struct nm *nm, uint64_t address, const char *name)
{
	const struct nm_symbol *s = nm_first_at(nm, address + 1);

	for (size_t tried = 0; s-- > nm->list && tried < 4096; tried++)
		if (address - s->address < s->size && strcmp(s->name, name) == 0)
			return true;
	return false;
}

static void compare_with_nm(int line, const char *path, const char *debug, size_t at_least)
{
	_cleanup_(function_index_freep) struct function_index *index = NULL;
	struct nm nm = { 0 };
	size_t checked = 0;

	nm_read(&nm, "", path);
	nm_read(&nm, "-D", path);
	if (debug)
		nm_read(&nm, "", debug);
	nm_read_segments(&nm, path);
	if (nm.n == 0)
		fail_msg("line %d: nm shows nothing of %s", line, path);
	qsort(nm.list, nm.n, sizeof(*nm.list), compare_nm);
	assert_int_equal(index_file(path, "/usr/lib/debug", &index), 0);
	for (size_t i = 0; i < nm.n; i++) {
		const uint64_t into[] = { 0, nm.list[i].size / 2, nm.list[i].size - 1 };

		for (size_t k = 0; k < ARRAY_SIZE(into) && nm.list[i].size; k++) {
			uint64_t address = nm.list[i].address + into[k], offset;
			struct function f = { .name = "-" };

			if (!nm_offset(&nm, address, &offset))
				continue;
			if (!function_index_find(index, offset, &f) ||
			    (!nm_agrees(&nm, address, f.name) && !strstr(f.name, "@plt")))
				fail_msg("line %d: %s: %#lx is %s by nm, %s by the index", line,
					 path, address, nm.list[i].name, f.name);
			checked++;
		}
	}
	free(nm.list);
	if (checked < at_least)
		fail_msg("line %d: only %zu places compared in %s", line, checked, path);
}

static void agrees_with_nm(void **state)
{
	static const struct {
		int line;
		const char *find; /* prints a path */
		size_t at_least;
	} files[] = {
		{ __LINE__, "readlink -f /proc/$PPID/exe", 200 },
		{ __LINE__, "readlink -f /bin/bash", 3000 },
		{ __LINE__, "ldd /bin/bash | sed -n 's/.*=> \\(.*libc.so.6\\).*/\\1/p'", 5000 },
		{ __LINE__, "readlink -f /usr/bin/python3", 3000 },
		{ __LINE__, "gcc -print-prog-name=cc1", 10000 },
		{ __LINE__, "gcc -print-file-name=libstdc++.so.6", 5000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[PATH_MAX], debug[PATH_MAX + 64], hex[2 * BUILD_ID_MAX + 1];
		FILE *pipe = popen(files[i].find, "re");
		_cleanup_close_ int fd = -1;
		struct build_id id;

		assert_non_null(pipe);
		assert_non_null(fgets(path, sizeof(path), pipe));
		pclose(pipe);
		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
		debug[0] = '\0';
		if (elf_build_id_from_fd(fd, &id) == 0)
			snprintf(debug, sizeof(debug), "/usr/lib/debug/.build-id/%.2s/%s.debug",
				 build_id_format(&id, hex), hex + 2);
		compare_with_nm(files[i].line, path, access(debug, R_OK) == 0 ? debug : NULL,
				files[i].at_least);
	}
}

static void plt_stubs_agree_with_objdump(void **state)
{
	_cleanup_(function_index_freep) struct function_index *index = NULL;
	_cleanup_free_ char *line = NULL;
	struct nm nm = { 0 };
	size_t capacity = 0, checked = 0;
	FILE *pipe = popen("objdump -d -j .plt -j .plt.sec /bin/bash", "re");

	(void)state;
	assert_non_null(pipe);
	nm_read_segments(&nm, "/bin/bash");
	assert_int_equal(index_file("/bin/bash", "/nonexistent", &index), 0);
	while (getline(&line, &capacity, pipe) > 0) {
		char *name = strchr(line, '<'), *end = strstr(line, "@plt>:");
		struct function f = { .name = "-" };
		uint64_t offset;

		if (!name || !end)
			continue;
		end[4] = '\0';
		assert_true(nm_offset(&nm, strtoull(line, NULL, 16), &offset));
		function_index_find(index, offset + 3, &f);
		/* objdump adds the version of the symbol */
		if (strncmp(f.name, name + 1, strcspn(name + 1, "@")) != 0)
			fail_msg("%s by objdump, %s by the index", name + 1, f.name);
		checked++;
	}
	pclose(pipe);
	assert_true(checked > 50);
}

/* --- where symbols are kept */

static const char source_text[] =
	"static __attribute__((noinline)) int hidden(int x) { asm volatile(\"\"); return x * 3; }\n"
	"__attribute__((visibility(\"default\"))) int shown(int x) { return hidden(x) + 1; }\n"
	"int main(int argc, char **argv) { (void)argv; return shown(argc); }\n"
	"asm(\".text\\n.type typed, @function\\ntyped: nop\\nret\\nplain: nop\\nret\\n"
	".Llabel: nop\\n\");\n";

/* A program with symbols, "whole"; without: "stripped"; its symbols alone: "debug". */
static void compile(const struct fixture *f, const char *options)
{
	write_text(in(f, "p.c"), source_text);
	run("cd %s && gcc -O1 -rdynamic -Wl,--build-id=sha1 %s -o whole p.c 2>/dev/null && "
	    "strip -o stripped whole && objcopy --only-keep-debug whole debug",
	    f->directory, options);
}

static void symtab_has_static_and_assembler_functions(void **state)
{
	_cleanup_(function_index_freep) struct function_index *index = NULL;

	compile(*state, "");
	assert_int_equal(index_file(in(*state, "whole"), "/nonexistent", &index), 0);
	assert_true(has_function(index, "hidden"));
	assert_true(has_function(index, "shown"));
	assert_true(has_function(index, "typed"));
	assert_true(has_function(index, "plain"));
	assert_false(has_function(index, ".Llabel"));
	assert_true(function_index_sources(index) & SOURCE_SYMTAB);
}

static void stripped_program_has_its_dynamic_symbols(void **state)
{
	_cleanup_(function_index_freep) struct function_index *index = NULL;

	compile(*state, "");
	assert_int_equal(index_file(in(*state, "stripped"), "/nonexistent", &index), 0);
	assert_false(has_function(index, "hidden"));
	assert_true(has_function(index, "shown"));
}

/* .eh_frame tells where a function is whose name was stripped. */
static void stripped_program_has_its_functions(void **state)
{
	_cleanup_(function_index_freep) struct function_index *whole = NULL, *index = NULL;
	struct function f, same;
	bool found = false;

	compile(*state, "");
	assert_int_equal(index_file(in(*state, "whole"), "/nonexistent", &whole), 0);
	assert_int_equal(index_file(in(*state, "stripped"), "/nonexistent", &index), 0);
	assert_true(function_index_sources(index) & SOURCE_FRAMES);
	assert_false(function_index_sources(whole) & SOURCE_FRAMES);
	for (uint64_t at = 0; at < 0x10000 && !found; at++)
		found = function_index_find(whole, at, &f) && strcmp(f.name, "hidden") == 0;
	assert_true(found);
	for (uint64_t at = f.start; at < f.start + f.size; at++) {
		assert_true(function_index_find(index, at, &same));
		assert_string_equal(same.name, "");
		assert_int_equal(same.start, f.start);
		assert_int_equal(same.size, f.size);
	}
}

/* hidden() must be found at the same offsets as in the program with symbols. */
static void expect_hidden(const struct fixture *f, const char *name, const char *debug_directory,
			  uint32_t source)
{
	_cleanup_(function_index_freep) struct function_index *index = NULL, *whole = NULL;
	size_t size;
	const struct function_index_header *h;
	struct function found, same;

	assert_int_equal(index_file(in(f, "whole"), "/nonexistent", &whole), 0);
	assert_int_equal(index_file(in(f, name), debug_directory, &index), 0);
	assert_true(function_index_sources(index) & source);
	h = function_index_data(whole, &size);
	for (uint32_t i = 0; i < h->n_functions; i++) {
		const struct function_entry *e = (const struct function_entry *)(h + 1) + i;

		assert_true(function_index_find(whole, h->base + e->start, &found));
		if (strcmp(found.name, "hidden") != 0)
			continue;
		assert_true(function_index_find(index, h->base + e->start, &same));
		assert_string_equal(same.name, "hidden");
		assert_int_equal(same.start, found.start);
		assert_int_equal(same.size, found.size);
		return;
	}
	fail();
}

static void debug_file_is_found_by_build_id(void **state)
{
	const struct fixture *f = *state;
	char hex[2 * BUILD_ID_MAX + 1];
	_cleanup_close_ int fd = -1;
	struct build_id id;

	compile(f, "");
	fd = open(in(f, "whole"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_build_id_from_fd(fd, &id), 0);
	build_id_format(&id, hex);
	run("cd %s && mkdir -p d/.build-id/%.2s && cp debug d/.build-id/%.2s/%s.debug",
	    f->directory, hex, hex, hex + 2);
	expect_hidden(f, "stripped", in(f, "d"), SOURCE_DEBUG_FILE);
}

static void debug_file_of_another_build_is_not_used(void **state)
{
	const struct fixture *f = *state;
	_cleanup_(function_index_freep) struct function_index *index = NULL;
	char hex[2 * BUILD_ID_MAX + 1];
	_cleanup_close_ int fd = -1;
	struct build_id id;

	compile(f, "");
	fd = open(in(f, "whole"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_build_id_from_fd(fd, &id), 0);
	build_id_format(&id, hex);
	compile(f, "-DOTHER -O2");
	run("cd %s && mkdir -p d/.build-id/%.2s && cp debug d/.build-id/%.2s/%s.debug",
	    f->directory, hex, hex, hex + 2);
	compile(f, "");
	assert_int_equal(index_file(in(f, "stripped"), in(f, "d"), &index), 0);
	assert_false(has_function(index, "hidden"));
}

static void debug_link_is_followed_when_its_crc_fits(void **state)
{
	static const struct {
		int line;
		const char *prepare;
		bool found;
	} cases[] = {
		{ __LINE__, "true", true },
		{ __LINE__, "mkdir .debug && mv debug .debug/", true },
		{ __LINE__, "mkdir -p d/$PWD && mv debug d/$PWD", true },
		{ __LINE__, "echo >>debug", false },
		{ __LINE__, "rm debug; ln -s /dev/zero debug", false },
		{ __LINE__, "rm debug; mkfifo debug", false },
		{ __LINE__, "rm debug; mkdir debug", false },
		{ __LINE__, "rm debug; ln -s linked debug", false },
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		compile(f, "-Wl,--build-id=none");
		run("cd %s && rm -rf .debug linked && "
		    "objcopy --add-gnu-debuglink=debug stripped linked && %s",
		    f->directory, cases[i].prepare);
		if (cases[i].found) {
			expect_hidden(f, "linked", in(f, "d"), SOURCE_DEBUG_FILE);
		} else {
			_cleanup_(function_index_freep) struct function_index *index = NULL;

			assert_int_equal(index_file(in(f, "linked"), in(f, "none"), &index), 0);
			if (has_function(index, "hidden"))
				fail_msg("line %d", cases[i].line);
		}
		run("cd %s && rm -rf debug d", f->directory);
	}
}

static void debugdata_is_unpacked(void **state)
{
	const struct fixture *f = *state;

	compile(f, "");
	run("cd %s && objcopy -S --keep-symbol=hidden debug mini 2>/dev/null && xz -k mini && "
	    "objcopy --add-section .gnu_debugdata=mini.xz stripped packed",
	    f->directory);
	expect_hidden(f, "packed", "/nonexistent", SOURCE_DEBUGDATA);
}

static void debugdata_that_is_a_bomb_or_broken_is_left_alone(void **state)
{
	static const struct {
		int line;
		const char *make;
	} cases[] = {
		{ __LINE__, "head -c 200000000 /dev/zero | xz -1 >mini.xz" },
		{ __LINE__, "xz -9e --lzma2=dict=512MiB -kc debug >mini.xz" },
		{ __LINE__, "xz -kc debug | head -c 200 >mini.xz" },
		{ __LINE__, "head -c 4096 /dev/urandom >mini.xz" },
		{ __LINE__, "echo hello | xz >mini.xz" },
		{ __LINE__, "gzip -c debug >mini.xz" },
	};
	const struct fixture *f = *state;

	compile(f, "");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(function_index_freep) struct function_index *index = NULL;

		run("cd %s && %s && "
		    "objcopy --add-section .gnu_debugdata=mini.xz stripped packed",
		    f->directory, cases[i].make);
		assert_int_equal(index_file(in(f, "packed"), "/nonexistent", &index), 0);
		assert_true(has_function(index, "shown"));
		if (has_function(index, "hidden"))
			fail_msg("line %d", cases[i].line);
	}
}

/* Both hash tables tell the number of symbols. */
static void file_without_sections_has_its_dynamic_symbols(void **state)
{
	static const char *const styles[] = { "sysv", "gnu", "both" };
	const struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(styles); i++) {
		_cleanup_(function_index_freep) struct function_index *index = NULL;
		_cleanup_free_ uint8_t *data = NULL;
		char options[64];
		Elf64_Ehdr *h;
		size_t size;

		snprintf(options, sizeof(options), "-Wl,--hash-style=%s", styles[i]);
		compile(f, options);
		data = read_whole(in(f, "stripped"), &size);
		h = (Elf64_Ehdr *)data;
		h->e_shoff = 0;
		h->e_shnum = 0;
		h->e_shstrndx = 0;
		write_file(in(f, "bare"), data, size);
		assert_int_equal(index_file(in(f, "bare"), "/nonexistent", &index), 0);
		assert_true(has_function(index, "shown"));
		assert_true(has_function(index, "main"));
	}
}

static void vdso_functions_are_known(void **state)
{
	const struct elf_index_options options = { .debug_directory = "/nonexistent", .path = "" };
	_cleanup_(function_index_freep) struct function_index *index = NULL;
	struct elf_source source;

	(void)state;
	assert_int_equal(vdso_source(&source), 0);
	assert_int_equal(elf_index_build(&source, &options, &index), 0);
#ifdef __x86_64__
	assert_true(has_function(index, "__vdso_clock_gettime") ||
		    has_function(index, "clock_gettime"));
#else
	assert_true(has_function(index, "__kernel_clock_gettime") ||
		    has_function(index, "__vdso_clock_gettime"));
#endif
}

/* --- hostile files */

static void what_is_no_elf_file_is_refused(void **state)
{
	static const struct {
		int line;
		size_t at; /* byte of the header to change */
		uint8_t to;
		int error;
	} cases[] = {
		{ __LINE__, EI_MAG0, 'E', -ENOEXEC },
		{ __LINE__, EI_CLASS, ELFCLASS32, -ENOEXEC },
		{ __LINE__, EI_DATA, ELFDATA2MSB, -ENOEXEC },
		{ __LINE__, EI_VERSION, 2, -ENOEXEC },
		{ __LINE__, offsetof(Elf64_Ehdr, e_type), ET_CORE, -ENOEXEC },
		{ __LINE__, offsetof(Elf64_Ehdr, e_type), ET_REL, -ENOEXEC },
		{ __LINE__, offsetof(Elf64_Ehdr, e_phnum), 0, -EBADMSG },
		{ __LINE__, offsetof(Elf64_Ehdr, e_phnum) + 1, 0xff, -EBADMSG },
		{ __LINE__, offsetof(Elf64_Ehdr, e_phentsize), 32, -EBADMSG },
		{ __LINE__, offsetof(Elf64_Ehdr, e_phoff) + 7, 0xff, -EBADMSG },
		/* a broken section table only hides what it would show */
		{ __LINE__, offsetof(Elf64_Ehdr, e_shoff) + 7, 0xff, 0 },
		{ __LINE__, offsetof(Elf64_Ehdr, e_shentsize), 63, 0 },
		{ __LINE__, offsetof(Elf64_Ehdr, e_shnum) + 1, 0xff, 0 },
		{ __LINE__, offsetof(Elf64_Ehdr, e_shstrndx), 0, 0 },
	};
	const struct fixture *f = *state;
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;

	compile(f, "");
	data = read_whole(in(f, "whole"), &size);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(function_index_freep) struct function_index *index = NULL;
		uint8_t before = data[cases[i].at];
		int r;

		data[cases[i].at] = cases[i].to;
		write_file(in(f, "changed"), data, size);
		data[cases[i].at] = before;
		r = index_file(in(f, "changed"), "/nonexistent", &index);
		if (r != cases[i].error)
			fail_msg("line %d: %d", cases[i].line, r);
	}
	for (size_t cut = 0; cut < 64; cut++) {
		struct function_index *index;

		write_file(in(f, "changed"), data, cut);
		assert_int_equal(index_file(in(f, "changed"), "/nonexistent", &index), -ENOEXEC);
	}
}

/* An index from memory; any answer is right that is one. */
static void try_bytes(const uint8_t *data, size_t size)
{
	const struct elf_index_options options = { .debug_directory = "/nonexistent",
						   .path = "/nonexistent/program" };
	const struct elf_source source = { .fd = -1, .data = data, .size = size };
	_cleanup_(function_index_freep) struct function_index *index = NULL;
	int r = elf_index_build(&source, &options, &index);
	struct function f;

	assert_true(r == 0 || r == -ENOEXEC || r == -EBADMSG || r == -ENODATA || r == -E2BIG);
	for (uint64_t offset = 0; r == 0 && offset < size; offset += 64)
		if (function_index_find(index, offset, &f))
			assert_true(strlen(f.name) < size && f.size > 0);
}

/* Does a word belong to what describes the file: headers, notes, symbols, hashes, dynamic table? */
static bool describes(const uint8_t *data, size_t at)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)data;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(data + h->e_phoff);

	if (at < 0x800 || at >= h->e_shoff)
		return true;
	for (size_t i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC && at - p[i].p_offset < p[i].p_filesz)
			return true;
	return false;
}

/* Every such word, set to what hurts. */
static void any_word_may_lie(void **state)
{
	static const uint64_t lies[] = {
		0,	    1,		0x7f,	   0xffff,     0x10000,
		0x7fffffff, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 15,
	};
	const struct fixture *f = *state;
	_cleanup_free_ uint8_t *data = NULL, *original = NULL;
	size_t size, tried = 0;

	compile(f, "-s -Wl,--hash-style=both");
	original = read_whole(in(f, "whole"), &size);
	data = read_whole(in(f, "whole"), &size);
	for (size_t at = 0; at + 8 <= size; at += 4) {
		if (!describes(original, at))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
			memcpy(data + at, &lies[i], i % 2 ? 4 : 8);
			try_bytes(data, size);
			memcpy(data + at, original + at, 8);
			tried++;
		}
	}
	assert_true(tried > 5000);
}

static void any_length_may_be_cut(void **state)
{
	const struct fixture *f = *state;
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;

	compile(f, "");
	data = read_whole(in(f, "whole"), &size);
	for (size_t cut = 0; cut < size; cut += cut < 4096 ? 1 : 37) {
		_cleanup_free_ uint8_t *copy = malloc(cut + 1); /* so that ASan sees its end */

		memcpy(copy, data, cut);
		try_bytes(copy, cut);
	}
}

/* The size of the file is taken once; what is missing then is an error of reading. */
static void file_that_shrinks_fails(void **state)
{
	const struct fixture *f = *state;
	const struct elf_index_options options = { .debug_directory = "/nonexistent", .path = "" };
	_cleanup_close_ int fd = -1;
	struct function_index *index;
	struct elf_source source;

	compile(f, "");
	fd = open(in(f, "whole"), O_RDWR | O_CLOEXEC);
	assert_int_equal(elf_source_from_fd(fd, NULL, &source), 0);
	assert_int_equal(ftruncate(fd, 1000), 0);
	/* The sections are gone: the file counts as one that never had any. */
	assert_int_equal(elf_index_build(&source, &options, &index), -ENODATA);
}

static void cancelled_build_ends(void **state)
{
	const struct elf_index_options options = { .debug_directory = "/nonexistent", .path = "" };
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	atomic_bool cancel = true;
	struct function_index *index;
	struct elf_source source;

	(void)state;
	assert_int_equal(elf_source_from_fd(fd, &cancel, &source), 0);
	assert_int_equal(elf_index_build(&source, &options, &index), -ECANCELED);
}

int main(void)
{
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_nm),
		cmocka_unit_test(plt_stubs_agree_with_objdump),
		FIXTURE_TEST(symtab_has_static_and_assembler_functions),
		FIXTURE_TEST(stripped_program_has_its_dynamic_symbols),
		FIXTURE_TEST(stripped_program_has_its_functions),
		FIXTURE_TEST(debug_file_is_found_by_build_id),
		FIXTURE_TEST(debug_file_of_another_build_is_not_used),
		FIXTURE_TEST(debug_link_is_followed_when_its_crc_fits),
		FIXTURE_TEST(debugdata_is_unpacked),
		FIXTURE_TEST(debugdata_that_is_a_bomb_or_broken_is_left_alone),
		FIXTURE_TEST(file_without_sections_has_its_dynamic_symbols),
		cmocka_unit_test(vdso_functions_are_known),
		FIXTURE_TEST(what_is_no_elf_file_is_refused),
		FIXTURE_TEST(any_word_may_lie),
		FIXTURE_TEST(any_length_may_be_cut),
		FIXTURE_TEST(file_that_shrinks_fails),
		cmocka_unit_test(cancelled_build_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
