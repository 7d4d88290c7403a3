// SPDX-License-Identifier: Apache-2.0
/*
 * All of its code keeps frame pointers, as a distribution built with them has it: there is no C
 * library in it.
 *
 *   keeps           works for one and a half seconds of CPU time
 *   keeps signals   likewise, but is interrupted by its own timer now and then
 *   keeps late      likewise, soon behind a function without a frame
 *
 * Built by the test that uses it with -nostdlib -static -fno-omit-frame-pointer.
 */
#include <linux/signal.h>
#include <linux/time.h>
#include <sys/syscall.h>

#define LATE_MS 400
#define END_MS 1500

static volatile unsigned long turns;

#ifdef __x86_64__
__asm__(".globl _start\n"
	"_start:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined rip\n"
	"	xor %ebp, %ebp\n"
	"	mov (%rsp), %rdi\n"
	"	lea 8(%rsp), %rsi\n"
	"	and $-16, %rsp\n"
	"	call begin\n"
	"	hlt\n"
	"	.cfi_endproc\n"
	/* Calls work() with the frame pointer of its own caller. */
	"frameless:\n"
	"	.cfi_startproc\n"
	"	sub $24, %rsp\n"
	"	.cfi_adjust_cfa_offset 24\n"
	"	call work\n"
	"	add $24, %rsp\n"
	"	.cfi_adjust_cfa_offset -24\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"restorer:\n"
	"	.cfi_startproc simple\n"
	"	.cfi_signal_frame\n"
	"	.cfi_escape 0x0f, 4, 0x77, 0xa0, 1, 6\n" /* CFA: *(rsp + 160), as glibc has it */
	"	nop\n"
	"restore:\n"
	"	mov $15, %rax\n"
	"	syscall\n"
	"	.cfi_endproc\n");

static long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
#else
__asm__(".globl _start\n"
	"_start:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined x30\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	ldr x0, [sp]\n"
	"	add x1, sp, #8\n"
	"	bl begin\n"
	"	brk #0\n"
	"	.cfi_endproc\n"
	"frameless:\n"
	"	.cfi_startproc\n"
	"	str x30, [sp, #-16]!\n"
	"	.cfi_adjust_cfa_offset 16\n"
	"	.cfi_offset x30, -16\n"
	"	bl work\n"
	"	ldr x30, [sp], #16\n"
	"	.cfi_adjust_cfa_offset -16\n"
	"	ret\n"
	"	.cfi_endproc\n");

static long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
#endif

void frameless(void);
void restore(void);

/* CPU time that is gone, in milliseconds. */
static unsigned long used_ms(void)
{
	struct __kernel_timespec t = {};

	call(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, (long)&t, 0, 0);
	return (unsigned long)t.tv_sec * 1000 + (unsigned long)t.tv_nsec / 1000000;
}

/* A leaf, now and then interrupted before it has its frame. */
__attribute__((noinline)) static unsigned long leaf(unsigned long n)
{
	for (int i = 0; i < 64; i++)
		n = n * 31 + (unsigned long)i;
	return n;
}

/* For a few milliseconds. */
__attribute__((noinline, used)) void work(void)
{
	for (int i = 0; i < 20000; i++)
		turns += leaf(turns);
}

__attribute__((noinline)) static void inner(int bare)
{
	if (bare)
		frameless();
	else
		work();
	turns++;
}

__attribute__((noinline)) static void middle(int depth, int bare)
{
	if (depth)
		middle(depth - 1, bare);
	else
		inner(bare);
	turns++;
}

#ifdef __x86_64__
static void handler(int number)
{
	work();
	turns += (unsigned long)number;
}

static void be_interrupted(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} action = { handler, 0x04000000 /* SA_RESTORER */, restore, 0 };
	struct __kernel_old_itimerval often = { { 0, 20000 }, { 0, 20000 } };

	call(SYS_rt_sigaction, 26 /* SIGVTALRM */, (long)&action, 0, sizeof(action.mask));
	call(SYS_setitimer, 1 /* ITIMER_VIRTUAL */, (long)&often, 0, 0);
}
#else
static void be_interrupted(void)
{
}
#endif

__attribute__((used)) void begin(long argc, char **argv)
{
	char what = argc > 1 ? argv[1][0] : 'k';
	unsigned long ms;

	if (what == 's')
		be_interrupted();
	while ((ms = used_ms()) < END_MS)
		middle(6, what == 'l' && ms >= LATE_MS);
	call(SYS_exit_group, 0, 0, 0, 0);
}
