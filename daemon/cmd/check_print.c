// SPDX-License-Identifier: Apache-2.0
#include "cmd/check_print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/danger.h"
#include "util/buffer.h"
#include "util/json.h"
#include "util/parse.h"

/* --- table --------------------------------------------------------------------------------------
 */

static void section(const char *title)
{
	printf("\n%s\n", title);
}

static _printf_(2, 3) void row(const char *name, const char *format, ...)
{
	va_list arguments;

	printf("  %-42s ", name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static void number_row(const char *name, int64_t value)
{
	if (value == HOST_UNKNOWN)
		row(name, "not there");
	else
		row(name, "%" PRId64, value);
}

static void print_tried(const char *tried)
{
	while (*tried) {
		int n = (int)strcspn(tried, "\n");

		printf("  %-42s %.*s\n", "", n, tried);
		tried += n + (tried[n] == '\n');
	}
}

static void print_machine(const struct host_facts *f)
{
	char name[160];

	section("Machine");
	row("kernel", "%s %s", host_kernel_name(&f->kernel, name, sizeof(name)), f->kernel.machine);
	row("distribution", "%s", f->distribution);
	if (f->virt.virtualised)
		row("virtual machine", "yes, %s (%s)", f->virt.technology, f->virt.evidence);
	else
		row("virtual machine", "no");
	row("PMU of the cores", "%s", f->core_pmus[0] ? f->core_pmus : "none");
}

static void print_btf(const struct host_facts *f)
{
	section("Types (BTF, CO-RE)");
	if (f->btf.kind == HOST_BTF_NONE)
		row("BTF", "none; tried:");
	else
		row("BTF", "%s, %u types", f->btf.path, f->btf.types);
	if (f->btf.kind != HOST_BTF_KERNEL)
		print_tried(f->btf.tried);
	row("CO-RE", "%s%s", host_core_level_name(host_facts_core_level(f)),
	    host_facts_core_level(f) == HOST_CORE_PARTIAL ? ": for the sampler" : "");
	row("promised by the bare version", "%s",
	    host_core_level_name(host_kernel_core_level(&f->kernel)));
}

static void print_features(const struct host_facts *f)
{
	section("Kernel features, each tried");
	for (size_t i = 0; i < HOST_FEATURES; i++) {
		const struct host_feature_info *info = host_feature_info(i);

		if (host_has(&f->features, i))
			row(info->title, "yes");
		else if (host_feature_denied(&f->features, i))
			row(info->title, "refused (%s)", strerror(-f->features.error[i]));
		else
			row(info->title, "no (%s): %s", strerror(-f->features.error[i]),
			    info->without);
	}
}

static void print_trial(const struct host_facts *f, const struct trial *t)
{
	section("The sampler itself, on one CPU");
	if (t->attach)
		row("loaded and attached", "yes, by %s, %s, in %.0f ms", t->attach, t->transport,
		    t->milliseconds);
	else
		row("loaded and attached", "no: %s",
		    f->sampler_error ? f->sampler_error : "unknown");
	row("calls recorded by the CPU (LBR)", "%s%s", t->no_branches ? "no: " : "yes",
	    t->no_branches ? t->no_branches : "");
}

static void print_privileges(const struct host_privilege *p)
{
	static const char *const seccomp[] = { "off", "strict", "filter" };
	char text[1024];

	section("Rights");
	row("user", "%u%s%s", p->uid, p->user_namespace ? ", in a user namespace" : "",
	    p->pid_namespace ? ", in a pid namespace" : "");
	row("capabilities", "%s", host_privilege_names(p, text, sizeof(text)));
	number_row("kernel.perf_event_paranoid", p->perf_event_paranoid);
	number_row("kernel.perf_event_max_sample_rate", p->perf_event_max_sample_rate);
	number_row("kernel.perf_event_mlock_kb", p->perf_event_mlock_kb);
	number_row("kernel.perf_event_max_stack", p->perf_event_max_stack);
	number_row("kernel.kptr_restrict", p->kptr_restrict);
	number_row("kernel.unprivileged_bpf_disabled", p->unprivileged_bpf_disabled);
	number_row("kernel.nmi_watchdog", p->nmi_watchdog);
	row("kernel addresses in /proc/kallsyms", "%s", p->kallsyms ? "shown" : "hidden");
	if (p->memlock_bytes == UINT64_MAX)
		row("locked memory", "no limit");
	else
		row("locked memory", "%s", format_size(p->memlock_bytes, text, sizeof(text)));
	row("lockdown", "%s", host_lockdown_name(p->lockdown));
	row("LSM", "%s", p->lsm[0] ? p->lsm : "unknown (no securityfs)");
	row("seccomp", "%s%s", seccomp[p->seccomp >= 0 && p->seccomp <= 2 ? p->seccomp : 2],
	    p->no_new_privileges ? ", no new privileges" : "");
	row("cgroups", "%s", host_cgroup_mode_name(p->cgroups));
	row("bpffs", "%s", p->bpffs ? "mounted" : "not mounted (not needed)");
	row("tracefs", "%s", p->tracefs ? "mounted" : "not mounted");
}

static void print_dangers(const struct host_kernel *k)
{
	const struct host_danger *table;
	bool any = false;
	size_t n;

	table = host_danger_table(&n);
	for (size_t i = 0; i < n; i++) {
		if (!host_danger_applies(&table[i], k))
			continue;
		if (!any)
			section("Refused on this kernel, unless allowed by allow-unsafe in "
				"[sampler]");
		any = true;
		row(table[i].what, "%s", table[i].reason);
	}
}

static void print_verdict(const struct host_assessment *a)
{
	printf("\nVerdict: %s\n", host_verdict_name(a->verdict));
	for (size_t i = 0; i < a->n_losses; i++)
		printf("  %s %s\n", a->losses[i].kind == HOST_LOSS_OPTION ? "(option)" : "-",
		       a->losses[i].what);
}

void check_print_table(const struct host_facts *f, const struct trial *t,
		       const struct host_assessment *a)
{
	printf("ebpf-profiler %s: what this host can do\n", VERSION);
	print_machine(f);
	print_btf(f);
	print_features(f);
	print_trial(f, t);
	print_privileges(&f->privilege);
	print_dangers(&f->kernel);
	print_verdict(a);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static void json_number(struct json *j, const char *key, int64_t value)
{
	if (value == HOST_UNKNOWN)
		json_string(j, key, NULL);
	else
		json_int(j, key, value);
}

static void json_machine(struct json *j, const struct host_facts *f)
{
	char version[40];

	snprintf(version, sizeof(version), "%u.%u.%u", f->kernel.major, f->kernel.minor,
		 f->kernel.patch);
	json_open_object(j, "kernel");
	json_string(j, "release", f->kernel.release);
	json_string(j, "version", version);
	json_bool(j, "patch_known", f->kernel.patch_known);
	json_bool(j, "realtime", f->kernel.realtime);
	json_string(j, "machine", f->kernel.machine);
	json_string(j, "distribution", f->distribution);
	json_string(j, "class_by_version",
		    host_core_level_name(host_kernel_core_level(&f->kernel)));
	json_close_object(j);
	json_open_object(j, "machine");
	json_bool(j, "virtualised", f->virt.virtualised);
	json_string(j, "technology", f->virt.technology);
	json_string(j, "evidence", f->virt.evidence);
	json_string(j, "core_pmus", f->core_pmus);
	json_close_object(j);
}

static void json_btf(struct json *j, const struct host_facts *f)
{
	json_open_object(j, "btf");
	json_string(j, "found", host_btf_kind_name(f->btf.kind));
	json_string(j, "path", f->btf.path);
	json_uint(j, "types", f->btf.types);
	json_string(j, "tried", f->btf.tried);
	json_string(j, "core", host_core_level_name(host_facts_core_level(f)));
	json_close_object(j);
}

static void json_features(struct json *j, const struct host_features *f)
{
	json_open_object(j, "features");
	for (size_t i = 0; i < HOST_FEATURES; i++) {
		json_open_object(j, host_feature_info(i)->name);
		json_bool(j, "available", host_has(f, i));
		json_string(j, "error", host_has(f, i) ? NULL : strerror(-f->error[i]));
		json_close_object(j);
	}
	json_close_object(j);
}

static void json_trial(struct json *j, const struct host_facts *f, const struct trial *t)
{
	json_open_object(j, "sampler");
	json_bool(j, "attached", t->attach != NULL);
	json_string(j, "attach", t->attach);
	json_string(j, "transport", t->transport);
	json_double(j, "milliseconds", t->milliseconds);
	json_string(j, "error", f->sampler_error);
	json_bool(j, "lbr", !t->no_branches);
	json_string(j, "lbr_error", t->no_branches);
	json_close_object(j);
}

static void json_privileges(struct json *j, const struct host_privilege *p)
{
	char text[1024];

	json_open_object(j, "privileges");
	json_uint(j, "uid", p->uid);
	json_string(j, "capabilities", host_privilege_names(p, text, sizeof(text)));
	json_bool(j, "user_namespace", p->user_namespace);
	json_bool(j, "pid_namespace", p->pid_namespace);
	json_number(j, "perf_event_paranoid", p->perf_event_paranoid);
	json_number(j, "perf_event_max_sample_rate", p->perf_event_max_sample_rate);
	json_number(j, "perf_event_mlock_kb", p->perf_event_mlock_kb);
	json_number(j, "perf_event_max_stack", p->perf_event_max_stack);
	json_number(j, "kptr_restrict", p->kptr_restrict);
	json_number(j, "unprivileged_bpf_disabled", p->unprivileged_bpf_disabled);
	json_number(j, "nmi_watchdog", p->nmi_watchdog);
	json_bool(j, "kallsyms", p->kallsyms);
	if (p->memlock_bytes == UINT64_MAX)
		json_string(j, "memlock_bytes", NULL);
	else
		json_uint(j, "memlock_bytes", p->memlock_bytes);
	json_string(j, "lockdown", host_lockdown_name(p->lockdown));
	json_string(j, "lsm", p->lsm);
	json_int(j, "seccomp", p->seccomp);
	json_bool(j, "no_new_privileges", p->no_new_privileges);
	json_string(j, "cgroups", host_cgroup_mode_name(p->cgroups));
	json_bool(j, "bpffs", p->bpffs);
	json_bool(j, "tracefs", p->tracefs);
	json_close_object(j);
}

static void json_dangers(struct json *j, const struct host_kernel *k)
{
	const struct host_danger *table;
	size_t n;

	table = host_danger_table(&n);
	json_open_array(j, "refused");
	for (size_t i = 0; i < n; i++) {
		if (!host_danger_applies(&table[i], k))
			continue;
		json_open_object(j, NULL);
		json_string(j, "what", table[i].what);
		json_string(j, "reason", table[i].reason);
		json_string(j, "instead", table[i].instead);
		json_close_object(j);
	}
	json_close_array(j);
}

static void json_losses(struct json *j, const struct host_assessment *a)
{
	static const char *const kinds[] = {
		[HOST_LOSS_PRIVILEGE] = "privilege",
		[HOST_LOSS_KERNEL] = "kernel",
		[HOST_LOSS_PART] = "part",
		[HOST_LOSS_OPTION] = "option",
	};

	json_open_array(j, "lost");
	for (size_t i = 0; i < a->n_losses; i++) {
		json_open_object(j, NULL);
		json_string(j, "kind", kinds[a->losses[i].kind]);
		json_string(j, "what", a->losses[i].what);
		json_close_object(j);
	}
	json_close_array(j);
}

int check_print_json(const struct host_facts *f, const struct trial *t,
		     const struct host_assessment *a, int exit_code)
{
	_cleanup_(buffer_donep) struct buffer out = { 0 };
	struct json j;

	json_init(&j, &out, true);
	json_open_object(&j, NULL);
	json_string(&j, "verdict", host_verdict_name(a->verdict));
	json_int(&j, "exit_code", exit_code);
	json_losses(&j, a);
	json_machine(&j, f);
	json_btf(&j, f);
	json_features(&j, &f->features);
	json_trial(&j, f, t);
	json_privileges(&j, &f->privilege);
	json_dangers(&j, &f->kernel);
	json_close_object(&j);
	if (out.error)
		return out.error;
	fwrite(out.data, 1, out.size, stdout);
	return 0;
}
