/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process's terminal: raw while a guest has it, as it was before on every way out. */
#ifndef VMM_CHAR_TERMINAL_H
#define VMM_CHAR_TERMINAL_H

/*
 * Switches the terminal `fd` (which must stay open) to raw mode: every key goes to the guest.
 * Restored by terminal__restore(), at exit, and by handlers of the signals that end a process;
 * entered again when the process is continued after a stop. 0 or -errno. One at a time.
 */
int terminal__enter_raw(int fd);
void terminal__restore(void);

#endif
