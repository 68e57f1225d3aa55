/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration files: a command's options, one to a line.
 *
 *	# a comment; it has a line of its own
 *	memory = 2G
 *	no-reboot
 *
 *	[disk system.qcow2]
 *	iops = 1000
 *
 *	[machine]
 *	cpus = 2
 *
 * is --memory 2G --no-reboot --disk system.qcow2,iops=1000 --cpus 2. A section's head is an option
 * and what its value begins with, its lines are the value's keys; commas in either stand for
 * themselves. [machine] goes back to plain options. Blanks around names and values do not count,
 * and a value goes to the end of its line. Which options there are is not known here.
 */
#ifndef VMM_CONFIG_FILE_H
#define VMM_CONFIG_FILE_H

#include <stddef.h>

#define CONFIG_FILE_BYTES_MOST (1u << 20)

/* An option as the command line would have it. */
struct config_entry {
	unsigned line;	  /* where it stands or begins, from 1 */
	const char *name; /* without dashes */
	char *value;	  /* NULL: none was given */
};

struct config_file {
	const char *path; /* the caller's; for messages */
	char *text;
	unsigned count;
	struct config_entry *entry;
};

/*
 * Parses size bytes of text; `path` must live as long as *file. 0, or -errno with a line in error[]
 * that begins with path and number of the line; nothing is to be freed then.
 */
int config_file__parse(struct config_file *file, const char *path, const char *text, size_t size,
		       char *error, size_t error_size);
/* The same of what the file at `path` holds: a regular file or a pipe. */
int config_file__load(struct config_file *file, const char *path, char *error, size_t error_size);
void config_file__free(struct config_file *file);

#endif
