// SPDX-License-Identifier: Apache-2.0
/* Pressure of a control group: v2 only, and on a kernel that measures it. */
#include <stdio.h>

#include "collect/cgroup_parts.h"
#include "collect/pressure.h"

static void put_line(const struct cgroup_part *p, const char *resource,
		     const struct pressure_line *l)
{
	cgroup_add_row(p, CGROUP_TABLE_PRESSURE);
	rows_string(p->rows, CGROUP_PSI_RESOURCE, resource);
	rows_text(p->rows, CGROUP_PSI_SCOPE, l->scope.data, l->scope.size);
	for (unsigned int i = 0; i < ARRAY_SIZE(l->averages); i++)
		rows_real(p->rows, CGROUP_PSI_AVG10 + i, l->averages[i]);
	if (l->has_total)
		rows_unsigned(p->rows, CGROUP_PSI_WAITED, l->total_us);
	if (rates_fill(p->rates, p->rows))
		pressure_put_share(p->rows, CGROUP_PSI_PERCENT, CGROUP_PSI_DELTA,
				   CGROUP_PSI_INTERVAL, CGROUP_PSI_RESET);
}

void cgroup_pressure_read(const struct cgroup_part *p)
{
	static const char *const resources[] = { "cpu", "memory", "io", "irq" };

	for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
		struct pressure_line l;
		struct scan s, line;
		char file[32];

		snprintf(file, sizeof(file), "%s.pressure", resources[i]);
		if (cgroups_read(p->groups, CGROUP_PRESSURE, file) < 0)
			continue;
		s = scan_buffer(&p->groups->roots->text);
		while (scan_line(&s, &line))
			if (pressure_line_parse(line, &l))
				put_line(p, resources[i], &l);
			else
				rows_problem(p->rows, "%s of %s: a line is not what a kernel writes",
					     file, p->group->path);
	}
}
