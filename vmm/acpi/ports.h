/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports, interrupts and addresses that the ACPI tables name and the platform devices claim. */
#ifndef VMM_ACPI_PORTS_H
#define VMM_ACPI_PORTS_H

#define ACPI_PM1_EVENT_PORT 0x600   /* status, enable: 2 + 2 bytes */
#define ACPI_PM1_CONTROL_PORT 0x604 /* 2 bytes */
#define ACPI_PM_TIMER_PORT 0x608    /* 4 bytes */
#define ACPI_SMI_PORT 0x630       /* SMI enable and status: 4 + 4 bytes */
#define ACPI_SCI 9
#define ACPI_SLEEP_TYPE_S5 5 /* SLP_TYP that means soft off; in _S5 too */
#define ACPI_SLEEP_TYPE_FIRMWARE 0 /* what OVMF takes for it, whatever _S5 says */

#define RESET_CONTROL_PORT 0xcf9
#define RESET_CONTROL_VALUE 0x06 /* SYS_RST and RST_CPU */

#define RTC_IRQ 8
#define RTC_CENTURY_INDEX 0x32

#define PVPANIC_PORT 0x505

#define LAPIC_GPA 0xfee00000u
#define IOAPIC_GPA 0xfec00000u

#endif
