/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/* What the faults collector's programs and user space share. Include after the fixed-width types.
 */
#include "sample.h"

#define FAULTS_PROCESSES 4096

enum faults_kind {
	FAULTS_USER_MINOR,
	FAULTS_USER_MAJOR,
	FAULTS_KERNEL_MINOR,
	FAULTS_KERNEL_MAJOR,
	FAULTS_KINDS,
};

struct faults_process {
	__u64 faults[FAULTS_KINDS];
	char comm[SAMPLE_COMM_LEN]; /* of the thread whose fault was the last */
};

/* Per CPU. */
struct faults_counts {
	__u64 faults[FAULTS_KINDS];
	__u64 uncounted; /* of those: too many processes */
};
