// SPDX-License-Identifier: Apache-2.0
/*
 * A virtual machine that does nothing but loop, in 64-bit user mode, for half a second of CPU time.
 * Exit code 77: there is no KVM, or not on this architecture.
 */
#include <stdio.h>

#ifdef __x86_64__
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>

#define MEMORY (2UL << 20)
#define CODE 0x8000
#define STACK 0x7000

/* One page of 2 MiB, for user mode: PML4 at 0x1000, PDPT at 0x2000, directory at 0x3000. */
static void fill_memory(uint8_t *memory)
{
	*(uint64_t *)(memory + 0x1000) = 0x2007;
	*(uint64_t *)(memory + 0x2000) = 0x3007;
	*(uint64_t *)(memory + 0x3000) = 0x87;
	memory[CODE] = 0xeb; /* jmp to itself */
	memory[CODE + 1] = 0xfe;
}

static int set_registers(int cpu)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = STACK, .rflags = 0x202 };
	struct kvm_segment code = { .limit = 0xffffffff,
				    .selector = 0x33,
				    .type = 11,
				    .present = 1,
				    .dpl = 3,
				    .s = 1,
				    .l = 1,
				    .g = 1 };
	struct kvm_segment data = code;
	struct kvm_sregs s;

	if (ioctl(cpu, KVM_GET_SREGS, &s) < 0)
		return -1;
	data.type = 3;
	data.l = 0;
	data.db = 1;
	data.selector = 0x2b;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr3 = 0x1000;
	s.cr4 = 0x20; /* PAE */
	s.cr0 = 0x80010003; /* PG, WP, MP, PE */
	s.efer = 0x501; /* LMA, LME, SCE */
	return ioctl(cpu, KVM_SET_SREGS, &s) < 0 || ioctl(cpu, KVM_SET_REGS, &regs) < 0 ? -1 : 0;
}

static int make_cpu(void)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[100];
	} id = { .head.nent = 100 };
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	uint8_t *memory =
		mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0), cpu;

	if (vm < 0 || memory == MAP_FAILED)
		return -1;
	fill_memory(memory);
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -1;
	cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (cpu < 0 || ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &id) < 0 ||
	    ioctl(cpu, KVM_SET_CPUID2, &id) < 0)
		return -1;
	return set_registers(cpu) < 0 ? -1 : cpu;
}

static void on_time(int number)
{
	(void)number;
}

int main(void)
{
	const struct itimerval half_second = { .it_value = { .tv_usec = 500000 } };
	struct sigaction action = { .sa_handler = on_time };
	int cpu = make_cpu();

	if (cpu < 0) {
		perror("no virtual machine");
		return 77;
	}
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &half_second, NULL);
	if (ioctl(cpu, KVM_RUN, 0) == 0 || errno != EINTR) {
		fprintf(stderr, "the guest ended by itself\n");
		return 1;
	}
	return 0;
}
#else
int main(void)
{
	fprintf(stderr, "no virtual machine for this architecture\n");
	return 77;
}
#endif
