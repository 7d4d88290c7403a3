/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * MESSAGE_IDs of what an operator acts on. Each has an entry with cause and remedy in
 * systemd/ebpf-profiler.catalog ('journalctl -x' shows it); log_msg() takes one as `id`.
 */

#define MESSAGE_STARTED "567bc437892e4265a7a4d99ae9dd22c1"
#define MESSAGE_STOPPED "769c59eb3ef74583b4ecb5eb236188d4"
#define MESSAGE_EVENT_REPLACED "5b65e3212e794df3acdfdb02f5cdfc39"
#define MESSAGE_EVENT_UNAVAILABLE "5bda317eeb7d449f921d59a3c73b1b5a"
#define MESSAGE_WRITING_SUSPENDED "0692b9e58b4f40cba01fada20c89162a"
#define MESSAGE_WRITING_RESUMED "dfad334d4aea4badb38365823a3c48b1"
#define MESSAGE_SAMPLES_LOST "4e5ae749e0864ce296ee83ee8becfa12"
#define MESSAGE_RATE_LOWERED "b3f09bb57e9e4c76bb03843eca18e18c" /* by the CPU budget */
#define MESSAGE_RATE_RESTORED "a08ac60210af4768a7268f2ce4dca844"
#define MESSAGE_MAX_SAMPLE_RATE_LOWERED "69c15203467842beb0cab0c14f2317df" /* by the kernel */
#define MESSAGE_RELOADED "2ce7d76b7e6b4256bad2b4f50516056d"
#define MESSAGE_RELOAD_FAILED "dfbdd52b45d5448a922835ed26c221b0"
#define MESSAGE_CPU_OFFLINE "2d2010b528d249adb76fb170fc5c5518"
#define MESSAGE_CPU_ONLINE "0aac2933dc134b68ad20c248864f7766"
#define MESSAGE_CANNOT_START "973be71f7a1c4affa2dabfe1ac1ec515"
#define MESSAGE_COLLECTOR_FAILED "c5be2d1ce3bb436ba6c5728ce03db4b2"
#define MESSAGE_COUNTERS_GIVEN_UP "56c429b2fe62465089b40803e30e13ee"
#define MESSAGE_COUNTERS_TAKEN_BACK "2e463ce89f2046d4a1e08106b3302432"
#define MESSAGE_KERNEL_SYMBOLS_HIDDEN "3ff9c36829544ff8b2135c1eab93b22a"
