/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "collect/hardware_tree.h"
#include "util/json.h"

/* The present columns of the node's row as members of a JSON object that is open. */
void hardware_put_attributes(struct json *j, const struct hardware_node *n);
