/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The types of configuration values, for the table of keys. */
#include "engine/config_keys.h"

extern const struct value_type type_bool;
extern const struct value_type type_uint; /* unsigned int, or an int that is never negative */
extern const struct value_type type_u64;
extern const struct value_type type_size;
extern const struct value_type type_ring_size; /* rounded up to a power of two */
extern const struct value_type type_duration;
extern const struct value_type type_percent; /* double */
extern const struct value_type type_mode; /* unsigned int, permissions in octal */
extern const struct value_type type_choice; /* enum, by the key's words */
extern const struct value_type type_text; /* char *, may be "" when the key has a `zero` */
extern const struct value_type type_optional; /* char *, NULL when empty */
extern const struct value_type type_list; /* NULL-terminated char **, NULL when empty */
extern const struct value_type type_events; /* char *, comma separated specs, never empty */
