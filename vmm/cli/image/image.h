/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of `trivet image` share. Exit statuses and options are those of qemu-img. */
#ifndef VMM_CLI_IMAGE_IMAGE_H
#define VMM_CLI_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/block/image.h"
#include "vmm/block/node.h"

struct image_command {
	const char *name;
	const char *usage;   /* one line, behind the name */
	const char *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit status */
};

extern const struct image_command image_command_check;
extern const struct image_command image_command_commit;
extern const struct image_command image_command_convert;
extern const struct image_command image_command_create;
extern const struct image_command image_command_info;
extern const struct image_command image_command_rebase;
extern const struct image_command image_command_resize;
extern const struct image_command image_command_snapshot;

/* A line on stderr with the program's name. Returns 1, the status. */
int image__error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Usage of a command after a wrong option. Returns 1. */
int image__usage(const struct image_command *command);
/* "1G" and the like to bytes; -EINVAL after a message. */
int image__parse_bytes(const char *text, uint64_t *bytes);
/* The same, rounded up to 512. */
int image__parse_size(const char *text, uint64_t *size);
/* Sets no_sync and direct from a name of a cache mode; -EINVAL after a message. */
int image__parse_cache(const char *name, struct node_how *how, bool *flush_each);
/* --output's value: "json" or "human". -EINVAL after a message. */
int image__parse_output(const char *name, bool *json);
/* Opens or says why not; NULL then. */
struct node *image__open(const struct node_how *how);
/* Closes, and says if something could not be written. Returns 0 or 1. */
int image__close(struct node *node);

/* -o: "key=value,...", on top of what is set. -EINVAL after a message. `options` is changed. */
int image_options__parse(char *options, const char *format, struct image_create *create);
void image_options__init(struct image_create *create);
void image_options__help(const char *format);
/* A line that says what is made. */
void image_options__print(const struct image_create *create, const char *format);
/* create->size 0 and `size_given` false: as the backing file. Makes it; 0 or 1 after a message. */
int image_options__create(struct image_create *create, const char *format, bool size_given,
			  bool trust_backing, bool quiet);

/* Progress, with -p on stdout, and on SIGUSR1 on stderr. */
void progress__start(bool show);
void progress__at(uint64_t done, uint64_t of);
void progress__end(void);

/* The list of snapshots, as info has it. */
void info__print_snapshots(struct node *node);
/* JSON strings with quotes. */
void json__string(const char *text);

#endif
