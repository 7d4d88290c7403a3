# SPDX-License-Identifier: Apache-2.0
#
# The only makefile. Everything is built below $(O); sources are found by folder, so that a new file needs no line here.
#
#   make            build/ebpf-profiler
#   make run        install what is missing, profile the whole machine for ten seconds, report, flame graph
#   make check      install what is missing, run the tests
#   make bench      measure, beside perf; BENCH='--quick lost start' chooses
#   make fuzz       the fuzz targets, FUZZ_SECONDS each
#   make install DESTDIR= PREFIX=    make uninstall    make clean

O ?= build
PREFIX ?= /usr
SYSCONFDIR ?= /etc
FUZZ_SECONDS ?= 600
V ?= 0

CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config

VERSION := 0.1.0

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

ifeq ($(V),0)
Q := @
msg = @printf '  %-8s %s\n' $(1) $(patsubst $(O)/%,%,$(2));
endif

# --- flags ------------------------------------------------------------------------------------------------------------

PACKAGES := libbpf libelf libsystemd libzstd zlib liblzma
WARNINGS := -Werror=implicit-function-declaration -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
MAP_PATHS := -ffile-prefix-map=$(CURDIR)=. -fdebug-prefix-map=$(CURDIR)=.

CFLAGS ?= -O2 -g
CPPFLAGS_ALL = -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -I. -Idaemon -I$(O)/gen $(shell $(PKG_CONFIG) --cflags $(PACKAGES)) \
	$(CPPFLAGS)
CFLAGS_ALL = -std=gnu11 $(WARNINGS) $(MAP_PATHS) -fstack-protector-strong -fPIE -pthread $(CFLAGS)
LDLIBS_ALL = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lpfm -linih -liberty -lcap -lm
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -pthread $(LDFLAGS)

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

# --- sources ----------------------------------------------------------------------------------------------------------

LIB_SOURCES := $(sort $(wildcard daemon/*/*.c pmu/*.c))
BPF_SOURCES := $(sort $(wildcard bpf/*.bpf.c))
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
WORKLOADS := $(sort $(wildcard tests/workloads/*.c))
BENCHES := $(sort $(wildcard tests/bench/*.c))
VM_SOURCES := $(sort $(filter-out %.bpf.c,$(wildcard tests/vm/*.c)))
VM_BPF := $(sort $(wildcard tests/vm/*.bpf.c tests/vm/hooks/*.bpf.c))
HARDWARE_HELPERS := $(sort $(wildcard tests/hardware/*.c))

SKELETONS := $(BPF_SOURCES:bpf/%.bpf.c=$(O)/gen/%.skel.h)
GENERATED := $(SKELETONS) $(O)/gen/flame_page.h $(O)/gen/syscall_names.h
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(O)/obj/%.o)
ASAN_OBJECTS := $(LIB_SOURCES:%.c=$(O)/asan/%.o)
FUZZ_OBJECTS := $(LIB_SOURCES:%.c=$(O)/fuzz/%.o)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(O)/tests/%)
FUZZERS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(O)/fuzzers/%)
WORKLOAD_PROGRAMS := $(WORKLOADS:tests/workloads/%.c=$(O)/workloads/%)
BENCH_PROGRAMS := $(BENCHES:tests/bench/%.c=$(O)/bench/%)
VM_PROGRAMS := $(VM_SOURCES:tests/vm/%.c=$(O)/vm-programs/%) $(VM_BPF:tests/vm/%.c=$(O)/vm-programs/%.o) \
	$(O)/vm-programs/branch_clock.so
HARDWARE_PROGRAMS := $(HARDWARE_HELPERS:tests/hardware/%.c=$(O)/hardware/%)

# --- the product ------------------------------------------------------------------------------------------------------

.PHONY: all
all: $(O)/ebpf-profiler

$(O)/ebpf-profiler: $(O)/obj/daemon/main.o $(O)/obj/daemon/trace_calls.o $(O)/libebpf-profiler.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

$(O)/libebpf-profiler.a: $(LIB_OBJECTS)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/obj/%.o: %.c | $(GENERATED)
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The flame graph's page, as a C array.
$(O)/gen/flame_page.h: scripts/embed_page.sh $(wildcard daemon/export/page/*)
	$(call msg,PAGE,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$< daemon/export/page >$@

# The names of system calls, by number.
$(O)/gen/syscall_names.h: scripts/list_syscalls.sh
	$(call msg,NAMES,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$< $(CC) >$@

# --- BPF --------------------------------------------------------------------------------------------------------------
# One object for every kernel and little-endian architecture; the prefix map makes it the same from any directory.

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v2 -Wall -Wextra -Wno-unused-parameter -Ibpf $(MAP_PATHS) \
	-fdebug-compilation-dir=.

$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@.tmp $<
	$(Q)$(BPFTOOL) gen object $@ $@.tmp
	$(Q)rm -f $@.tmp
	$(Q)$(BPFTOOL) btf dump file $@ >/dev/null || { echo "$@: no valid BTF" >&2; rm -f $@; exit 1; }

$(O)/gen/%.skel.h: $(O)/bpf/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf >$@

# --- tests ------------------------------------------------------------------------------------------------------------

.PHONY: deps run check check-unit check-integration bench fuzz tests hardware-tests

deps:
	$(Q)scripts/install-deps.sh

# The first two targets install packages, so that what follows must be a make of its own: pkg-config is asked again.
run: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/run.sh $(O)/ebpf-profiler

check: deps
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)tests/run.sh $(O)

tests: all $(UNIT_TESTS) $(FUZZERS) $(WORKLOAD_PROGRAMS) $(HARDWARE_PROGRAMS)

check-unit: $(UNIT_TESTS)
	$(Q)tests/run.sh $(O) unit

check-integration: all $(WORKLOAD_PROGRAMS) $(HARDWARE_PROGRAMS)
	$(Q)tests/run.sh $(O) integration

# What tests/hardware needs; scripts/run-hardware-tests.sh runs it.
hardware-tests: all $(WORKLOAD_PROGRAMS) $(HARDWARE_PROGRAMS)

bench: all $(WORKLOAD_PROGRAMS) $(BENCH_PROGRAMS)
	$(Q)tests/bench/run.sh $(O) $(BENCH)

fuzz: $(FUZZERS)
	$(Q)tests/fuzz/run.sh $(O) $(FUZZ_SECONDS)

$(O)/asan/libebpf-profiler.a: $(ASAN_OBJECTS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/asan/%.o: %.c | $(GENERATED)
	$(call msg,CC-ASAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(SANITIZE) -MMD -MP -c -o $@ $<

$(O)/tests/%: $(O)/asan/tests/unit/%.o $(O)/asan/libebpf-profiler.a
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) $(SANITIZE) -o $@ $^ -lcmocka $(LDLIBS_ALL)

$(O)/fuzz/libebpf-profiler.a: $(FUZZ_OBJECTS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/fuzz/%.o: %.c | $(GENERATED)
	$(call msg,CC-FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -O1 -fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=undefined -MMD -MP -c -o $@ $<

$(O)/fuzzers/%: $(O)/fuzz/tests/fuzz/%.o $(O)/fuzz/libebpf-profiler.a
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(LDFLAGS_ALL) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS_ALL)

# Measuring tools that call the stages themselves.
$(O)/bench/%: $(O)/obj/tests/bench/%.o $(O)/libebpf-profiler.a
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

# What runs in the lab's guests beside the product (scripts/build-vm-images.sh), with the workloads.
.PHONY: vm-programs
vm-programs: $(VM_PROGRAMS) $(WORKLOAD_PROGRAMS)

$(O)/vm-programs/%.bpf.o: tests/vm/%.bpf.c
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/vm-programs/branch_clock.so: tests/integration/branch_clock.c
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -fPIC -shared -o $@ $<

$(O)/vm-programs/%: $(O)/obj/tests/vm/%.o $(O)/libebpf-profiler.a
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

$(O)/hardware/%: $(O)/obj/tests/hardware/%.o $(O)/libebpf-profiler.a
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

# Programs whose profile is known by construction; frame pointers, so that their stacks are whole.
$(O)/workloads/%: tests/workloads/%.c
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls \
		-fno-inline -pthread -MMD -MP -o $@ $< -lm

# --- install ----------------------------------------------------------------------------------------------------------

.PHONY: install uninstall clean

install: all
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' scripts/install.sh install $(O)

uninstall:
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' scripts/install.sh uninstall $(O)

clean:
	$(Q)rm -rf $(O)

-include $(wildcard $(O)/obj/*/*.d $(O)/obj/*/*/*.d $(O)/asan/*/*.d $(O)/asan/*/*/*.d $(O)/asan/*/*/*/*.d \
	$(O)/fuzz/*/*.d $(O)/fuzz/*/*/*.d $(O)/fuzz/*/*/*/*.d $(O)/bpf/*.d $(O)/workloads/*.d)
