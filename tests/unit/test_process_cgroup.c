// SPDX-License-Identifier: Apache-2.0
// Cgroup paths of every manager give their unit and container, and nothing else does.
#include "process/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/cleanup.h"

#define ID "4f1f5bd0c6e8a97a3d51c1a8b40f6f0e2c4d7a9b8e3f5061728394a5b6c7d8e9"
#define ID2 "aaaaaaaaaaaabbbbbbbbbbbbccccccccccccddddddddddddeeeeeeeeeeeeffff"
#define POD "pod3f2b8a7c_1d2e_4f50_8a9b_0c1d2e3f4a5b"

static bool is(struct span s, const char *text)
{
	return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

// The innermost unit, and the innermost container, of each kind of path.
static void test_paths(void **state)
{
	static const struct {
		int line;
		const char *path, *unit, *container;
	} rows[] = {
		/* systemd */
		{ __LINE__, "/", "", "" },
		{ __LINE__, "", "", "" },
		{ __LINE__, "/init.scope", "init.scope", "" },
		{ __LINE__, "/system.slice", "system.slice", "" },
		{ __LINE__, "/system.slice/cron.service", "cron.service", "" },
		{ __LINE__, "/system.slice/cron.service/", "cron.service", "" },
		{ __LINE__, "/system.slice/cron.service/sub/leaf", "cron.service", "" },
		{ __LINE__, "/system.slice/system-getty.slice/getty@tty1.service",
		  "getty@tty1.service", "" },
		{ __LINE__, "/system.slice/a.socket", "a.socket", "" },
		{ __LINE__, "/system.slice/var-lib.mount", "var-lib.mount", "" },
		{ __LINE__, "/system.slice/dev-vda2.swap", "dev-vda2.swap", "" },
		{ __LINE__, "/system.slice/_cpu.service", "cpu.service", "" },
		{ __LINE__, "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service",
		  "foo.service", "" },
		{ __LINE__, "/user.slice/user-1000.slice/user@1000.service/app.slice",
		  "user@1000.service", "" },
		{ __LINE__, "/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "" },
		{ __LINE__, "/a.slice/.service/x", "a.slice", "" },
		{ __LINE__, "/a.slice/.service", "a.slice", "" },
		{ __LINE__, "/a.slice/b.target", "a.slice", "" },
		/* docker */
		{ __LINE__, "/docker/" ID, "", ID },
		{ __LINE__, "/docker/0123456789ab", "", "0123456789ab" },
		{ __LINE__, "/docker/0123456789a", "", "" },
		{ __LINE__, "/docker/0123456789xy", "", "" },
		{ __LINE__, "/docker/" ID "/init.scope", "init.scope", ID },
		{ __LINE__, "/docker/" ID "/docker/" ID2, "", ID2 },
		{ __LINE__, "/system.slice/docker-" ID ".scope", "docker-" ID ".scope", ID },
		{ __LINE__, "/system.slice/docker-" ID ".scope/system.slice/nginx.service",
		  "nginx.service", ID },
		{ __LINE__, "/system.slice/docker.service", "docker.service", "" },
		{ __LINE__, "/system.slice/docker-deadbeef.scope", "docker-deadbeef.scope", "" },
		/* podman */
		{ __LINE__, "/machine.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope",
		  ID },
		{ __LINE__, "/machine.slice/libpod-conmon-" ID ".scope",
		  "libpod-conmon-" ID ".scope", "" },
		{ __LINE__,
		  "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
		  "libpod-" ID ".scope", ID },
		{ __LINE__, "/libpod_parent/" ID, "", ID },
		{ __LINE__, "/a.service/libpod-payload-" ID, "a.service", ID },
		/* kubernetes: containerd, cri-o, docker; systemd and cgroupfs drivers */
		{ __LINE__,
		  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-" POD
		  ".slice/cri-containerd-" ID ".scope",
		  "cri-containerd-" ID ".scope", ID },
		{ __LINE__, "/kubepods.slice/kubepods-" POD ".slice/crio-" ID ".scope",
		  "crio-" ID ".scope", ID },
		{ __LINE__, "/kubepods.slice/kubepods-" POD ".slice/crio-conmon-" ID ".scope",
		  "crio-conmon-" ID ".scope", "" },
		{ __LINE__, "/kubepods/besteffort/" POD "/" ID, "", ID },
		{ __LINE__, "/kubepods/besteffort/pod1/0123456789abcdef", "", "0123456789abcdef" },
		{ __LINE__, "/kubepods/besteffort/" POD, "", "" },
		{ __LINE__,
		  "/system.slice/containerd.service/kubepods-burstable-" POD
		  ".slice:cri-containerd:" ID,
		  "containerd.service", ID },
		{ __LINE__, "/x.slice:cri-containerd:", "", "" },
		{ __LINE__, "/x.slice:cri-containerd:.scope", "x.slice:cri-containerd:.scope", "" },
		{ __LINE__, "/default/" ID, "", ID },
		{ __LINE__, "/ecs/0123456789abcdef0123456789abcdef/" ID, "", ID },
		{ __LINE__, "/batch/98997ffb453dc462885855bd4b97dd7c", "", "" },
		{ __LINE__, "/x/" ID "0", "", "" },
		/* lxc, nspawn, virtual machines */
		{ __LINE__, "/lxc/web-1", "", "web-1" },
		{ __LINE__, "/lxc.payload/web-1/system.slice/a.service", "a.service", "web-1" },
		{ __LINE__, "/lxc.payload.web-1/init.scope", "init.scope", "web-1" },
		{ __LINE__, "/lxc.monitor.web-1", "", "" },
		{ __LINE__, "/lxc", "", "" },
		{ __LINE__, "/machine.slice/machine-debian\\x2d12.scope",
		  "machine-debian\\x2d12.scope", "debian\\x2d12" },
		{ __LINE__, "/machine.slice/systemd-nspawn@web.service/payload/init.scope",
		  "init.scope", "web" },
		{ __LINE__, "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
		  "machine-qemu\\x2d1\\x2dvm.scope", "" },
		/* hostile names, and paths above the root of a cgroup namespace */
		{ __LINE__, "/\x1b[2J.service/\xff", "\x1b[2J.service", "" },
		{ __LINE__, "/../../docker/" ID, "", ID },
		{ __LINE__, "//docker//" ID "//", "", ID },
		{ __LINE__, "docker/" ID, "", ID },
		{ __LINE__, "/a;b 'c'.scope", "a;b 'c'.scope", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!is(cgroup_unit(rows[i].path), rows[i].unit) ||
		    !is(cgroup_container(rows[i].path), rows[i].container))
			fail_msg("row of line %d", rows[i].line);
}

// The path that tells most is taken from pure, hybrid and legacy hierarchies.
static void test_file(void **state)
{
	static const struct {
		int line;
		const char *text, *path; /* NULL: no line makes sense */
		bool unified;
	} rows[] = {
		{ __LINE__, "0::/system.slice/a.service\n", "/system.slice/a.service", true },
		{ __LINE__, "0::/\n", "/", true },
		{ __LINE__, "0::/a (deleted)\n", "/a", true },
		{ __LINE__, "0::/a:b:c\n", "/a:b:c", true },
		{ __LINE__, "0::/../b\n", "/../b", true },
		/* hybrid: systemd's own hierarchy decides */
		{ __LINE__, "5:cpu:/x\n1:name=systemd:/docker/1\n0::/system.slice/c.service\n",
		  "/docker/1", false },
		{ __LINE__, "1:name=systemd:/\n5:cpu:/x\n0::/u\n", "/u", false },
		{ __LINE__, "9:name=systemd:/\n8:pids:/\n4:memory:/api/9\n1:cpu:/\n0::/\n",
		  "/api/9", false },
		{ __LINE__, "4:memory:/\n0::/\n", "/", false },
		/* v1 alone */
		{ __LINE__, "5:cpu,cpuacct:/a\n4:memory:/a/b\n3:pids:/\n", "/a/b", false },
		{ __LINE__, "1:name=systemd:/\n", "/", false },
		{ __LINE__, "1:name=elogind:/4\n", "/4", false },
		/* damage */
		{ __LINE__, "", NULL, false },
		{ __LINE__, "\n\n", NULL, false },
		{ __LINE__, "0::/a", NULL, false },
		{ __LINE__, "0:\n0::\n0::relative\n:::\n", NULL, false },
		{ __LINE__, "0::relative\n0::/b\n", "/b", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t size = strlen(rows[i].text);
		_cleanup_free_ char *copy = malloc(size ?: 1);
		struct cgroup_file file;
		bool found;

		memcpy(copy, rows[i].text, size);
		found = cgroup_parse_file(copy, size, &file);
		if (found != !!rows[i].path)
			fail_msg("row of line %d", rows[i].line);
		if (found && (!is(file.path, rows[i].path) || file.unified != rows[i].unified))
			fail_msg("row of line %d", rows[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
