/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a profile says about the host it came from.
 */
#include "profile/recorder.h"

int facts_add(struct recorder *r);
