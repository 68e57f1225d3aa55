/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions that guest code has unmasked and that a stub meets: the host's kernel reports them as
 * signals. Signals from anywhere else go to whoever handled them before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#include "engines/soft/vector.h"
#include "engines/soft/vector_stub.h"
#include "include/x86/exception.h"

extern const u8 stub__plain_return[], stub__plain_fault[];
extern const u8 stub__full_return[], stub__full_fault[];

static struct sigaction old_fpe, old_ill;

static u32 exception_vector(int signal, const ucontext_t *context)
{
	if (signal == SIGILL)
		return X86_UD;
	return context->uc_mcontext.gregs[REG_TRAPNO] == X86_MF ? X86_MF : X86_XM;
}

static void pass_on(int signal, siginfo_t *info, void *context)
{
	const struct sigaction *old = signal == SIGFPE ? &old_fpe : &old_ill;

	if (old->sa_flags & SA_SIGINFO) {
		old->sa_sigaction(signal, info, context);
	} else if (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN) {
		/* The instruction repeats, and the kernel does what it does by default. */
		struct sigaction dfl = { .sa_handler = SIG_DFL };

		sigaction(signal, &dfl, NULL);
	} else {
		old->sa_handler(signal);
	}
}

static void handle(int signal, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	greg_t *regs = context->uc_mcontext.gregs;
	u64 return_address, go_on;

	go_on = soft__vectors_fault(regs[REG_RIP]);
	if (go_on) {
		regs[REG_RIP] = go_on;
		return;
	}
	if (!stub__contains(regs[REG_RIP])) {
		pass_on(signal, info, arg);
		return;
	}
	return_address = *(const u64 *)regs[REG_RSP];
	regs[REG_RIP] = return_address == (u64)stub__plain_return ? (u64)stub__plain_fault :
								    (u64)stub__full_fault;
	regs[REG_RAX] = exception_vector(signal, context);
}

int stub_fault__setup(const char **why)
{
	struct sigaction action = {
		.sa_sigaction = handle,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};
	int error;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGFPE, &action, &old_fpe)) {
		error = -errno;
		*why = "can't handle SIGFPE";
		return error;
	}
	if (sigaction(SIGILL, &action, &old_ill)) {
		error = -errno;
		*why = "can't handle SIGILL";
		sigaction(SIGFPE, &old_fpe, NULL);
		return error;
	}
	return 0;
}

void stub_fault__teardown(void)
{
	sigaction(SIGILL, &old_ill, NULL);
	sigaction(SIGFPE, &old_fpe, NULL);
}
