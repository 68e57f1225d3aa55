/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An I/O thread: an event loop of its own, for devices whose work should not wait for others'. */
#ifndef VMM_LOOP_THREAD_H
#define VMM_LOOP_THREAD_H

struct loop;
struct loop_thread;

/* Starts paused. `number` is for its name. 0 or -errno. */
int loop_thread__create(unsigned number, struct loop_thread **thread);
/* Every watch and timer of its loop must be gone; paused. NULL is fine. */
void loop_thread__destroy(struct loop_thread *thread);
struct loop *loop_thread__loop(struct loop_thread *thread);

/* One thread at a time, not its own. pause() returns when the loop stands still. */
void loop_thread__resume(struct loop_thread *thread);
void loop_thread__pause(struct loop_thread *thread);

#endif
