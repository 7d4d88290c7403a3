// SPDX-License-Identifier: Apache-2.0
/*
 * One epoll instance holds the listening socket, a timer and up to MAX_CLIENTS connections. A
 * client is read until its newline, answered, written out, closed. The timer ticks while there are
 * clients and ends those beyond their deadline; it also resumes accepting after the process ran out
 * of file descriptors.
 *
 * The socket is bound under a name of its own, given its mode and group, and then renamed, so that
 * it is never open to more than it should be and never missing.
 */
#include "engine/control.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/parse.h"

#define MAX_CLIENTS 16
#define MAX_REQUEST 64
#define MAX_EVENTS 32
#define MAX_REPLY_BYTES (4 * 1024 * 1024)
#define CLIENT_SECONDS 5
#define TICK_SECONDS 1

struct client {
	int fd; /* -1: the place is free */
	uint64_t deadline_ns;
	struct ucred peer;
	char request[MAX_REQUEST];
	size_t received;
	struct buffer reply;
	size_t sent;
};

struct control {
	int epoll_fd;
	int listen_fd;
	int timer_fd;
	bool bound; /* `address` is ours to remove */
	bool paused; /* not accepting: out of file descriptors */
	struct sockaddr_un address;
	struct control_handlers handlers;
	struct client clients[MAX_CLIENTS];
};

static int watch(struct control *c, int operation, int fd, uint32_t events, void *owner)
{
	struct epoll_event ev = { .events = events, .data.ptr = owner };

	return epoll_ctl(c->epoll_fd, operation, fd, &ev) < 0 ? -errno : 0;
}

/* --- clients --- */

static size_t count_clients(const struct control *c)
{
	size_t n = 0;

	for (size_t i = 0; i < MAX_CLIENTS; i++)
		n += c->clients[i].fd >= 0;
	return n;
}

static void set_tick(struct control *c, bool on)
{
	struct itimerspec spec = { 0 };

	if (on)
		spec.it_value.tv_sec = spec.it_interval.tv_sec = TICK_SECONDS;
	(void)timerfd_settime(c->timer_fd, 0, &spec, NULL);
}

static void end_client(struct control *c, struct client *client)
{
	client->fd = safe_close(client->fd);
	buffer_done(&client->reply);
	if (count_clients(c) == 0 && !c->paused)
		set_tick(c, false);
}

static struct client *place_for_client(struct control *c)
{
	struct client *oldest = &c->clients[0];

	for (size_t i = 0; i < MAX_CLIENTS; i++) {
		if (c->clients[i].fd < 0)
			return &c->clients[i];
		if (c->clients[i].deadline_ns < oldest->deadline_ns)
			oldest = &c->clients[i];
	}
	end_client(c, oldest);
	return oldest;
}

static void add_client(struct control *c, int fd)
{
	struct client *client = place_for_client(c);
	socklen_t size = sizeof(client->peer);

	*client = (struct client){
		.fd = fd,
		.deadline_ns = now_ns() + CLIENT_SECONDS * NSEC_PER_SEC,
		.reply.limit = MAX_REPLY_BYTES,
	};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &size) < 0 ||
	    watch(c, EPOLL_CTL_ADD, fd, EPOLLIN, client) < 0) {
		end_client(c, client);
		return;
	}
	if (count_clients(c) == 1)
		set_tick(c, true);
}

/* Out of file descriptors or memory: waiting clients are ended, and accepting rests for a tick. */
static void pause_accepting(struct control *c)
{
	c->paused = true;
	(void)watch(c, EPOLL_CTL_MOD, c->listen_fd, 0, &c->listen_fd);
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (c->clients[i].fd >= 0)
			end_client(c, &c->clients[i]);
	set_tick(c, true);
}

static void resume_accepting(struct control *c)
{
	c->paused = false;
	(void)watch(c, EPOLL_CTL_MOD, c->listen_fd, EPOLLIN, &c->listen_fd);
}

static void accept_clients(struct control *c)
{
	for (size_t i = 0; i < MAX_CLIENTS; i++) {
		int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
			pause_accepting(c);
			return;
		}
		if (fd < 0)
			return; /* none left, or gone again */
		add_client(c, fd);
	}
}

static void tick(struct control *c)
{
	uint64_t ticks, now = now_ns();

	(void)!read(c->timer_fd, &ticks, sizeof(ticks));
	if (c->paused)
		resume_accepting(c);
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (c->clients[i].fd >= 0 && now >= c->clients[i].deadline_ns)
			end_client(c, &c->clients[i]);
	if (count_clients(c) == 0)
		set_tick(c, false);
}

/* --- requests --- */

static int call_handler(struct control *c, const char *request, const struct ucred *peer,
			struct buffer *reply)
{
	const struct control_handlers *h = &c->handlers;
	uint64_t seconds;

	if (strcmp(request, "status") == 0)
		return h->status(h->userdata, peer, false, reply);
	if (strcmp(request, "status json") == 0)
		return h->status(h->userdata, peer, true, reply);
	if (strcmp(request, "collectors") == 0)
		return h->collectors(h->userdata, peer, false, reply);
	if (strcmp(request, "collectors json") == 0)
		return h->collectors(h->userdata, peer, true, reply);
	if (strcmp(request, "metrics") == 0)
		return h->metrics(h->userdata, peer, reply);
	if (strcmp(request, "rotate") == 0)
		return h->rotate(h->userdata, peer, reply);
	if (strcmp(request, "reload") == 0)
		return h->reload(h->userdata, peer, reply);
	if (strncmp(request, "yield ", 6) == 0 && parse_u64(request + 6, &seconds) == 0)
		return h->yield(h->userdata, peer, seconds, reply);
	buffer_printf(reply, "There is no such request; known are status, collectors (both also "
			     "with json), metrics, rotate, reload and yield SECONDS.\n");
	return -EINVAL;
}

static void answer(struct control *c, struct client *client, const char *request)
{
	_cleanup_(buffer_donep) struct buffer text = { .limit = MAX_REPLY_BYTES - MAX_REQUEST };
	int r = call_handler(c, request, &client->peer, &text);

	if (r == 0)
		r = text.error;
	if (text.error) {
		buffer_reset(&text);
		buffer_printf(&text, "The reply could not be built: %s\n", strerror(-r));
	}
	buffer_printf(&client->reply, "%s\n", r < 0 ? "error" : "ok");
	buffer_put(&client->reply, text.data, text.size);
}

/* Sends what the socket takes; ends the client when all is sent, or nothing can be. */
static void write_reply(struct control *c, struct client *client)
{
	while (client->sent < client->reply.size) {
		ssize_t n = send(client->fd, client->reply.data + client->sent,
				 client->reply.size - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN &&
		    watch(c, EPOLL_CTL_MOD, client->fd, EPOLLOUT, client) == 0)
			return;
		if (n < 0)
			break;
		client->sent += (size_t)n;
	}
	end_client(c, client);
}

static void read_request(struct control *c, struct client *client)
{
	size_t room = sizeof(client->request) - client->received;
	char *end;
	ssize_t n;

	n = recv(client->fd, client->request + client->received, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		end_client(c, client);
		return;
	}
	client->received += (size_t)n;
	end = memchr(client->request, '\n', client->received);
	if (!end && client->received < sizeof(client->request))
		return;
	if (end > client->request && end[-1] == '\r')
		end--;
	if (end)
		*end = 0;
	answer(c, client, end ? client->request : "");
	write_reply(c, client);
}

/* --- the object --- */

int control_fd(const struct control *c)
{
	return c->epoll_fd;
}

static void dispatch_event(struct control *c, const struct epoll_event *ev)
{
	struct client *client = ev->data.ptr;

	if (ev->data.ptr == &c->listen_fd)
		accept_clients(c);
	else if (ev->data.ptr == &c->timer_fd)
		tick(c);
	else if (client->fd < 0)
		; /* ended by an event before this one */
	else if (client->reply.size)
		write_reply(c, client);
	else
		read_request(c, client);
}

int control_dispatch(struct control *c)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(c->epoll_fd, events, MAX_EVENTS, 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	/* New clients last: a place that is given away must not have an event in this batch. */
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr != &c->listen_fd)
			dispatch_event(c, &events[i]);
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr == &c->listen_fd)
			dispatch_event(c, &events[i]);
	return 0;
}

struct control *control_close(struct control *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < MAX_CLIENTS; i++) {
		safe_close(c->clients[i].fd);
		buffer_done(&c->clients[i].reply);
	}
	if (c->bound)
		unlink(c->address.sun_path);
	safe_close(c->listen_fd);
	safe_close(c->timer_fd);
	safe_close(c->epoll_fd);
	free(c);
	return NULL;
}

/* --- opening --- */

static int set_address(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path[0] != '/' || strlen(path) >= sizeof(ret->sun_path))
		return -EINVAL;
	strcpy(ret->sun_path, path);
	return 0;
}

static int connect_to(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* A Unix socket connects at once or not at all; EAGAIN is a full queue. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int _printf_(3, 4) refuse(int error, char **ret_error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (vasprintf(ret_error, format, ap) < 0)
		*ret_error = NULL;
	va_end(ap);
	return error;
}

/* -EADDRINUSE when somebody listens on the socket; its process is named as far as it is known. */
static int check_unused(const struct sockaddr_un *address, char **ret_error)
{
	_cleanup_close_ int fd = connect_to(address);
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	struct stat st;

	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		return refuse(-EADDRINUSE, ret_error,
			      "Another ebpf-profiler daemon is running (pid %d): it answers on %s",
			      (int)peer.pid, address->sun_path);
	if (fd >= 0 || fd == -EAGAIN)
		return refuse(-EADDRINUSE, ret_error,
			      "Another ebpf-profiler daemon is running: it answers on %s",
			      address->sun_path);
	if (lstat(address->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return refuse(-EEXIST, ret_error,
			      "%s exists and is not a socket; it is left alone, and the control "
			      "socket needs another place",
			      address->sun_path);
	return 0;
}

static int find_group(const char *name, gid_t *ret)
{
	struct group *g = getgrnam(name);
	uint64_t number;

	if (g) {
		*ret = g->gr_gid;
		return 0;
	}
	if (parse_u64(name, &number) < 0 || number >= UINT32_MAX)
		return -ESRCH;
	*ret = (gid_t)number;
	return 0;
}

static int set_access(const char *path, const char *group, char **ret_error)
{
	gid_t gid;

	if (chmod(path, 0660) < 0)
		return refuse(-errno, ret_error, "Cannot set the mode of %s: %m", path);
	if (!group || !*group)
		return 0;
	if (find_group(group, &gid) < 0)
		return refuse(-ESRCH, ret_error, "There is no group '%s' for the control socket",
			      group);
	if (gid != getegid() && chown(path, (uid_t)-1, gid) < 0)
		return refuse(-errno, ret_error,
			      "Cannot give the control socket to the group '%s': %m. The daemon "
			      "must be a member of it (SupplementaryGroups= in a drop-in)",
			      group);
	return 0;
}

/* Binds under a temporary name in the same directory and renames. */
static int bind_socket(struct control *c, const char *group, char **ret_error)
{
	struct sockaddr_un temporary = { .sun_family = AF_UNIX };
	const char *path = c->address.sun_path;
	int n, r;

	n = snprintf(temporary.sun_path, sizeof(temporary.sun_path), "%.*s/.%d",
		     (int)(strrchr(path, '/') - path), path, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(temporary.sun_path))
		return refuse(-ENAMETOOLONG, ret_error, "%s is too long for a socket", path);
	(void)unlink(temporary.sun_path);
	if (bind(c->listen_fd, (struct sockaddr *)&temporary, sizeof(temporary)) < 0)
		return refuse(-errno, ret_error, "Cannot create the control socket %s: %m", path);
	r = set_access(temporary.sun_path, group, ret_error);
	if (r == 0 && listen(c->listen_fd, MAX_CLIENTS) < 0)
		r = refuse(-errno, ret_error, "Cannot listen on %s: %m", path);
	if (r == 0 && rename(temporary.sun_path, path) < 0)
		r = refuse(-errno, ret_error, "Cannot create the control socket %s: %m", path);
	if (r < 0) {
		(void)unlink(temporary.sun_path);
		return r;
	}
	c->bound = true;
	return 0;
}

static int open_fds(struct control *c)
{
	int r;

	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		return -errno;
	c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->timer_fd < 0)
		return -errno;
	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen_fd < 0)
		return -errno;
	r = watch(c, EPOLL_CTL_ADD, c->timer_fd, EPOLLIN, &c->timer_fd);
	if (r < 0)
		return r;
	return watch(c, EPOLL_CTL_ADD, c->listen_fd, EPOLLIN, &c->listen_fd);
}

int control_open(const char *path, const char *group, const struct control_handlers *handlers,
		 struct control **ret, char **ret_error)
{
	_cleanup_(control_closep) struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return refuse(-ENOMEM, ret_error, "Out of memory");
	c->epoll_fd = c->listen_fd = c->timer_fd = -1;
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		c->clients[i].fd = -1;
	c->handlers = *handlers;
	r = set_address(path, &c->address);
	if (r < 0)
		return refuse(r, ret_error, "'%s' cannot be a control socket's path", path);
	r = check_unused(&c->address, ret_error);
	if (r < 0)
		return r;
	r = open_fds(c);
	if (r < 0)
		return refuse(r, ret_error, "Cannot open the control socket: %s", strerror(-r));
	r = bind_socket(c, group, ret_error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}
