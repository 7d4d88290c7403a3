// SPDX-License-Identifier: Apache-2.0
/*
 * Uses of sockets whose numbers are known, on loopback:
 *
 *   exchange BYTES
 *
 * A server and a client, two processes. Over TCP the client sends BYTES, by send, write, writev and
 * sendmsg in turn, the server gets them by recv, read, readv and recvmsg, peeking once; each closes
 * its end of the connection and, once, a file that is no socket. Then three datagrams of 100 bytes
 * by sendmmsg and recvmmsg, and a connect to a port where nobody listens. The socket that listens
 * and those of the datagrams are left open. Prints "client PID server PID port PORT refused PORT".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGES 3
#define DATAGRAM 100

static void check(long result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static int open_socket(int type, struct sockaddr_in *ret)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, type, 0);

	check(fd, "socket");
	check(bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	check(getsockname(fd, (struct sockaddr *)&a, &size), "getsockname");
	*ret = a;
	return fd;
}

static void close_a_file(void)
{
	int fd = open("/dev/null", O_RDONLY);

	check(fd, "open");
	check(close(fd), "close");
}

static long send_some(int fd, void *data, size_t size, unsigned int turn)
{
	struct iovec parts[2] = { { data, size / 2 },
				  { (char *)data + size / 2, size - size / 2 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };

	switch (turn % 4) {
	case 0:
		return send(fd, data, size, 0);
	case 1:
		return write(fd, data, size);
	case 2:
		return writev(fd, parts, 2);
	default:
		return sendmsg(fd, &m, 0);
	}
}

static long receive_some(int fd, void *data, size_t size, unsigned int turn)
{
	struct iovec parts[2] = { { data, size / 2 },
				  { (char *)data + size / 2, size - size / 2 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };

	switch (turn % 4) {
	case 0:
		return recv(fd, data, size, 0);
	case 1:
		return read(fd, data, size);
	case 2:
		return readv(fd, parts, 2);
	default:
		return recvmsg(fd, &m, 0);
	}
}

static void fill_messages(struct mmsghdr *m, struct iovec *parts, char *data)
{
	for (int i = 0; i < MESSAGES; i++) {
		parts[i] = (struct iovec){ data, DATAGRAM };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
}

static void serve(int listening, int datagrams)
{
	struct mmsghdr messages[MESSAGES] = {};
	struct iovec parts[MESSAGES];
	char data[4096];
	long n;
	int fd = accept(listening, NULL, NULL);

	check(fd, "accept");
	check(recv(fd, data, 1, MSG_PEEK), "recv");
	for (unsigned int turn = 0; (n = receive_some(fd, data, sizeof(data), turn)) > 0; turn++)
		;
	check(n, "receive");
	check(close(fd), "close");
	close_a_file();
	fill_messages(messages, parts, data);
	for (int got = 0; got < MESSAGES; got += (int)n) {
		n = recvmmsg(datagrams, messages + got, (unsigned int)(MESSAGES - got),
			     MSG_WAITFORONE, NULL);
		check(n, "recvmmsg");
	}
	exit(0);
}

static void send_all(const struct sockaddr_in *to, size_t bytes)
{
	char data[1000] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd, "socket");
	check(connect(fd, (const struct sockaddr *)to, sizeof(*to)), "connect");
	for (unsigned int turn = 0; bytes; turn++) {
		long n = send_some(fd, data, bytes < sizeof(data) ? bytes : sizeof(data), turn);

		check(n, "send");
		bytes -= (size_t)n;
	}
	check(close(fd), "close");
	close_a_file();
}

static void send_datagrams(const struct sockaddr_in *to)
{
	struct mmsghdr messages[MESSAGES] = {};
	struct iovec parts[MESSAGES];
	struct sockaddr_in from;
	char data[DATAGRAM] = "";
	int fd = open_socket(SOCK_DGRAM, &from);

	fill_messages(messages, parts, data);
	for (int i = 0; i < MESSAGES; i++) {
		messages[i].msg_hdr.msg_name = (void *)to;
		messages[i].msg_hdr.msg_namelen = sizeof(*to);
	}
	check(sendmmsg(fd, messages, MESSAGES, 0) == MESSAGES ? 0 : -1, "sendmmsg");
}

/* A bound port that does not listen refuses, and nobody else can take it meanwhile. */
static unsigned int be_refused(void)
{
	struct sockaddr_in a;
	int bound = open_socket(SOCK_STREAM, &a), fd = socket(AF_INET, SOCK_STREAM, 0);

	check(bound, "socket");
	check(fd, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno != ECONNREFUSED)
		check(-1, "connect");
	return ntohs(a.sin_port);
}

int main(int argc, char **argv)
{
	struct sockaddr_in stream, datagram;
	int listening = open_socket(SOCK_STREAM, &stream);
	int datagrams = open_socket(SOCK_DGRAM, &datagram), status;
	unsigned int refused;
	pid_t server;

	check(listen(listening, 1), "listen");
	server = fork();
	check(server, "fork");
	if (server == 0)
		serve(listening, datagrams);
	send_all(&stream, argc > 1 ? strtoul(argv[1], NULL, 10) : 1000);
	send_datagrams(&datagram);
	refused = be_refused();
	check(waitpid(server, &status, 0), "waitpid");
	printf("client %d server %d port %u refused %u\n", getpid(), server, ntohs(stream.sin_port),
	       refused);
	return status != 0;
}
