/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and memory structures of AHCI 1.3.1 (chapters 3 and 4) and FIS types of Serial ATA 3.3. */
#ifndef VMM_DEVICES_STORAGE_AHCI_REGS_H
#define VMM_DEVICES_STORAGE_AHCI_REGS_H

#include "base/types.h"

#define AHCI_PORTS 6u
#define AHCI_SLOTS 32u

/* Generic host control */
#define AHCI_CAP 0x00
#define AHCI_GHC 0x04
#define AHCI_IS 0x08
#define AHCI_PI 0x0c
#define AHCI_VS 0x10

#define AHCI_CAP_NCS_SHIFT 8
#define AHCI_CAP_SAM BIT64(18)  /* AHCI only */
#define AHCI_CAP_GEN3 (3u << 20) /* 6 Gbit/s */
#define AHCI_CAP_SCLO BIT64(24)
#define AHCI_CAP_SNCQ BIT64(30)
#define AHCI_CAP_S64A BIT64(31)

#define AHCI_GHC_HR 0x00000001u
#define AHCI_GHC_IE 0x00000002u
#define AHCI_GHC_AE 0x80000000u

#define AHCI_VERSION 0x00010301u

/* Ports */
#define AHCI_PORT_AT 0x100u
#define AHCI_PORT_BYTES 0x80u
#define PORT_CLB 0x00
#define PORT_CLBU 0x04
#define PORT_FB 0x08
#define PORT_FBU 0x0c
#define PORT_IS 0x10
#define PORT_IE 0x14
#define PORT_CMD 0x18
#define PORT_TFD 0x20
#define PORT_SIG 0x24
#define PORT_SSTS 0x28
#define PORT_SCTL 0x2c
#define PORT_SERR 0x30
#define PORT_SACT 0x34
#define PORT_CI 0x38

#define PORT_IS_DHRS 0x00000001u /* device to host register FIS */
#define PORT_IS_PSS 0x00000002u	 /* PIO setup FIS */
#define PORT_IS_SDBS 0x00000008u /* set device bits FIS */
#define PORT_IS_DPS 0x00000020u	 /* an entry with the interrupt bit has been transferred */
#define PORT_IS_PCS 0x00000040u	 /* SERR.DIAG.X */
#define PORT_IS_PRCS 0x00400000u /* SERR.DIAG.N */
#define PORT_IS_OFS 0x01000000u	 /* more bytes than the table has room for */
#define PORT_IS_HBDS 0x10000000u /* data outside of memory */
#define PORT_IS_HBFS 0x20000000u /* structures outside of memory */
#define PORT_IS_TFES 0x40000000u /* the device says ERR */
#define PORT_IS_STICKY 0x7d80002fu
#define PORT_IE_BITS (PORT_IS_STICKY | PORT_IS_PCS | PORT_IS_PRCS | 0x90u | 0x80000000u)

#define PORT_CMD_ST 0x00000001u
#define PORT_CMD_SUD 0x00000002u
#define PORT_CMD_POD 0x00000004u
#define PORT_CMD_CLO 0x00000008u
#define PORT_CMD_FRE 0x00000010u
#define PORT_CMD_CCS_SHIFT 8
#define PORT_CMD_FR 0x00004000u
#define PORT_CMD_CR 0x00008000u
#define PORT_CMD_ATAPI 0x01000000u
#define PORT_CMD_DLAE 0x02000000u
#define PORT_CMD_KEPT (PORT_CMD_ST | PORT_CMD_FRE | PORT_CMD_ATAPI | PORT_CMD_DLAE)

#define PORT_SSTS_UP 0x133u /* device present, 6 Gbit/s, active */
#define PORT_SSTS_OFF 0x4u
#define PORT_SCTL_BITS 0xfffu
#define SCTL_DET(sctl) ((sctl)&0xf)
#define SCTL_DET_RESET 1u
#define SCTL_DET_OFF 4u
#define PORT_SERR_N 0x00010000u
#define PORT_SERR_X 0x04000000u
#define PORT_SERR_BITS 0x07ff0f03u

#define PORT_TFD_RESET 0x7fu
#define PORT_SIG_NONE 0xffffffffu

/* Command header (4.2.2) */
#define HEADER_BYTES 32u
#define HEADER_LENGTH(dw0) (((dw0)&0x1f) * 4) /* of the command FIS */
#define HEADER_ATAPI 0x20u
#define HEADER_ENTRIES(dw0) ((dw0) >> 16)

/* Command table (4.2.3) */
#define TABLE_PACKET 0x40
#define TABLE_ENTRIES 0x80
#define ENTRY_BYTES 16u
#define ENTRY_LENGTH(dw3) ((((dw3)&0x3fffff) | 1) + 1)
#define ENTRY_INTERRUPT 0x80000000u

/* Received FIS structure (4.2.1) */
#define FIS_AT_PIO 0x20
#define FIS_AT_D2H 0x40
#define FIS_AT_SDB 0x58

#define FIS_H2D 0x27
#define FIS_D2H 0x34
#define FIS_PIO 0x5f
#define FIS_SDB 0xa1
#define FIS_H2D_COMMAND 0x80 /* byte 1: the command register is written, not the control register */
#define FIS_INTERRUPT 0x40   /* byte 1 of the others */
#define FIS_PIO_TO_HOST 0x20
#define FIS_BYTES 20u
#define FIS_SDB_BYTES 8u

#endif
