/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls into user mode. */
#include "tests/guests/lib/long/machine.h"

extern char user_return[];

static u8 user_stack[STACK_SIZE] __attribute__((aligned(64)));

void user__state(struct user_state *state, void (*fn)(u64), u64 arg)
{
	u64 *sp = (u64 *)(user_stack + sizeof(user_stack) - 64);

	*--sp = (u64)user_return + USER_ALIAS;
	*state = (struct user_state){
		.rip = (u64)fn + USER_ALIAS,
		.cs = USER_CS,
		.rflags = RFLAGS_FIXED,
		.rsp = (u64)sp + USER_ALIAS,
		.ss = USER_SS,
		.rdi = arg,
	};
}

unsigned user__run(const struct user_state *state)
{
	unsigned vector = TRY(user__enter(state));

	return vector == USER_EXIT_VECTOR ? NO_TRAP : vector;
}

unsigned user__call(void (*fn)(u64), u64 arg)
{
	struct user_state state;

	user__state(&state, fn, arg);
	return user__run(&state);
}
