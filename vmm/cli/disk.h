/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --disk`. */
#ifndef VMM_CLI_DISK_H
#define VMM_CLI_DISK_H

/*
 * The device that "FILE[,key=value...]" stands for, as --device has it; free() it. NULL after a
 * message.
 */
char *cli_disk__device(const char *value);

#endif
