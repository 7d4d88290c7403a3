// SPDX-License-Identifier: Apache-2.0
#include "host/virt.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "host/text_file.h"
#include "util/cleanup.h"

static void found(struct host_virt *v, const char *technology, const char *where, const char *what)
{
	v->virtualised = true;
	snprintf(v->technology, sizeof(v->technology), "%s", technology);
	snprintf(v->evidence, sizeof(v->evidence), "%s: %.80s", where, what);
}

/* The first processor's flags hold "hypervisor". */
static bool cpuinfo_says_hypervisor(const char *root)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	char path[PATH_MAX];
	size_t size = 0;

	snprintf(path, sizeof(path), "%s/proc/cpuinfo", root ? root : "");
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0)
		if (strncmp(line, "flags", 5) == 0)
			return strstr(line, " hypervisor ") || strstr(line, " hypervisor\n");
	return false;
}

/* The signature a hypervisor shows in cpuid leaf 0x40000000. */
static const char *cpuid_technology(void)
{
#if defined(__x86_64__)
	static const struct {
		const char *signature, *technology;
	} hypervisors[] = {
		{ "KVMKVMKVM", "kvm" },	      { "Linux KVM Hv", "kvm" },
		{ "TCGTCGTCGTCG", "qemu" },   { "Microsoft Hv", "hyper-v" },
		{ "VMwareVMware", "vmware" }, { "XenVMMXenVMM", "xen" },
		{ "bhyve bhyve ", "bhyve" },  { "VBoxVBoxVBox", "virtualbox" },
	};
	unsigned int eax, part[3];
	char text[13] = "";

	__cpuid(0x40000000, eax, part[0], part[1], part[2]);
	memcpy(text, part, sizeof(part));
	for (size_t i = 0; eax && i < ARRAY_SIZE(hypervisors); i++)
		if (strcmp(text, hypervisors[i].signature) == 0)
			return hypervisors[i].technology;
#endif
	return "unknown";
}

/*
 * `sure`: hardware never says so. The others are clouds and vendors that sell machines as well;
 * they count where no cpuid can be asked, and not when the product is a metal one.
 */
static const struct vendor {
	const char *file, *text, *technology;
	bool sure;
} vendors[] = {
	{ "product_name", "KVM", "kvm", true },
	{ "sys_vendor", "QEMU", "qemu", true },
	{ "bios_vendor", "SeaBIOS", "qemu", true },
	{ "product_name", "VirtualBox", "virtualbox", true },
	{ "sys_vendor", "innotek GmbH", "virtualbox", true },
	{ "product_name", "VMware", "vmware", true },
	{ "product_name", "HVM domU", "xen", true },
	{ "product_name", "Virtual Machine", "hyper-v", true },
	{ "product_name", "Parallels", "parallels", true },
	{ "sys_vendor", "Bochs", "bochs", true },
	{ "bios_vendor", "BHYVE", "bhyve", true },
	{ "product_name", "Google Compute Engine", "kvm", false },
	{ "sys_vendor", "Amazon EC2", "amazon", false },
	{ "sys_vendor", "Alibaba Cloud", "kvm", false },
	{ "sys_vendor", "OpenStack", "kvm", false },
};

static bool read_dmi(const char *root, const char *file, char *out, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/dmi/id/%s", file);
	return text_file_read(root, path, out, size) == 0;
}

static const struct vendor *dmi_vendor(const char *root, bool sure_only, char *text, size_t size)
{
	char product[128] = "";

	read_dmi(root, "product_name", product, sizeof(product));
	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++) {
		if (!vendors[i].sure && (sure_only || strstr(product, "metal")))
			continue;
		if (read_dmi(root, vendors[i].file, text, size) && strstr(text, vendors[i].text))
			return &vendors[i];
	}
	return NULL;
}

/* /sys/hypervisor/type is Xen's; its dom0 is the host, but the PMU belongs to the hypervisor. */
static bool from_sys_hypervisor(const char *root, struct host_virt *v)
{
	char type[32], text[64];

	if (text_file_read(root, "/sys/hypervisor/type", type, sizeof(type)) < 0)
		return false;
	if (text_file_read(root, "/proc/xen/capabilities", text, sizeof(text)) == 0 &&
	    strstr(text, "control_d"))
		found(v, "xen dom0", "/proc/xen/capabilities", text);
	else
		found(v, type, "/sys/hypervisor/type", type);
	return true;
}

/* Device tree of arm and riscv guests. */
static bool from_device_tree(const char *root, struct host_virt *v)
{
	char text[64];

	if (text_file_read(root, "/proc/device-tree/hypervisor/compatible", text, sizeof(text)) ==
	    0) {
		found(v,
		      strstr(text, "xen")   ? "xen"
		      : strstr(text, "kvm") ? "kvm"
					    : "unknown",
		      "/proc/device-tree/hypervisor/compatible", text);
		return true;
	}
	if (text_file_read(root, "/proc/device-tree/compatible", text, sizeof(text)) == 0 &&
	    (strstr(text, "linux,dummy-virt") || strstr(text, "riscv-virtio"))) {
		found(v, "qemu", "/proc/device-tree/compatible", text);
		return true;
	}
	return false;
}

void host_virt_read(const char *root, const char *machine, struct host_virt *ret)
{
	bool x86 = strcmp(machine, "x86_64") == 0 || strncmp(machine, "i", 1) == 0;
	const struct vendor *vendor;
	char text[128] = "";

	*ret = (struct host_virt){ 0 };
	if (from_sys_hypervisor(root, ret) || from_device_tree(root, ret))
		return;
	if (cpuinfo_says_hypervisor(root)) {
		vendor = dmi_vendor(root, false, text, sizeof(text));
		found(ret,
		      vendor	      ? vendor->technology
		      : root && *root ? "unknown"
				      : cpuid_technology(),
		      "/proc/cpuinfo", "hypervisor flag");
		return;
	}
	vendor = dmi_vendor(root, x86, text, sizeof(text));
	if (vendor)
		found(ret, vendor->technology, "DMI", text);
}

/* Heterogeneous and arm core PMUs list their CPUs in `cpus`; uncore ones have a `cpumask`. */
static bool is_core_pmu(const char *root, const char *name)
{
	char path[PATH_MAX];

	if (strcmp(name, "cpu") == 0 || strcmp(name, "cpum_cf") == 0)
		return true;
	if (strncmp(name, "arm_spe", 7) == 0)
		return false;
	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/cpus", name);
	return text_file_exists(root, path);
}

char *host_virt_core_pmus(const char *root, char *out, size_t size)
{
	struct dirent **entries;
	char path[PATH_MAX];
	size_t used = 0;
	int n;

	out[0] = 0;
	snprintf(path, sizeof(path), "%s/sys/bus/event_source/devices", root ? root : "");
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.' && used < size &&
		    is_core_pmu(root, entries[i]->d_name))
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "," : "",
						 entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return out;
}
