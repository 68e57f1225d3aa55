/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space (PCI 3.0, chapter 6; PCI-to-PCI Bridge 1.2, chapter 3; PCI Express 3.0,
 * chapter 7): offsets and bits of the registers that are used here.
 */
#ifndef VMM_PCI_REGS_H
#define VMM_PCI_REGS_H

#define PCI_CONFIG_BYTES 256u	/* what capability 10H and the conventional registers share */
#define PCI_EXTENDED_BYTES 4096u /* per function in ECAM */

#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define PCI_STATUS 0x06
#define PCI_REVISION 0x08
#define PCI_CLASS 0x09 /* programming interface, subclass, base class */
#define PCI_CACHE_LINE 0x0c
#define PCI_LATENCY 0x0d
#define PCI_HEADER_TYPE 0x0e
#define PCI_BAR0 0x10
#define PCI_SUBSYSTEM_VENDOR 0x2c
#define PCI_SUBSYSTEM 0x2e
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d

#define PCI_COMMAND_IO 0x0001u
#define PCI_COMMAND_MEMORY 0x0002u
#define PCI_COMMAND_MASTER 0x0004u
#define PCI_COMMAND_PARITY 0x0040u
#define PCI_COMMAND_SERR 0x0100u
#define PCI_COMMAND_NO_INTX 0x0400u

#define PCI_STATUS_INTX 0x0008u
#define PCI_STATUS_CAPABILITIES 0x0010u

#define PCI_HEADER_DEVICE 0x00
#define PCI_HEADER_BRIDGE 0x01
#define PCI_HEADER_MULTIFUNCTION 0x80

#define PCI_BAR_IO_BIT 0x1u
#define PCI_BAR_64_BITS 0x4u
#define PCI_BAR_PREFETCHABLE 0x8u

/* Header type 1 */
#define PCI_BRIDGE_PRIMARY 0x18
#define PCI_BRIDGE_SECONDARY 0x19
#define PCI_BRIDGE_SUBORDINATE 0x1a
#define PCI_BRIDGE_IO_BASE 0x1c
#define PCI_BRIDGE_IO_LIMIT 0x1d
#define PCI_BRIDGE_MEMORY_BASE 0x20
#define PCI_BRIDGE_MEMORY_LIMIT 0x22
#define PCI_BRIDGE_PREFETCH_BASE 0x24
#define PCI_BRIDGE_PREFETCH_LIMIT 0x26
#define PCI_BRIDGE_PREFETCH_BASE_HIGH 0x28
#define PCI_BRIDGE_PREFETCH_LIMIT_HIGH 0x2c
#define PCI_BRIDGE_IO_BASE_HIGH 0x30
#define PCI_BRIDGE_CONTROL 0x3e

#define PCI_BRIDGE_CONTROL_RESET 0x0040u

/* Capabilities: identifier, offset of the next one, ... */
#define PCI_CAP_MSIX 0x11
#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_EXPRESS 0x10
#define PCI_CAP_SUBSYSTEM 0x0d

#define PCI_MSIX_CONTROL 2
#define PCI_MSIX_TABLE 4
#define PCI_MSIX_PBA 8
#define PCI_MSIX_BYTES 12
#define PCI_MSIX_ENABLE 0x8000u
#define PCI_MSIX_MASK_ALL 0x4000u

/* PCI Express 3.0, 7.8 */
#define PCI_EXP_BYTES 0x3c
#define PCI_EXP_FLAGS 0x02
#define PCI_EXP_DEVICE_CAP 0x04
#define PCI_EXP_DEVICE_CONTROL 0x08
#define PCI_EXP_LINK_CAP 0x0c
#define PCI_EXP_LINK_CONTROL 0x10
#define PCI_EXP_LINK_STATUS 0x12
#define PCI_EXP_SLOT_CAP 0x14
#define PCI_EXP_SLOT_CONTROL 0x18
#define PCI_EXP_SLOT_STATUS 0x1a
#define PCI_EXP_ROOT_CONTROL 0x1c
#define PCI_EXP_DEVICE_CONTROL2 0x28
#define PCI_EXP_LINK_CONTROL2 0x30

#define PCI_EXP_TYPE_ENDPOINT 0x0
#define PCI_EXP_TYPE_ROOT_PORT 0x4
#define PCI_EXP_TYPE_INTEGRATED 0x9 /* root complex integrated endpoint */

#define PCI_DEVFN(slot, function) ((slot) << 3 | (function))
#define PCI_SLOT(devfn) ((devfn) >> 3)
#define PCI_FUNCTION(devfn) ((devfn)&7)

#endif
