/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What firmware says of the PCI host bridge. */
#ifndef VMM_DEVICES_PCI_HOST_H
#define VMM_DEVICES_PCI_HOST_H

#include "vmm/acpi/aml.h"
#include "vmm/acpi/tables.h"
#include "vmm/pci/pci.h"

/* Device nodes: the bridge with its windows and interrupt routes, and the place of ECAM. */
void pci_host__describe(const struct device_services *services, struct aml *aml);
/* The MCFG table (PCI Firmware 3.2, 4.1.2), if there is an ECAM. */
void pci_host__add_mcfg(const struct device_services *services, struct acpi_tables *tables);

#endif
