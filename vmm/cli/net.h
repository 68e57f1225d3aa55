/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --net`. */
#ifndef VMM_CLI_NET_H
#define VMM_CLI_NET_H

/*
 * The device that "BACKEND[,key=value...]" stands for, as --device has it; free() it. NULL after a
 * message.
 */
char *cli_net__device(const char *value);

#endif
