// SPDX-License-Identifier: Apache-2.0
// An object gets its index from the file a process really maps, whatever lies at its path, at once
// and once; the cache makes it cheaper, and a damaged cache makes no difference.
#include "symbols_fixture.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include "symbols/index_cache.h"
#include "symbols/object_open.h"
#include "symbols/symbols.h"
#include "util/open_file.h"

#define WAIT_MS 60000

static const char program_text[] = "#include <unistd.h>\n"
				   "int named(int x) { return x + VALUE; }\n"
				   "int main(void) { pause(); return named(1); }\n";

struct host {
	struct fixture *f;
	struct object_table *objects;
	struct symbols *symbols;
};

static void start(struct host *h, void **state, const char *cache)
{
	struct symbols_options options = { .cache_directory = cache,
					   .debug_directory = "/nonexistent" };

	h->f = *state;
	h->objects = object_table_new();
	assert_non_null(h->objects);
	assert_int_equal(symbols_new(&options, &h->symbols), 0);
}

static void stop(struct host *h)
{
	symbols_free(h->symbols);
	object_table_free(h->objects);
}

static void compile(const struct fixture *f, const char *name, int value, const char *options)
{
	write_text(in(f, "p.c"), program_text);
	run("cd %s && gcc -O1 -DVALUE=%d %s -o %s p.c", f->directory, value, options, name);
}

static pid_t run_program(const char *path)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* The executable mapping of `name` in `pid`; waits until it has called exec. */
struct mapped {
	uint64_t start, end;
	dev_t device;
	ino_t inode;
	char path[PATH_MAX];
};

static bool find_mapping(pid_t pid, const char *name, struct mapped *ret)
{
	_cleanup_fclose_ FILE *maps = NULL;
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	assert_non_null(maps);
	while (getline(&line, &capacity, maps) > 0) {
		unsigned int major, minor;
		char flags[8];

		if (sscanf(line, "%lx-%lx %7s %*x %x:%x %lu %4095[^\n]", &ret->start, &ret->end,
			   flags, &major, &minor, &ret->inode, ret->path) == 7 &&
		    flags[2] == 'x' && strstr(ret->path, name)) {
			ret->device = makedev(major, minor);
			return true;
		}
	}
	return false;
}

static struct mapped wait_mapping(pid_t pid, const char *name)
{
	struct mapped m;

	while (!find_mapping(pid, name, &m)) {
		siginfo_t info = { 0 };

		assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
		assert_int_equal(info.si_pid, 0); /* it is still there */
		sched_yield();
	}
	return m;
}

static void end_program(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static struct build_id id_of(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct build_id id = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(elf_build_id_from_fd(fd, &id), 0);
	return id;
}

static struct object *get_object(struct host *h, const char *path, const struct build_id *id,
				 dev_t device, ino_t inode)
{
	struct object *o = object_table_get(
		h->objects, &(struct object_key){ .kind = OBJECT_FILE,
						  .path = path,
						  .build_id = id ? id->bytes : NULL,
						  .build_id_size = id ? id->size : 0,
						  .device = device,
						  .inode = inode });

	assert_non_null(o);
	return o;
}

static void count_done(struct object *o, void *userdata)
{
	assert_true(o->index_state == INDEX_READY || o->index_state == INDEX_FAILED);
	++*(int *)userdata;
}

static int wait_done(struct host *h)
{
	int done = 0;

	symbols_wait(h->symbols, WAIT_MS, count_done, &done);
	assert_int_equal(symbols_pending(h->symbols), 0);
	return done;
}

static void expect_named(struct host *h, struct object *o, pid_t pid, const struct mapped *m)
{
	symbols_request(h->symbols, o, pid, m ? m->start : 0, m ? m->end : 0);
	wait_done(h);
	assert_int_equal(o->index_error, 0);
	assert_int_equal(o->index_state, INDEX_READY);
	assert_true(has_function(o->index, "named"));
}

static void running_program_is_indexed(void **state)
{
	struct host h;
	struct build_id id;
	struct mapped m;
	struct object *o;
	pid_t pid;

	start(&h, state, NULL);
	compile(h.f, "program", 1, "-Wl,--build-id");
	pid = run_program(in(h.f, "program"));
	m = wait_mapping(pid, "/program");
	id = id_of(in(h.f, "program"));
	o = get_object(&h, m.path, &id, 0, 0);
	expect_named(&h, o, pid, &m);
	object_unref(o);
	/* without a build-id: by device and inode */
	o = get_object(&h, m.path, NULL, m.device, m.inode);
	expect_named(&h, o, pid, &m);
	object_unref(o);
	/* another device number for the same inode, as on btrfs */
	o = get_object(&h, m.path, NULL, m.device + 1, m.inode);
	expect_named(&h, o, pid, &m);
	object_unref(o);
	end_program(pid);
	stop(&h);
}

static void deleted_program_is_indexed(void **state)
{
	struct host h;
	struct build_id id;
	struct mapped m;
	struct object *o;
	char path[PATH_MAX];
	pid_t pid;

	start(&h, state, NULL);
	compile(h.f, "program", 1, "-Wl,--build-id");
	id = id_of(in(h.f, "program"));
	pid = run_program(in(h.f, "program"));
	wait_mapping(pid, "/program");
	strcpy(path, in(h.f, "program"));
	assert_int_equal(unlink(path), 0);
	m = wait_mapping(pid, "/program");
	assert_non_null(strstr(m.path, " (deleted)"));
	o = get_object(&h, m.path, &id, 0, 0);
	expect_named(&h, o, pid, NULL); /* /proc/PID/exe */
	object_unref(o);
	/* another file of that name is there now */
	compile(h.f, "program", 2, "-Wl,--build-id");
	o = get_object(&h, path, NULL, m.device, m.inode);
	expect_named(&h, o, pid, &m);
	object_unref(o);
	end_program(pid);
	stop(&h);
}

/* A library that is deleted, and a memfd, can only be reached through map_files. */
static void deleted_library_is_indexed(void **state)
{
	struct host h;
	_cleanup_close_ int fd = -1, memory_fd = -1;
	_cleanup_free_ uint8_t *data = NULL;
	struct object *o;
	struct mapped m;
	void *map[2];
	size_t size;

	start(&h, state, NULL);
	compile(h.f, "library.so", 1, "-Wl,--build-id=none");
	data = read_whole(in(h.f, "library.so"), &size);
	fd = open(in(h.f, "library.so"), O_RDONLY | O_CLOEXEC);
	memory_fd = memfd_create("jitted", MFD_CLOEXEC);
	assert_int_equal(write(memory_fd, data, size), size);
	map[0] = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	map[1] = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, memory_fd, 0);
	unlink(in(h.f, "library.so"));
	for (int i = 0; i < 2; i++) {
		assert_true(find_mapping(getpid(), i ? "jitted" : "library.so", &m));
		o = get_object(&h, m.path, NULL, m.device, m.inode);
		expect_named(&h, o, getpid(), &m);
		object_unref(o);
		munmap(map[i], size);
	}
	stop(&h);
}

static void what_lies_at_the_path_must_be_the_object(void **state)
{
	static const struct {
		int line;
		const char *replace;
	} cases[] = {
		{ __LINE__, "mkfifo program" },
		{ __LINE__, "mkdir program" },
		{ __LINE__, "cp other program" },
		{ __LINE__, "ln -s other program" },
		{ __LINE__, "ln -s original program" }, /* the right file, but by a link */
		{ __LINE__, "ln -s /dev/zero program" },
		{ __LINE__, "ln -s program program" },
		{ __LINE__, "echo '#!/bin/sh' >program" },
		{ __LINE__, ": >program" },
		{ __LINE__, "true" },
	};
	struct host h;
	struct build_id id;
	struct mapped m;
	pid_t pid;

	start(&h, state, NULL);
	compile(h.f, "original", 1, "-Wl,--build-id");
	compile(h.f, "other", 2, "-Wl,--build-id");
	id = id_of(in(h.f, "original"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct object *o;

		run("cd %s && rm -rf program && %s", h.f->directory, cases[i].replace);
		/* Asked of a process that does not run it: neither exe nor map_files can help. */
		o = get_object(&h, in(h.f, "program"), &id, 0, i + 1);
		symbols_request(h.symbols, o, getpid(), 0, 0);
		assert_int_equal(wait_done(&h), 0);
		if (o->index_state != INDEX_NONE)
			fail_msg("line %d: state %d", cases[i].line, o->index_state);
		object_unref(o);
		object_table_prune(h.objects);
	}
	/* And the process that runs it still shows the right one. */
	pid = run_program(in(h.f, "original"));
	m = wait_mapping(pid, "/original");
	run("cd %s && mv original moved && cp other original", h.f->directory);
	{
		struct object *o = get_object(&h, m.path, &id, 0, 0);

		expect_named(&h, o, pid, &m);
		object_unref(o);
	}
	end_program(pid);
	stop(&h);
}

static void program_gone_after_the_request_is_indexed(void **state)
{
	struct host h;
	struct build_id id;
	struct object *o;
	pid_t pid;

	start(&h, state, NULL);
	compile(h.f, "program", 1, "-Wl,--build-id");
	id = id_of(in(h.f, "program"));
	pid = run_program(in(h.f, "program"));
	wait_mapping(pid, "/program");
	o = get_object(&h, in(h.f, "program"), &id, 0, 0);
	symbols_request(h.symbols, o, pid, 0, 0);
	assert_int_equal(o->index_state, INDEX_PENDING);
	end_program(pid);
	unlink(in(h.f, "program"));
	assert_int_equal(wait_done(&h), 1);
	assert_int_equal(o->index_state, INDEX_READY);
	object_unref(o);
	stop(&h);
}

static void next_process_is_asked_when_the_first_is_gone(void **state)
{
	struct host h;
	struct build_id id;
	struct object *o;
	struct mapped m;
	char here[4096];
	pid_t gone, pid;

	start(&h, state, NULL);
	compile(h.f, "program", 1, "-Wl,--build-id");
	id = id_of(in(h.f, "program"));
	gone = run_program(in(h.f, "program"));
	end_program(gone);
	o = get_object(&h, in(h.f, "program"), &id, 0, 0);
	assert_int_equal(rename(strcpy(here, in(h.f, "program")), in(h.f, "away")), 0);
	symbols_request(h.symbols, o, gone, 0, 0);
	assert_int_equal(wait_done(&h), 0);
	assert_int_equal(o->index_state, INDEX_NONE);
	assert_int_equal(rename(in(h.f, "away"), here), 0);
	pid = run_program(in(h.f, "program"));
	m = wait_mapping(pid, "/program");
	expect_named(&h, o, pid, &m);
	object_unref(o);
	end_program(pid);
	stop(&h);
}

static void program_of_a_gone_process_is_found_where_it_still_lies(void **state)
{
	struct host h;
	struct build_id id;
	struct object *o;
	pid_t gone;

	start(&h, state, NULL);
	compile(h.f, "program", 1, "-Wl,--build-id");
	id = id_of(in(h.f, "program"));
	gone = run_program(in(h.f, "program"));
	end_program(gone);
	o = get_object(&h, in(h.f, "program"), &id, 0, 0);
	symbols_request(h.symbols, o, gone, 0, 0);
	assert_int_equal(wait_done(&h), 1);
	assert_int_equal(o->index_state, INDEX_READY);
	object_unref(o);
	stop(&h);
}

static void file_that_cannot_be_indexed_fails_once(void **state)
{
	struct host h;
	struct object *o;
	int done;

	start(&h, state, NULL);
	write_text(in(h.f, "text"), "#!/bin/sh\n");
	o = get_object(&h, in(h.f, "text"), NULL, 0, 0);
	symbols_request(h.symbols, o, getpid(), 0, 0);
	done = wait_done(&h);
	assert_int_equal(done, 1);
	assert_int_equal(o->index_state, INDEX_FAILED);
	assert_int_equal(o->index_error, -ENOEXEC);
	symbols_request(h.symbols, o, 1, 0, 0);
	assert_int_equal(symbols_pending(h.symbols), 0);
	object_unref(o);
	stop(&h);
}

static void requests_under_way_are_bounded(void **state)
{
	struct object *objects[SYMBOLS_PENDING_MAX + 20];
	struct host h;
	size_t n_pending = 0;

	start(&h, state, NULL);
	compile(h.f, "program", 1, "-Wl,--build-id=none");
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		char name[32];

		snprintf(name, sizeof(name), "copy%zu", i);
		run("cd %s && ln program %s", h.f->directory, name);
		objects[i] = get_object(&h, in(h.f, name), NULL, 0, 0);
		symbols_request(h.symbols, objects[i], getpid(), 0, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		n_pending += objects[i]->index_state == INDEX_PENDING;
	assert_int_equal(n_pending, SYMBOLS_PENDING_MAX);
	assert_int_equal(wait_done(&h), SYMBOLS_PENDING_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		symbols_request(h.symbols, objects[i], getpid(), 0, 0);
	assert_int_equal(wait_done(&h), 20);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		assert_int_equal(objects[i]->index_state, INDEX_READY);
		object_unref(objects[i]);
	}
	stop(&h);
}

static void worker_can_be_left_in_the_middle(void **state)
{
	struct object *objects[50];
	struct host h;

	start(&h, state, NULL);
	compile(h.f, "program", 1, "-Wl,--build-id=none");
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		char name[32];

		snprintf(name, sizeof(name), "copy%zu", i);
		run("cd %s && ln program %s", h.f->directory, name);
		objects[i] = get_object(&h, in(h.f, name), NULL, 0, 0);
		symbols_request(h.symbols, objects[i], getpid(), 0, 0);
	}
	h.symbols = symbols_free(h.symbols);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		object_unref(objects[i]);
	stop(&h);
}

static void vdso_is_indexed(void **state)
{
	struct host h;
	struct object *o;

	start(&h, state, NULL);
	o = object_table_get(h.objects,
			     &(struct object_key){ .kind = OBJECT_VDSO, .path = "[vdso]" });
	symbols_request(h.symbols, o, getpid(), 0, 0);
	assert_int_equal(wait_done(&h), 1);
	assert_int_equal(o->index_state, INDEX_READY);
	object_unref(o);
	stop(&h);
}

/* --- the cache */

/* Asks for `program` anew, with a worker that knows nothing but the cache. */
static void expect_named_with_cache(void **state, const char *cache, const struct build_id *id,
				    pid_t pid)
{
	struct host h;
	struct object *o;

	start(&h, state, cache);
	o = get_object(&h, in(h.f, "program"), id, 0, 0);
	expect_named(&h, o, pid, NULL);
	object_unref(o);
	stop(&h);
}

static void cache_serves_a_program_that_is_gone(void **state)
{
	struct fixture *f = *state;
	char cache[PATH_MAX], file[2 * PATH_MAX], hex[2 * BUILD_ID_MAX + 1];
	struct build_id id;
	struct stat st;

	compile(f, "program", 1, "-Wl,--build-id");
	id = id_of(in(f, "program"));
	strcpy(cache, in(f, "cache"));
	expect_named_with_cache(state, cache, &id, getpid());
	snprintf(file, sizeof(file), "%s/%s.fidx", cache, build_id_format(&id, hex));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777 & ~0640, 0);
	unlink(in(f, "program"));
	expect_named_with_cache(state, cache, &id, getpid());
}

static void damaged_cache_file_is_built_anew(void **state)
{
	static const struct {
		int line;
		const char *damage;
	} cases[] = {
		{ __LINE__, "printf X | dd of=$F bs=1 seek=100 conv=notrunc 2>/dev/null" },
		{ __LINE__, "truncate -s -1 $F" },
		{ __LINE__, "truncate -s 10 $F" },
		{ __LINE__, ": >$F" },
		{ __LINE__, "head -c 100000 /dev/urandom >$F" },
		{ __LINE__, "rm $F; mkfifo $F" },
		{ __LINE__, "rm $F; mkdir $F" },
		{ __LINE__, "rm $F; ln -s /etc/passwd $F" },
		{ __LINE__, "cp $F keep; rm -rf cache; mkdir cache" },
	};
	struct fixture *f = *state;
	char cache[PATH_MAX], hex[2 * BUILD_ID_MAX + 1];
	struct build_id id;

	compile(f, "program", 1, "-Wl,--build-id");
	id = id_of(in(f, "program"));
	build_id_format(&id, hex);
	strcpy(cache, in(f, "cache"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		expect_named_with_cache(state, cache, &id, getpid());
		run("cd %s && F=cache/%s.fidx; %s", f->directory, hex, cases[i].damage);
		expect_named_with_cache(state, cache, &id, getpid());
		run("rm -rf %s", cache);
	}
}

static void cache_of_root_binaries_is_not_written_by_others(void **state)
{
	struct fixture *f = *state;
	char cache[PATH_MAX];
	struct build_id id;

	if (getuid() != 0) {
		skip();
		return;
	}
	compile(f, "program", 1, "-Wl,--build-id");
	id = id_of(in(f, "program"));
	strcpy(cache, in(f, "cache"));
	run("chmod 755 %s; chown 1234 %s/program", f->directory, f->directory);
	expect_named_with_cache(state, cache, &id, getpid());
	run("cd %s/cache && ls | grep -q -- '-1234.fidx$' && [ $(ls | wc -l) = 1 ]", f->directory);
}

static void store_names(struct index_cache *c, uint8_t number, size_t n_functions)
{
	_cleanup_(function_index_builder_freep) struct function_index_builder *b =
		function_index_builder_new(1);
	const struct build_id id = { .bytes = { number, 1 }, .size = 20 };
	struct function_index *index;

	for (size_t i = 0; i < n_functions; i++)
		function_index_builder_add(b, i * 16, 16, UINT64_MAX, "named", 5, RANK_GLOBAL);
	assert_int_equal(function_index_builder_finish(b, 0, id.bytes, id.size, &index), 0);
	index_cache_store(c, &id, 0, &index);
	function_index_free(index);
}

static bool is_cached(struct index_cache *c, uint8_t number)
{
	const struct build_id id = { .bytes = { number, 1 }, .size = 20 };
	struct function_index *index;

	if (index_cache_load(c, &id, 0, &index) < 0)
		return false;
	function_index_free(index);
	return true;
}

/* Of binaries without a build-id the index is no less in a file, but one that nobody else finds. */
static void keeps_what_has_no_build_id(void **state)
{
	struct fixture *f = *state;
	_cleanup_(index_cache_closep) struct index_cache *c = NULL;
	_cleanup_(function_index_builder_freep) struct function_index_builder *b =
		function_index_builder_new(1);
	struct function_index *index, *before;
	struct function found;

	assert_int_equal(index_cache_open(in(f, "cache"), 100000, &c), 0);
	function_index_builder_add(b, 16, 16, UINT64_MAX, "named", 5, RANK_GLOBAL);
	assert_int_equal(function_index_builder_finish(b, 0, NULL, 0, &index), 0);
	before = index;
	assert_int_equal(index_cache_keep(c, &index), 0);
	assert_ptr_not_equal(index, before);
	assert_true(function_index_find(index, 20, &found));
	assert_string_equal(found.name, "named");
	run("test -z \"$(ls -A %s/cache)\"", f->directory);
	run("grep -q '/cache/.* (deleted)$' /proc/%d/maps", (int)getpid());
	function_index_free(index);
}

static void cache_forgets_the_longest_unused(void **state)
{
	struct fixture *f = *state;
	_cleanup_(index_cache_closep) struct index_cache *c = NULL;
	char cache[PATH_MAX];

	strcpy(cache, in(f, "cache"));
	/* each file has 18 KB */
	assert_int_equal(index_cache_open(cache, 100000, &c), 0);
	run("touch %s/precious %s/README", cache, cache);
	for (uint8_t i = 0; i < 4; i++) {
		store_names(c, i, 1000);
		assert_true(is_cached(c, i));
		run("touch -d @%d %s/%02x01*", 1000 + i, cache, i);
	}
	assert_true(is_cached(c, 0)); /* now the most recently used */
	for (uint8_t i = 4; i < 7; i++)
		store_names(c, i, 1000);
	assert_true(is_cached(c, 0));
	assert_false(is_cached(c, 1));
	assert_false(is_cached(c, 2));
	assert_true(is_cached(c, 6));
	assert_true(index_cache_bytes(c) <= 100000);
	run("test -e %s/precious && test -e %s/README", cache, cache);
	/* one that is larger than all */
	store_names(c, 9, 100000);
	assert_false(is_cached(c, 9));
	assert_true(is_cached(c, 0));
	run("! ls %s | grep -q new", cache);
}

static void better_symbols_replace_a_cached_index(void **state)
{
	struct fixture *f = *state;
	struct symbols_options options;
	char cache[PATH_MAX], debug[PATH_MAX], hex[2 * BUILD_ID_MAX + 1];
	struct build_id id;

	compile(f, "program", 1, "-Wl,--build-id -rdynamic");
	id = id_of(in(f, "program"));
	build_id_format(&id, hex);
	strcpy(cache, in(f, "cache"));
	strcpy(debug, in(f, "debug"));
	run("cd %s && mkdir -p debug && objcopy --only-keep-debug program symbols && strip program",
	    f->directory);
	options = (struct symbols_options){ .cache_directory = cache, .debug_directory = debug };
	for (int round = 0; round < 2; round++) {
		struct host h = { .f = f, .objects = object_table_new() };
		struct object *o;

		assert_int_equal(symbols_new(&options, &h.symbols), 0);
		o = get_object(&h, in(f, "program"), &id, 0, 0);
		expect_named(&h, o, getpid(), NULL);
		assert_int_equal(function_index_sources(o->index) & SOURCE_DEBUG_FILE,
				 round ? SOURCE_DEBUG_FILE : 0);
		object_unref(o);
		stop(&h);
		run("cd %s && mkdir -p debug/.build-id/%.2s && cp symbols "
		    "debug/.build-id/%.2s/%s.debug",
		    f->directory, hex, hex, hex + 2);
	}
}

/* --- opening below another root */

static void links_do_not_lead_out_of_a_root(void **state)
{
	static const struct {
		int line;
		const char *path;
		bool stepwise, cached; /* does it open? */
	} cases[] = {
		{ __LINE__, "/tmp/file", true, true },
		{ __LINE__, "tmp/file", true, true },
		{ __LINE__, "/tmp/../tmp/file", false, true }, /* stays inside */
		{ __LINE__, "/../../../../../../etc/hostname", false, false },
		{ __LINE__, "/../tmp/file", false, true }, /* ".." of the root is the root */
		{ __LINE__, "/tmp/link", false, false }, /* the last part must not be one */
		{ __LINE__, "/inner/file", true, true }, /* a link to /tmp, inside */
		{ __LINE__, "/nearby/file", true, true }, /* a link to tmp */
		{ __LINE__, "/inner/nothing/file", false, false },
		{ __LINE__, "/tmp/file/below", false, false },
		{ __LINE__, "/loop/file", false, false },
		{ __LINE__, "/outer/hostname", false, false }, /* a link to /etc: there is none */
		{ __LINE__, "/magic/file", false, false }, /* a link to /proc/self/cwd */
		{ __LINE__, "/tmp/absent", false, false },
	};
	struct fixture *f = *state;
	_cleanup_close_ int root = -1;
	struct mounts mounts;

	mounts_init(&mounts, "/proc");
	run("cd %s && mkdir -p root/tmp && echo x >root/tmp/file && ln -s file root/tmp/link && "
	    "ln -s /tmp root/inner && ln -s tmp root/nearby && ln -s loop root/loop && ln -s /etc "
	    "root/outer && ln -s /proc/self/cwd root/magic",
	    f->directory);
	root = open(in(f, "root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_close_ int a = open_in_root(&mounts, 0, root, cases[i].path);
		_cleanup_close_ int b = open_in_root_stepwise(&mounts, 0, root, cases[i].path);

		if ((a >= 0) != cases[i].cached || (b >= 0) != cases[i].stepwise)
			fail_msg("line %d: cached %d, stepwise %d", cases[i].line, a, b);
	}
}

/* A file system whose server never answers keeps nobody waiting: not the caller, not the names of
 * other files, not the end. */
static void hanging_file_system_is_nobodys_business(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int server = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	struct host h;
	struct object *hung, *program;
	struct build_id id;
	char options[128];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", server);
	run("mkdir %s", in(f, "hung"));
	if (server < 0 || mount("hung", in(f, "hung"), "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		print_message("no FUSE here, or no right to mount\n");
		skip();
	}
	compile(f, "program", 1, "-Wl,--build-id");
	id = id_of(in(f, "program"));
	start(&h, state, NULL);
	hung = get_object(&h, in(f, "hung/lib.so"), NULL, makedev(0, 4711), 1);
	symbols_request(h.symbols, hung, getpid(), 0, 0);
	assert_int_equal(hung->index_state, INDEX_PENDING);
	program = get_object(&h, in(f, "program"), &id, 0, 0);
	symbols_request(h.symbols, program, getpid(), 0, 0);
	for (int i = 0; i < WAIT_MS / 100 && program->index_state == INDEX_PENDING; i++)
		symbols_wait(h.symbols, 100, NULL, NULL);
	assert_int_equal(program->index_state, INDEX_READY);
	assert_int_equal(hung->index_state, INDEX_PENDING);
	object_unref(hung);
	object_unref(program);
	stop(&h);
	server = safe_close(server); /* the connection breaks, whoever waits comes back */
	assert_int_equal(umount2(in(f, "hung"), MNT_DETACH), 0);
}

int main(void)
{
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(running_program_is_indexed),
		FIXTURE_TEST(deleted_program_is_indexed),
		FIXTURE_TEST(deleted_library_is_indexed),
		FIXTURE_TEST(what_lies_at_the_path_must_be_the_object),
		FIXTURE_TEST(program_gone_after_the_request_is_indexed),
		FIXTURE_TEST(next_process_is_asked_when_the_first_is_gone),
		FIXTURE_TEST(program_of_a_gone_process_is_found_where_it_still_lies),
		FIXTURE_TEST(file_that_cannot_be_indexed_fails_once),
		FIXTURE_TEST(requests_under_way_are_bounded),
		FIXTURE_TEST(worker_can_be_left_in_the_middle),
		FIXTURE_TEST(vdso_is_indexed),
		FIXTURE_TEST(cache_serves_a_program_that_is_gone),
		FIXTURE_TEST(damaged_cache_file_is_built_anew),
		FIXTURE_TEST(cache_of_root_binaries_is_not_written_by_others),
		FIXTURE_TEST(keeps_what_has_no_build_id),
		FIXTURE_TEST(cache_forgets_the_longest_unused),
		FIXTURE_TEST(better_symbols_replace_a_cached_index),
		FIXTURE_TEST(links_do_not_lead_out_of_a_root),
		FIXTURE_TEST(hanging_file_system_is_nobodys_business),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
