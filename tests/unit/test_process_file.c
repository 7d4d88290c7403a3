// SPDX-License-Identifier: Apache-2.0
// The build-id of a mapped file is the one readelf shows, and nothing but that file is ever read.
#include "process/mapped_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/elf_build_id.h"
#include "util/cleanup.h"

static char directory[] = "/var/tmp/ebpf-profiler-file.XXXXXX";

static char *in_directory(const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", directory, name);
	return out;
}

static void copy_file(const char *from, const char *to)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out;
	char data[65536];
	ssize_t n;

	unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, data, sizeof(data))) > 0)
		assert_int_equal(write(out, data, (size_t)n), n);
	close(out);
}

/* readelf's answer, as hex; "" when it has none. */
static void ask_readelf(const char *path, char out[64])
{
	char command[512];
	FILE *f;

	snprintf(command, sizeof(command),
		 "readelf -n '%s' 2>/dev/null | sed -n 's/.*Build ID: //p' | head -n 1", path);
	f = popen(command, "r");
	assert_non_null(f);
	out[0] = '\0';
	if (fgets(out, 64, f))
		out[strcspn(out, "\n")] = '\0';
	pclose(f);
}

static struct mapped_file describe(const char *path, const char *as)
{
	struct mapped_file file = { .pid = getpid(), .start = 0x1000, .end = 0x2000, .path = as };
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	file.device = st.st_dev;
	file.inode = st.st_ino;
	return file;
}

// What readelf -n says is what we say, for whatever binaries are here.
static void test_readelf(void **state)
{
	static const char *const paths[] = { "/bin/true", "/bin/bash", "/bin/ls", "/proc/self/exe",
					     "/usr/bin/perf" };
	unsigned int compared = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_close_ int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		char expected[64], found[2 * BUILD_ID_MAX + 1];
		char target[256] = { 0 };
		struct build_id id;

		if (fd < 0 || readlink("/proc/self/exe", target, sizeof(target) - 1) < 0)
			continue;
		ask_readelf(strcmp(paths[i], "/proc/self/exe") == 0 ? target : paths[i], expected);
		if (!*expected)
			continue;
		assert_int_equal(elf_build_id(fd, &id), 0);
		assert_string_equal(build_id_format(&id, found), expected);
		compared++;
	}
	assert_true(compared >= 2);
}

static int id_of_bytes(const void *data, size_t size, struct build_id *ret)
{
	_cleanup_close_ int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_int_equal(write(fd, data, size), size);
	return elf_build_id(fd, ret);
}

struct tiny_elf {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	struct {
		Elf64_Nhdr header;
		char name[4];
		uint8_t desc[20];
	} note;
};

static struct tiny_elf make_elf(void)
{
	struct tiny_elf e = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64,
					 __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB
										   : ELFDATA2MSB,
					 EV_CURRENT },
			    .e_phoff = offsetof(struct tiny_elf, segments),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2 },
		.segments = { { .p_type = PT_LOAD, .p_filesz = 100 },
			      { .p_type = PT_NOTE,
				.p_offset = offsetof(struct tiny_elf, note),
				.p_filesz = sizeof(e.note),
				.p_align = 4 } },
		.note = { .header = { 4, 20, NT_GNU_BUILD_ID },
			  .name = "GNU",
			  .desc = { 9, 8, 7 } },
	};

	return e;
}

// A file made by hand is read; each way of damaging it gives an error and no more.
static void test_damaged(void **state)
{
	struct tiny_elf good = make_elf(), e;
	struct build_id id;

	(void)state;
	assert_int_equal(id_of_bytes(&good, sizeof(good), &id), 0);
	assert_int_equal(id.size, 20);
	assert_memory_equal(id.bytes, good.note.desc, 20);
	for (size_t size = 0; size < offsetof(struct tiny_elf, note) + sizeof(good.note); size++)
		assert_true(id_of_bytes(&good, size, &id) < 0);
	e = good;
	e.header.e_ident[EI_DATA] ^= 3;
	assert_int_equal(id_of_bytes(&e, sizeof(e), &id), -ENOEXEC);
	e = good;
	e.header.e_phoff = UINT64_MAX - 20;
	assert_true(id_of_bytes(&e, sizeof(e), &id) < 0);
	e = good;
	e.header.e_phentsize = 1;
	assert_int_equal(id_of_bytes(&e, sizeof(e), &id), -EBADMSG);
	e = good;
	e.segments[1].p_offset = UINT64_MAX - 10;
	assert_true(id_of_bytes(&e, sizeof(e), &id) < 0);
	e = good;
	e.segments[1].p_filesz = UINT64_MAX;
	assert_true(id_of_bytes(&e, sizeof(e), &id) < 0);
	e = good;
	e.note.header.n_namesz = UINT32_MAX;
	assert_int_equal(id_of_bytes(&e, sizeof(e), &id), -ENODATA);
	e = good;
	e.note.header.n_descsz = UINT32_MAX;
	assert_int_equal(id_of_bytes(&e, sizeof(e), &id), -ENODATA);
	e = good;
	e.note.header.n_descsz = 0;
	assert_int_equal(id_of_bytes(&e, sizeof(e), &id), -ENODATA);
	e = good;
	e.note.name[0] = 'g';
	assert_int_equal(id_of_bytes(&e, sizeof(e), &id), -ENODATA);
	e = good;
	e.segments[0].p_type = PT_NOTE; /* a note segment of rubbish before the good one */
	assert_int_equal(id_of_bytes(&e, sizeof(e), &id), 0);
}

// The file is taken by its inode: a path that leads elsewhere, to a FIFO, a link or nothing is
// refused without waiting; a known file survives its path for a moment.
static void test_only_that_file(void **state)
{
	struct mapped_files f;
	struct mapped_file file, other;
	struct build_id id;
	char a[128], b[128];

	(void)state;
	copy_file("/bin/true", in_directory("a", a));
	copy_file("/bin/ls", in_directory("b", b));
	mapped_files_init(&f, "/proc");
	file = describe(a, a);
	assert_int_equal(mapped_files_build_id(&f, &file, &id), 0);
	other = describe(b, a); /* b's inode at a's path */
	assert_int_equal(mapped_files_build_id(&f, &other, &id), -ESTALE);
	unlink(a);
	assert_int_equal(mapped_files_build_id(&f, &file, &id), 0);
	mapped_files_done(&f);

	mapped_files_init(&f, "/proc");
	assert_int_equal(mapped_files_build_id(&f, &file, &id), -ENOENT);
	assert_int_equal(mkfifo(a, 0600), 0);
	assert_int_equal(mapped_files_build_id(&f, &file, &id), -ESTALE);
	file = describe(a, a); /* the FIFO's own inode: still no regular file */
	assert_int_equal(mapped_files_build_id(&f, &file, &id), -ESTALE);
	unlink(a);
	assert_int_equal(symlink(b, a), 0);
	other = describe(b, a);
	assert_int_not_equal(mapped_files_build_id(&f, &other, &id), 0);
	other = describe(b, b);
	assert_int_equal(mapped_files_build_id(&f, &other, &id), 0);
	mapped_files_done(&f);
	unlink(a);
	unlink(b);
}

// A running binary that was deleted is read through /proc/PID/exe.
static void test_deleted_exe(void **state)
{
	struct mapped_files f;
	struct mapped_file file = describe("/proc/self/exe", "/nowhere");
	struct build_id id;
	char expected[64], found[2 * BUILD_ID_MAX + 1], target[256] = { 0 };

	(void)state;
	assert_true(readlink("/proc/self/exe", target, sizeof(target) - 1) > 0);
	ask_readelf(target, expected);
	mapped_files_init(&f, "/proc");
	assert_int_equal(mapped_files_build_id(&f, &file, &id), 0);
	assert_string_equal(build_id_format(&id, found), expected);
	mapped_files_done(&f);
}

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

// A file system whose server may keep us waiting is not touched.
static void test_remote(void **state)
{
	static const struct {
		int line;
		const char *type;
		int expected;
	} rows[] = {
		{ __LINE__, "ext4", 0 },	   { __LINE__, "btrfs", 0 },
		{ __LINE__, "overlay", 0 },	   { __LINE__, "tmpfs", 0 },
		{ __LINE__, "fuse", -EREMOTE },	   { __LINE__, "fuse.sshfs", -EREMOTE },
		{ __LINE__, "nfs4", -EREMOTE },	   { __LINE__, "cifs", -EREMOTE },
		{ __LINE__, "fuseblk", -EREMOTE }, { __LINE__, "autofs", -EREMOTE },
	};
	char process[128], path[160], link[160], text[256], binary[128];
	struct mapped_file file;

	(void)state;
	copy_file("/bin/true", in_directory("remote", binary));
	file = describe(binary, binary);
	snprintf(process, sizeof(process), "%s/%d", directory, (int)file.pid);
	mkdir(process, 0755);
	snprintf(link, sizeof(link), "%s/root", process);
	assert_int_equal(symlink("/", link), 0);
	snprintf(path, sizeof(path), "%s/mountinfo", process);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mapped_files f;
		struct build_id id;
		int r;

		snprintf(text, sizeof(text),
			 "1 1 99999:1 / / rw - fuse x rw\n2 1 %u:%u / /y rw shared:1 - %s /dev/x "
			 "rw\n",
			 major(file.device), minor(file.device), rows[i].type);
		write_text(path, text);
		mapped_files_init(&f, directory);
		r = mapped_files_build_id(&f, &file, &id);
		if (r != rows[i].expected)
			fail_msg("row of line %d: %d", rows[i].line, r);
		mapped_files_done(&f);
	}
	unlink(path);
	unlink(link);
	rmdir(process);
	unlink(binary);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readelf),	       cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_only_that_file), cmocka_unit_test(test_deleted_exe),
		cmocka_unit_test(test_remote),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
