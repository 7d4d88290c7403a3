// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler check: what this host can do, found by trying, and the verdict.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd/check_print.h"
#include "cmd/cmd.h"
#include "host/cpus.h"
#include "pmu/perf_ops.h"
#include "sampler/branch_event.h"
#include "sampler/sampler.h"
#include "util/clock.h"

struct options {
	bool json;
	const char *btf;
};

static void help(void)
{
	printf("Usage: ebpf-profiler check [--json] [--btf PATH]\n\n"
	       "Finds out by trying what this kernel, machine and user allow, and says what is "
	       "lost\n"
	       "and how to mend it. Nothing is changed or left behind.\n\n"
	       "  -j, --json      one JSON object instead of the table\n"
	       "  -b, --btf PATH  BTF file of this kernel, or a directory in BTFHub layout\n"
	       "                  (<ID>/<VERSION_ID>/<arch>/<release>.btf)\n"
	       "  -h, --help\n\n"
	       "Exit code: %d full, %d degraded (sampling works, something is lost), %d none "
	       "because a\n"
	       "right is missing, %d none because the kernel cannot do it, %d wrong options or an\n"
	       "unusable --btf.\n",
	       EXIT_OK, EXIT_DEGRADED, EXIT_PRIVILEGE, EXIT_UNSUPPORTED, EXIT_USAGE);
}

/* 0 to go on, 1 when help was given, -EINVAL. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "btf", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "jb:h", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 'b':
			o->btf = optarg;
			break;
		case 'h':
			help();
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ebpf-profiler check: '%s' is not expected here\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

/* --- trial --------------------------------------------------------------------------------------
 */

static int open_sampler(const char *btf, struct trial *ret, char **ret_error)
{
	_cleanup_(sampler_closep) struct sampler *sampler = NULL;
	struct sampler_event event = { .profile = (char *)"check",
				       .flags = SAMPLER_KERNEL_STACK | SAMPLER_USER_STACK };
	struct sampler_options options = { .ring_bytes = 64 << 10, .depth = 127, .btf = btf };
	_cleanup_free_ int *cpus = NULL;
	struct pmu_event *parsed = NULL;
	size_t n;
	int r;

	r = host_cpus_online(NULL, &cpus, &options.n_cpus);
	if (r == 0)
		r = host_cpus_possible_count(NULL, &options.possible_cpus);
	if (r == 0)
		r = pmu_events_parse("cpu-clock@99Hz", &(struct pmu_defaults){ 0 }, &parsed, &n,
				     ret_error);
	if (r < 0)
		return r;
	options.cpus = cpus;
	options.n_cpus = 1;
	event.pmu = parsed[0];
	event.requested = parsed[0].spec;
	r = sampler_open(&options, &event, 1, &sampler, ret_error);
	if (r == 0) {
		ret->transport = sampler_transport_name(sampler);
		ret->attach = sampler_attach_name(sampler);
	}
	pmu_events_free(parsed, n);
	return r;
}

/* Fills trial and facts->sampler_error. */
static void try_sampler(struct host_facts *facts, struct trial *ret)
{
	_cleanup_close_ int fd = -1;
	char made[HOST_BTF_PATH_MAX];
	const char *btf = host_btf_custom_path(&facts->btf);
	uint64_t started = now_ns();
	int r;

	if (facts->btf.kind == HOST_BTF_NONE) {
		fd = host_btf_for_sampler(made);
		btf = fd >= 0 ? made : NULL;
	}
	r = open_sampler(btf, ret, &facts->sampler_error);
	ret->milliseconds = (double)(now_ns() - started) / NSEC_PER_MSEC;
	if (r < 0 && !facts->sampler_error)
		facts->sampler_error = strdup(strerror(-r));
}

/* What else the CPU could be asked for is no loss where it is not there. */
static void try_branches(struct trial *ret)
{
	_cleanup_free_ int *cpus = NULL;
	struct pmu_event ev = {};
	size_t n = 0;
	int r = host_cpus_online(NULL, &cpus, &n);

	if (r == 0)
		r = branch_event_make(&ev);
	if (r == 0)
		r = branch_event_try(&perf_ops_kernel, "/sys", &ev, cpus[0], &ret->no_branches);
	if (r < 0 && !ret->no_branches)
		ret->no_branches = strdup(strerror(-r));
	pmu_event_done(&ev);
}

static int exit_code(const struct host_assessment *a)
{
	if (a->verdict == HOST_VERDICT_FULL)
		return EXIT_OK;
	if (a->verdict == HOST_VERDICT_DEGRADED)
		return EXIT_DEGRADED;
	return a->privilege ? EXIT_PRIVILEGE : EXIT_UNSUPPORTED;
}

static int check(const struct options *o)
{
	_cleanup_(host_facts_done) struct host_facts facts = { 0 };
	_cleanup_(host_assessment_done) struct host_assessment assessment = { 0 };
	_cleanup_free_ char *error = NULL;
	struct trial trial = { 0 };
	int r, code;

	r = host_facts_gather(o->btf, &facts, &error);
	if (r < 0) {
		fprintf(stderr, "ebpf-profiler check: %s\n", error ? error : strerror(-r));
		return o->btf && r == -ENOENT ? EXIT_USAGE : EXIT_FAILED;
	}
	try_sampler(&facts, &trial);
	try_branches(&trial);
	r = host_assess(&facts, &assessment);
	code = r < 0 ? EXIT_FAILED : exit_code(&assessment);
	if (r == 0 && o->json)
		r = check_print_json(&facts, &trial, &assessment, code);
	else if (r == 0)
		check_print_table(&facts, &trial, &assessment);
	free(trial.no_branches);
	if (r < 0)
		fprintf(stderr, "ebpf-profiler check: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILED : code;
}

int cmd_check(int argc, char **argv)
{
	struct options o = { 0 };
	int r;

	r = parse_options(argc, argv, &o);
	if (r < 0) {
		fprintf(stderr, "'ebpf-profiler check --help' lists the options\n");
		return EXIT_USAGE;
	}
	return r > 0 ? EXIT_OK : check(&o);
}
