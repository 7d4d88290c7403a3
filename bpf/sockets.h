/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * What the sockets collector's programs and user space share. Include after the fixed-width types.
 */
#include "event.h"

#define SOCKETS_CALLS 512 /* system calls' numbers are below */
#define SOCKETS_STATES 16 /* of TCP, by number; 12 or 13 are in use */

/* What a system call does, by its number; the place of its socket and of its bytes follow from it.
 */
enum sockets_call {
	SOCKETS_NONE,
	SOCKETS_CONNECT,
	SOCKETS_ACCEPT,
	SOCKETS_CLOSE,
	SOCKETS_SEND, /* the result is the number of bytes, the socket is the first argument */
	SOCKETS_RECEIVE,
	SOCKETS_RECVFROM, /* with flags in the fourth argument */
	SOCKETS_RECVMSG, /* with flags in the third */
	SOCKETS_SENDMMSG, /* the result is the number of messages */
	SOCKETS_RECVMMSG,
};

enum sockets_kind { /* of record_head */
		    SOCKETS_EVENT_CONNECT,
		    SOCKETS_EVENT_ACCEPT,
		    SOCKETS_EVENT_CLOSE,
		    SOCKETS_EVENT_RETRANSMIT,
		    SOCKETS_EVENT_RESET_SENT,
		    SOCKETS_EVENT_RESET_RECEIVED,
		    SOCKETS_EVENTS,
};

enum sockets_family { SOCKETS_IPV4, SOCKETS_IPV6, SOCKETS_UNIX, SOCKETS_OTHER };

struct sockets_record {
	struct record_head head;
	__u64 sent, received; /* close: bytes of the socket, as far as they were seen */
	__u64 life_ns; /* close: since its connect or accept; 0: not seen */
	__u32 pid, uid;
	__s32 result;
	__u8 family; /* enum sockets_family; IPv4 or IPv6 */
	__u8 type; /* SOCK_STREAM ... */
	__u16 state; /* of TCP */
	__u16 local_port, remote_port; /* of the host's byte order */
	__u32 unused;
	__u8 local[16], remote[16]; /* 4 bytes for IPv4 */
	char comm[SAMPLE_COMM_LEN];
};

struct sockets_key {
	__u32 pid;
	__u32 family;
	__u32 name; /* a hash of the thread's name */
};

struct sockets_traffic {
	__u64 name[SAMPLE_COMM_LEN / 8];
	__u64 connects, connect_errors; /* of all connects; EINPROGRESS is none */
	__u64 accepts, accept_errors; /* EAGAIN is none, and no accept either */
	__u64 closes;
	__u64 sends, send_errors, sent_bytes; /* EAGAIN is neither call nor error */
	__u64 receives, receive_errors, received_bytes;
};

/* A socket's bytes, by the number of its inode. */
struct sockets_open {
	__u64 sent, received;
	__u64 start_ns; /* of its connect or accept; 0: not seen */
};

/* Per CPU. */
struct sockets_counts {
	__u64 retransmits, resets_sent, resets_received;
	__u64 uncounted; /* calls: too many processes */
	__u64 partial; /* sendmmsg and recvmmsg of so many messages that not all bytes were counted
			*/
	__u64 calls_32bit; /* of 32-bit programs: not looked at */
	__u64 states[SOCKETS_STATES]; /* entered */
};

_Static_assert(sizeof(struct sockets_record) == 24 + 24 + 16 + 8 + 32 + 16, "record is shared");
_Static_assert(sizeof(struct sockets_key) == 12, "key is shared and has no padding");
