// SPDX-License-Identifier: Apache-2.0
/*
 * What a virtual machine does not have: sensors, frequencies, throttling, memory and machine check
 * errors, from trees as servers have them; and trees as they should not be.
 */
#include <errno.h>

#include "collect_fixture.h"

static void has_line(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	if (!found || (found != text && found[-1] != '\n'))
		fail_msg("'%s' is not in:\n%s", line, text);
}

/* Whether it can work, and when it cannot, why. */
static void probed(struct tree *t, const char *name, const char *reason)
{
	const struct collector *c = collector_find(name);
	_cleanup_free_ char *why = NULL;

	assert_int_equal(c->probe(&t->settings, &why) == 0, reason == NULL);
	if (reason && !strstr(why, reason))
		fail_msg("%s says: %s", name, why);
}

static void test_temperature(void **state)
{
	_cleanup_free_ char *text = NULL, *broken = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	probed(&t, "temperature", "shows no sensors");
	tree_put(&t, "sys/class/hwmon/hwmon2/name", "coretemp\n");
	tree_put(&t, "sys/class/hwmon/hwmon2/temp1_input", "45000\n");
	tree_put(&t, "sys/class/hwmon/hwmon2/temp1_label", "Package id 0\n");
	tree_put(&t, "sys/class/hwmon/hwmon2/temp1_max", "80000\n");
	tree_put(&t, "sys/class/hwmon/hwmon2/temp1_crit", "100000\n");
	tree_put(&t, "sys/class/hwmon/hwmon2/temp12_input", "-1500\n");
	tree_put(&t, "sys/class/hwmon/hwmon2/temp1_input_x", "5\n");
	tree_put(&t, "sys/class/hwmon/hwmon2/fan1_input", "1200\n");
	tree_put(&t, "sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
	tree_put(&t, "sys/class/thermal/thermal_zone0/temp", "46123\n");
	tree_put(&t, "sys/class/thermal/cooling_device0/type", "Processor\n");
	probed(&t, "temperature", NULL);
	tree_open(&t, "temperature");
	text = tree_read(&t);
	has_line(text, "temperature sensor=hwmon2/temp1 chip=coretemp label=\"Package id 0\" "
		       "temperature=45celsius "
		       "high=80celsius critical=100celsius\n");
	has_line(text, "temperature sensor=hwmon2/temp12 chip=coretemp temperature=-1.5celsius\n");
	has_line(text,
		 "temperature sensor=thermal_zone0 chip=x86_pkg_temp temperature=46.123celsius\n");
	assert_int_equal(t.missing + t.problems, 0);
	assert_null(strstr(text, "fan"));
	/* A sensor that gives no temperature has no row, whatever it gives. */
	tree_put(&t, "sys/class/hwmon/hwmon2/temp1_input", "");
	tree_put(&t, "sys/class/hwmon/hwmon2/temp12_input", "-400000\n");
	tree_put(&t, "sys/class/thermal/thermal_zone0/temp", "hot\n");
	broken = tree_read(&t);
	assert_string_equal(broken, "");
	assert_int_equal(t.missing, 3);
	tree_done(&t);
}

static void test_cpufreq(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	probed(&t, "cpufreq", "does not set the CPUs' frequencies");
#define POLICY "sys/devices/system/cpu/cpufreq/policy0/"
	tree_put(&t, POLICY "affected_cpus", "0 1\n");
	tree_put(&t, POLICY "scaling_governor", "schedutil\n");
	tree_put(&t, POLICY "scaling_driver", "acpi-cpufreq\n");
	tree_put(&t, POLICY "scaling_cur_freq", "2200000\n");
	tree_put(&t, POLICY "scaling_min_freq", "1500000\n");
	tree_put(&t, POLICY "scaling_max_freq", "3600000\n");
	tree_put(&t, POLICY "cpuinfo_min_freq", "800000\n");
	tree_put(&t, POLICY "cpuinfo_max_freq", "18446744073709551615\n");
	/* The driver does not know, as the kernel then says. */
	tree_put(&t, "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq", "<unknown>\n");
	tree_put(&t, "sys/devices/system/cpu/cpufreq/boost", "1\n");
	tree_put(&t, "sys/devices/system/cpu/cpufreq/policyX/scaling_cur_freq", "1\n");
	probed(&t, "cpufreq", NULL);
	tree_open(&t, "cpufreq");
	text = tree_read(&t);
	has_line(text,
		 "cpufreq policy=0 cpus=\"0 1\" governor=schedutil driver=acpi-cpufreq "
		 "frequency=2200000000hz "
		 "lowest_allowed=1500000000hz highest_allowed=3600000000hz lowest=800000000hz\n");
	has_line(text, "cpufreq policy=4\n");
	assert_null(strstr(strstr(strstr(text, "cpufreq") + 1, "cpufreq policy") + 1,
			   "cpufreq policy"));
	tree_done(&t);
}

static void put_throttling(struct tree *t, const char *core, const char *package)
{
	tree_put(t, "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", core);
	tree_put(t, "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", package);
}

static void test_throttling(void **state)
{
	_cleanup_free_ char *first = NULL, *second = NULL, *reset = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	probed(&t, "thermal_throttle", "does not count");
	put_throttling(&t, "5\n", "7\n");
	tree_put(&t, "sys/devices/system/cpu/cpu1/topology/core_id", "0\n");
	tree_put(&t, "sys/devices/system/cpu/cpufreq/x", "0\n");
	probed(&t, "thermal_throttle", NULL);
	tree_open(&t, "thermal_throttle");
	first = tree_read(&t);
	assert_string_equal(first, "thermal_throttle cpu=0 core=5 package=7\n");
	put_throttling(&t, "9\n", "seven\n");
	tree_put(&t, "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_total_time_ms",
		 "30\n");
	second = tree_read(&t);
	has_line(second, "thermal_throttle cpu=0 core=9 core_time=30ms core_delta=4 core_rate=4/s");
	put_throttling(&t, "1\n", "8\n");
	reset = tree_read(&t);
	has_line(reset, "thermal_throttle cpu=0 core=1 package=8 core_time=30ms core_delta=0");
	assert_non_null(strstr(reset, "reset=1"));
	tree_done(&t);
}

static void test_memory_errors(void **state)
{
	_cleanup_free_ char *first = NULL, *second = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	probed(&t, "edac", "no driver reports errors");
#define CONTROLLER "sys/devices/system/edac/mc/mc0/"
	tree_put(&t, CONTROLLER "mc_name", "Skylake Socket#0 IMC#0\n");
	tree_put(&t, CONTROLLER "ce_count", "3\n");
	tree_put(&t, CONTROLLER "ue_count", "0\n");
	tree_put(&t, CONTROLLER "dimm0/dimm_label", "CPU_SrcID#0_MC#0_Chan#0_DIMM#0\n");
	tree_put(&t, CONTROLLER "dimm0/dimm_ce_count", "3\n");
	tree_put(&t, CONTROLLER "dimm0/dimm_ue_count", "0\n");
	/* As kernels before 3.6 have them. */
	tree_put(&t, CONTROLLER "csrow1/ch0_dimm_label", "DIMM_B1\n");
	tree_put(&t, CONTROLLER "csrow1/ce_count", "many\n");
	tree_put(&t, CONTROLLER "csrow1/ue_count", "1\n");
	tree_put(&t, CONTROLLER "csrow2/size_mb", "0\n");
	tree_put(&t, "sys/devices/system/edac/mc/power/unused", "");
	probed(&t, "edac", NULL);
	tree_open(&t, "edac");
	first = tree_read(&t);
	has_line(first,
		 "edac place=mc0 label=\"Skylake Socket#0 IMC#0\" corrected=3 uncorrected=0\n");
	has_line(first, "edac place=mc0/dimm0 label=CPU_SrcID#0_MC#0_Chan#0_DIMM#0 corrected=3 "
			"uncorrected=0\n");
	has_line(first, "edac place=mc0/csrow1 label=DIMM_B1 uncorrected=1\n");
	assert_null(strstr(first, "csrow2"));
	tree_put(&t, CONTROLLER "dimm0/dimm_ce_count", "5\n");
	second = tree_read(&t);
	has_line(second, "edac place=mc0/dimm0 label=CPU_SrcID#0_MC#0_Chan#0_DIMM#0 corrected=5 "
			 "uncorrected=0 "
			 "corrected_delta=2 uncorrected_delta=0 corrected_rate=2/s");
	tree_done(&t);
}

static void test_machine_checks(void **state)
{
	_cleanup_free_ char *text = NULL, *overflow = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_put(&t, "proc/interrupts",
		 "           CPU0       CPU1\n LOC:  5  6   Local timer interrupts\n");
	probed(&t, "machine_check", "counts no machine checks");
	tree_put(&t, "proc/interrupts",
		 "           CPU0       CPU1\n"
		 " TRM:          2          1   Thermal event interrupts\n"
		 " THR:          0          0   Threshold APIC interrupts\n"
		 " DFR:          0          4   Deferred Error APIC interrupts\n"
		 " MCE:          1          0   Machine check exceptions\n"
		 " MCP:         60         61   Machine check polls\n");
	probed(&t, "machine_check", NULL);
	tree_open(&t, "machine_check");
	text = tree_read(&t);
	assert_string_equal(
		text, "machine_check exceptions=1 polls=121 threshold=0 thermal=3 deferred=4\n");
	tree_put(&t, "proc/interrupts", " MCE: 18446744073709551615 1\n MCP: 7\n");
	overflow = tree_read(&t);
	has_line(overflow, "machine_check polls=7");
	tree_put(&t, "proc/interrupts", "nothing\n");
	free(tree_read(&t));
	assert_int_equal(t.result, -ENODATA);
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_temperature),    cmocka_unit_test(test_cpufreq),
		cmocka_unit_test(test_throttling),     cmocka_unit_test(test_memory_errors),
		cmocka_unit_test(test_machine_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
