/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which bridges users may put their machines on: the administrator's file. */
#define _GNU_SOURCE
#include "vmm/bridge/acl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MOST 8

struct acl {
	const char *bridge;
	uid_t owner;
	bool allow, deny;
	char *error;
	size_t error_size;
};

static int read_file(struct acl *acl, const char *path, unsigned depth);

static int read_line(struct acl *acl, const char *path, unsigned number, char *line, unsigned depth)
{
	static const char blanks[] = " \t\r\n";
	char *rest = NULL, *verb, *name;

	line[strcspn(line, "#")] = '\0';
	verb = strtok_r(line, blanks, &rest);
	if (!verb)
		return 0;
	name = strtok_r(NULL, blanks, &rest);
	if (!name || strtok_r(NULL, blanks, &rest))
		goto wrong;
	if (!strcmp(verb, "include"))
		return read_file(acl, name, depth + 1);
	if (strcmp(verb, "allow") && strcmp(verb, "deny"))
		goto wrong;
	if (strcmp(name, "all") && strcmp(name, acl->bridge))
		return 0;
	if (*verb == 'a')
		acl->allow = true;
	else
		acl->deny = true;
	return 0;
wrong:
	snprintf(acl->error, acl->error_size,
		 "%s:%u: must be \"allow BRIDGE\", \"deny BRIDGE\" or \"include FILE\"", path,
		 number);
	return -EINVAL;
}

/* Of the open file, so that it is the one that is read. */
static int check_file(struct acl *acl, const char *path, int fd)
{
	struct stat st;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (!st.st_uid || st.st_uid == acl->owner) &&
	    !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	snprintf(acl->error, acl->error_size,
		 "%s: must be a regular file of root's that nobody else may write", path);
	return -EPERM;
}

static int read_file(struct acl *acl, const char *path, unsigned depth)
{
	unsigned number = 0;
	size_t room = 0;
	char *line = NULL;
	int err = 0;
	FILE *file;

	if (depth > DEPTH_MOST) {
		snprintf(acl->error, acl->error_size, "%s: files include each other too deeply",
			 path);
		return -ELOOP;
	}
	file = fopen(path, "re");
	if (!file) {
		err = -errno;
		snprintf(acl->error, acl->error_size, "%s: %s", path, strerror(-err));
		return err;
	}
	err = check_file(acl, path, fileno(file));
	while (!err && getline(&line, &room, file) >= 0)
		err = read_line(acl, path, ++number, line, depth);
	free(line);
	fclose(file);
	return err;
}

int acl__check(const char *path, uid_t owner, const char *bridge, bool *allowed, char *error,
	       size_t error_size)
{
	struct acl acl = {
		.bridge = bridge, .owner = owner, .error = error, .error_size = error_size};
	int err = read_file(&acl, path, 0);

	*allowed = !err && acl.allow && !acl.deny;
	return err;
}
