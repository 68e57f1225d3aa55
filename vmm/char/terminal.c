/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw mode of the terminal, and the many ways back. */
#include "vmm/char/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Read by signal handlers: written before `active` is set. */
static struct termios before, raw;
static int terminal = -1;
static atomic_bool active;

static const int ending_signals[] = { SIGHUP,  SIGINT, SIGQUIT, SIGILL,	 SIGABRT, SIGFPE, SIGBUS,
				      SIGSEGV, SIGSYS, SIGTERM, SIGXCPU, SIGXFSZ, SIGALRM };

void terminal__restore(void)
{
	int saved = errno;

	/* tcsetattr() is async-signal-safe. */
	if (atomic_exchange(&active, false))
		tcsetattr(terminal, TCSADRAIN, &before);
	errno = saved;
}

static void end_process(int number)
{
	int saved = errno;

	/* Not TCSADRAIN: it may wait for ever if the terminal's output is stopped. */
	if (atomic_exchange(&active, false))
		tcsetattr(terminal, TCSANOW, &before);
	/* SA_RESETHAND is set: taken again with its default action once this returns. */
	raise(number);
	errno = saved;
}

static void enter_again(int number)
{
	int saved = errno;

	if (atomic_load(&active) && tcgetpgrp(terminal) == getpgrp())
		tcsetattr(terminal, TCSANOW, &raw);
	errno = saved;
}

/* Signals that somebody else handles (the engine may take SIGSEGV) or that are ignored stay so. */
static void handle_if_default(int number, void (*handler)(int), int flags)
{
	struct sigaction action;

	if (sigaction(number, NULL, &action) < 0 || action.sa_flags & SA_SIGINFO ||
	    action.sa_handler != SIG_DFL)
		return;
	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = flags;
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static void make_raw(struct termios *mode)
{
	/* OPOST stays: this process's own messages want their line ends translated. */
	mode->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	mode->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	mode->c_cflag = (mode->c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
	mode->c_cc[VMIN] = 1;
	mode->c_cc[VTIME] = 0;
}

int terminal__enter_raw(int fd)
{
	static bool prepared;
	unsigned i;

	if (tcgetattr(fd, &before) < 0)
		return -errno;
	raw = before;
	make_raw(&raw);
	terminal = fd;
	if (!prepared) {
		for (i = 0; i < sizeof(ending_signals) / sizeof(ending_signals[0]); i++)
			handle_if_default(ending_signals[i], end_process, SA_RESETHAND);
		handle_if_default(SIGCONT, enter_again, SA_RESTART);
		atexit(terminal__restore);
		prepared = true;
	}
	atomic_store(&active, true);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0) {
		atomic_store(&active, false);
		return -errno;
	}
	return 0;
}
