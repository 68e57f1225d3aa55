/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPUs of a machine that is checked execute guest code one after the other. */
#include "engines/soft/soft.h"

void check__init_turns(struct check_turns *turns)
{
	host__mutex_init(&turns->lock);
	host__cond_init(&turns->changed);
}

void check__destroy_turns(struct check_turns *turns)
{
	host__cond_destroy(&turns->changed);
	host__mutex_destroy(&turns->lock);
}

void check__take_turn(struct vcpu *vcpu)
{
	struct check_turns *turns = &soft__vm(vcpu->vm)->turns;
	u64 ticket;
	bool waits;

	vcpu->soft->check->blocks_in_turn = 0;
	host__mutex_lock(&turns->lock);
	ticket = turns->next++;
	waits = turns->serving != ticket;
	host__mutex_unlock(&turns->lock);
	if (!waits)
		return;
	/* Whoever has the turn may stop all vCPUs. */
	vm__leave_guest(vcpu);
	host__mutex_lock(&turns->lock);
	while (turns->serving != ticket)
		host__cond_wait(&turns->changed, &turns->lock);
	host__mutex_unlock(&turns->lock);
	vm__enter_guest(vcpu);
}

void check__give_turn(struct vcpu *vcpu)
{
	struct check_turns *turns = &soft__vm(vcpu->vm)->turns;

	host__mutex_lock(&turns->lock);
	turns->serving++;
	host__cond_broadcast(&turns->changed);
	host__mutex_unlock(&turns->lock);
}

void check__pass_turn(struct vcpu *vcpu)
{
	struct check_turns *turns = &soft__vm(vcpu->vm)->turns;
	bool waiting;

	host__mutex_lock(&turns->lock);
	waiting = turns->next > turns->serving + 1;
	host__mutex_unlock(&turns->lock);
	vcpu->soft->check->blocks_in_turn = 0;
	if (!waiting)
		return;
	check__give_turn(vcpu);
	check__take_turn(vcpu);
}
