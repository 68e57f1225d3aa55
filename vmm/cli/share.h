/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --share`. */
#ifndef VMM_CLI_SHARE_H
#define VMM_CLI_SHARE_H

/*
 * The device that "DIR[,key=value...]" stands for, as --device has it; free() it. NULL after a
 * message.
 */
char *cli_share__device(const char *value);

#endif
