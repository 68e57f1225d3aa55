/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a command and writes the seconds it took, by CLOCK_MONOTONIC, into a file.
 *
 * usage: timed FILE COMMAND [ARGUMENT...]
 *
 * Ends with the command's status, or 128 and the number of the signal that ended it.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double start;
	pid_t child;
	FILE *file;
	int status;

	if (argc < 3) {
		fprintf(stderr, "usage: timed FILE COMMAND [ARGUMENT...]\n");
		return 2;
	}
	start = seconds_now();
	child = vfork();
	if (!child) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("timed");
		return 126;
	}
	start = seconds_now() - start;
	file = fopen(argv[1], "w");
	if (!file || fprintf(file, "%.6f\n", start) < 0 || fclose(file)) {
		perror(argv[1]);
		return 126;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
