// SPDX-License-Identifier: Apache-2.0
#include "cmd/collector_keys.h"

#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "engine/config_keys.h"

static const struct config_key *find_key(const char *name, size_t size)
{
	const struct config_key *keys;
	size_t n;

	keys = config_keys(&n);
	for (size_t i = 0; i < n; i++)
		if (config_key_scope(&keys[i]) == CONFIG_SCOPE_COLLECTOR &&
		    strlen(keys[i].name) == size && memcmp(keys[i].name, name, size) == 0)
			return &keys[i];
	return NULL;
}

int collector_key_set(struct collector_config *c, const char *command, const char *name,
		      size_t size, const char *value)
{
	_cleanup_(buffer_donep) struct buffer allowed = {};
	const struct config_key *k = find_key(name, size);

	if (!k) {
		fprintf(stderr, "ebpf-profiler %s: collectors have no key '%.*s'\n", command,
			(int)size, name);
		return EXIT_USAGE;
	}
	if (k->type->list)
		k->type->done(config_key_field(k, c));
	if (k->type->parse(k, value, config_key_field(k, c)) >= 0)
		return 0;
	k->type->allowed(k, &allowed);
	fprintf(stderr, "ebpf-profiler %s: '%.*s=%s' is not possible; allowed is %.*s\n", command,
		(int)size, name, value, (int)allowed.size, (const char *)allowed.data);
	return EXIT_USAGE;
}

int collector_interval_set(struct collector_config *c, const char *command, const char *text)
{
	char ms[32];

	if (text[strspn(text, "0123456789")] == 0)
		snprintf(ms, sizeof(ms), "%.20sms", text);
	else
		snprintf(ms, sizeof(ms), "%.20s", text);
	return collector_key_set(c, command, "interval", strlen("interval"), ms);
}
