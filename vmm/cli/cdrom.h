/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `trivet run --cdrom`. */
#ifndef VMM_CLI_CDROM_H
#define VMM_CLI_CDROM_H

/*
 * The device that the image FILE stands for, as --device has it; free() it. NULL after a message. The
 * name is taken as it is, with its commas.
 */
char *cli_cdrom__device(const char *file);

#endif
