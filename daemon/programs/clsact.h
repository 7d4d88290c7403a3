/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The clsact qdisc of an interface, which filters of traffic control hang on. One that we made is
 * marked by a directory clsact-NAMESPACE-INTERFACE beside the objects of program_store.h, and goes
 * with the last filter, so that the interface is as it was before.
 *
 * `object` is the directory of an object, `interface` an index in our network namespace.
 */

/* Makes it where there is none. A negative errno: the interface takes no filters. */
int clsact_take(const char *object, unsigned int interface);
/*
 * To be called when a filter of ours is gone. One that we made is removed when nothing hangs on it;
 * when only filters of others do, it is theirs from now on.
 */
void clsact_leave(const char *object, unsigned int interface);
