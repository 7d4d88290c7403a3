// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/control.h"
#include "util/buffer.h"
#include "util/cleanup.h"

struct world {
	char directory[64];
	char path[128];
	struct control *control;
	unsigned int rotated;
	struct ucred peer;
	size_t reply_bytes;
};

static int on_status(void *userdata, const struct ucred *peer, bool json, struct buffer *reply)
{
	struct world *w = userdata;

	w->peer = *peer;
	for (size_t i = 0; i < w->reply_bytes; i++)
		buffer_put_byte(reply, (uint8_t)('a' + i % 26));
	buffer_printf(reply, json ? "{}\n" : "all is well\n");
	return 0;
}

static int on_metrics(void *userdata, const struct ucred *peer, struct buffer *reply)
{
	(void)userdata;
	(void)peer;
	buffer_printf(reply, "metrics 1\n");
	return 0;
}

static int on_rotate(void *userdata, const struct ucred *peer, struct buffer *reply)
{
	struct world *w = userdata;

	(void)peer;
	w->rotated++;
	buffer_printf(reply, "rotated\n");
	return 0;
}

static int on_reload(void *userdata, const struct ucred *peer, struct buffer *reply)
{
	(void)userdata;
	(void)peer;
	buffer_printf(reply, "x.conf:3: no\n");
	return -EINVAL;
}

static const struct control_handlers *handlers_of(struct world *w)
{
	static struct control_handlers h;

	h = (struct control_handlers){
		.status = on_status,
		.collectors = on_status,
		.metrics = on_metrics,
		.rotate = on_rotate,
		.reload = on_reload,
		.userdata = w,
	};
	return &h;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	_cleanup_free_ char *error = NULL;

	strcpy(w->directory, "/tmp/ebpf-profiler-control.XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof(w->path), "%s/control", w->directory);
	assert_int_equal(control_open(w->path, "", handlers_of(w), &w->control, &error), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	control_close(w->control);
	assert_int_equal(access(w->path, F_OK), -1);
	assert_int_equal(rmdir(w->directory), 0);
	free(w);
	return 0;
}

static int connect_client(const struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Dispatches while there is something to do now. */
static void settle(struct world *w)
{
	struct pollfd p = { .fd = control_fd(w->control), .events = POLLIN };

	while (poll(&p, 1, 0) > 0)
		assert_int_equal(control_dispatch(w->control), 0);
}

/* Dispatches until `fd` has something to read, or its other end is closed. */
static void dispatch_until(struct world *w, int fd)
{
	struct pollfd p[2] = { { .fd = control_fd(w->control), .events = POLLIN },
			       { .fd = fd, .events = POLLIN } };

	while (!p[1].revents) {
		assert_true(poll(p, 2, 20000) > 0);
		assert_int_equal(control_dispatch(w->control), 0);
	}
}

static size_t read_all(struct world *w, int fd, char *out, size_t size)
{
	size_t n = 0;

	for (;;) {
		ssize_t got;

		dispatch_until(w, fd);
		got = read(fd, out + n, size - 1 - n);
		assert_true(got >= 0);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	out[n] = 0;
	return n;
}

static void requests_get_their_reply(void **state)
{
	/* Each request, whole or in pieces, right or wrong, gets one reply and the end of the
	 * stream. */
	static const struct {
		int test_line;
		const char *request;
		size_t size; /* 0: strlen */
		const char *reply;
	} rows[] = {
		{ __LINE__, "status\n", 0, "ok\nall is well\n" },
		{ __LINE__, "status\r\n", 0, "ok\nall is well\n" },
		{ __LINE__, "status json\n", 0, "ok\n{}\n" },
		{ __LINE__, "status\nrotate\n", 0, "ok\nall is well\n" },
		{ __LINE__, "rotate\n", 0, "ok\nrotated\n" },
		{ __LINE__, "reload\n", 0, "error\nx.conf:3: no\n" },
		{ __LINE__, "Status\n", 0, "error\nThere is no such request" },
		{ __LINE__, "status xml\n", 0, "error\nThere is no such request" },
		{ __LINE__, "\n", 0, "error\nThere is no such request" },
		{ __LINE__, "rot\0ate\n", 8, "error\nThere is no such request" },
		{ __LINE__, "\xff\x1b[2J\n", 0, "error\nThere is no such request" },
		{ __LINE__, "1234567890123456789012345678901234567890123456789012345678901234", 0,
		  "error\nThere is no such request" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int pieces = 0; pieces < 2; pieces++) {
			_cleanup_close_ int fd = connect_client(w);
			size_t size = rows[i].size ? rows[i].size : strlen(rows[i].request);
			size_t step = pieces ? 1 : size;
			char reply[512];

			for (size_t at = 0; at < size; at += step) {
				if (send(fd, rows[i].request + at, step, MSG_NOSIGNAL) < 0)
					break; /* answered already */
				settle(w);
			}
			read_all(w, fd, reply, sizeof(reply));
			if (strncmp(reply, rows[i].reply, strlen(rows[i].reply)) != 0)
				fail_msg("line %d: reply is '%s'", rows[i].test_line, reply);
		}
	assert_int_equal(w->rotated, 2);
	assert_int_equal(w->peer.pid, getpid());
	assert_int_equal(w->peer.uid, getuid());
}

static void *ask(void *userdata)
{
	struct world *w = userdata;
	struct buffer reply = { 0 };

	assert_int_equal(control_ask(w->path, "status json", &reply), 0);
	assert_memory_equal(reply.data, "{}\n", 3);
	buffer_reset(&reply);
	assert_int_equal(control_ask(w->path, "reload", &reply), 1);
	assert_memory_equal(reply.data, "x.conf:3: no\n", 13);
	buffer_done(&reply);
	return NULL;
}

static void client_side_understands(void **state)
{
	/* control_ask() tells ok from error, hands over the text, and gives the errno when nobody
	 * listens. */
	struct world *w = *state;
	_cleanup_(buffer_donep) struct buffer reply = { 0 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, ask, w), 0);
	while (pthread_tryjoin_np(thread, NULL) != 0) {
		struct pollfd p = { .fd = control_fd(w->control), .events = POLLIN };

		(void)poll(&p, 1, 10);
		assert_int_equal(control_dispatch(w->control), 0);
	}
	assert_int_equal(control_ask("/nonexistent/control", "status", &reply), -ENOENT);
}

static void socket_has_mode_and_one_owner(void **state)
{
	/* Mode 0660; a second daemon is refused with the first one's pid; what is left of a dead
	 * one is replaced; a file that is no socket is left alone; a group must exist. */
	struct world *w = *state;
	struct control *other = NULL;
	char path[256];
	struct stat st;
	char *error = NULL;
	int fd;

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);

	assert_int_equal(control_open(w->path, "", handlers_of(w), &other, &error), -EADDRINUSE);
	snprintf(path, sizeof(path), "(pid %d)", (int)getpid());
	assert_non_null(strstr(error, path));
	free(error);

	snprintf(path, sizeof(path), "%s/file", w->directory);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(control_open(path, "", handlers_of(w), &other, &error), -EEXIST);
	assert_non_null(strstr(error, "is not a socket"));
	free(error);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(control_open(path, "no such group", handlers_of(w), &other, &error),
			 -ESRCH);
	assert_non_null(strstr(error, "no such group"));
	free(error);
	assert_int_equal(access(path, F_OK), -1);

	assert_int_equal(control_open("relative", "", handlers_of(w), &other, &error), -EINVAL);
	free(error);

	/* A socket without a process behind it, as kill -9 leaves it. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(fd,
		     (struct sockaddr *)&(struct sockaddr_un){
			     .sun_family = AF_UNIX, .sun_path = "/tmp/ebpf-profiler-stale" },
		     sizeof(struct sockaddr_un)),
		0);
	close(fd);
	assert_int_equal(
		control_open("/tmp/ebpf-profiler-stale", NULL, handlers_of(w), &other, &error), 0);
	assert_null(control_close(other));
	assert_int_equal(access("/tmp/ebpf-profiler-stale", F_OK), -1);
}

static size_t open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void many_clients_cannot_hurt(void **state)
{
	/* 200 silent clients hold a bounded number of descriptors, and the next one is still
	 * answered; at last the silent ones are ended by their deadline. */
	struct world *w = *state;
	int silent[200], fd;
	size_t before = open_fds(), during;
	char reply[64];

	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		silent[i] = connect_client(w);
		settle(w);
	}
	during = open_fds();
	assert_true(during - before - ARRAY_SIZE(silent) <= 16);
	fd = connect_client(w);
	assert_int_equal(send(fd, "status\n", 7, 0), 7);
	read_all(w, fd, reply, sizeof(reply));
	assert_string_equal(reply, "ok\nall is well\n");
	close(fd);
	assert_int_equal(read_all(w, silent[199], reply, sizeof(reply)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		close(silent[i]);
	settle(w);
	assert_int_equal(open_fds(), before);
}

static void large_reply_waits_for_its_reader(void **state)
{
	/* A reply larger than the socket's buffer is sent whole to a slow reader, and others are
	 * answered meanwhile. */
	struct world *w = *state;
	size_t size = 3 << 20, n;
	_cleanup_free_ char *reply = malloc(size + 4096);
	_cleanup_close_ int slow = connect_client(w), quick = -1;
	char answer[64];

	w->reply_bytes = size;
	assert_int_equal(send(slow, "status\n", 7, 0), 7);
	settle(w);
	w->reply_bytes = 0;
	quick = connect_client(w);
	assert_int_equal(send(quick, "rotate\n", 7, 0), 7);
	read_all(w, quick, answer, sizeof(answer));
	assert_string_equal(answer, "ok\nrotated\n");
	n = read_all(w, slow, reply, size + 4096);
	assert_int_equal(n, 3 + size + strlen("all is well\n"));
	assert_string_equal(reply + 3 + size, "all is well\n");

	w->reply_bytes = 8 << 20;
	quick = (close(quick), connect_client(w));
	assert_int_equal(send(quick, "status\n", 7, 0), 7);
	n = read_all(w, quick, reply, 4096);
	assert_non_null(strstr(reply, "error\nThe reply could not be built"));
}

static void out_of_descriptors_is_survived(void **state)
{
	/* Without descriptors to accept with, the daemon neither spins nor dies, and accepts again
	 * afterwards. */
	struct world *w = *state;
	_cleanup_close_ int fd = connect_client(w);
	struct pollfd p = { .fd = control_fd(w->control), .events = POLLIN };
	struct rlimit limit, none;
	char reply[64];

	assert_int_equal(send(fd, "status\n", 7, 0), 7);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(control_dispatch(w->control), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	read_all(w, fd, reply, sizeof(reply));
	assert_string_equal(reply, "ok\nall is well\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_get_their_reply, set_up, tear_down),
		cmocka_unit_test_setup_teardown(client_side_understands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(socket_has_mode_and_one_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_clients_cannot_hurt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(large_reply_waits_for_its_reader, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(out_of_descriptors_is_survived, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
