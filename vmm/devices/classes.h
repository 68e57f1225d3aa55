/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every device class there is; vmm/machine/device_table.c puts them in order. */
#ifndef VMM_DEVICES_CLASSES_H
#define VMM_DEVICES_CLASSES_H

struct device_class;

extern const struct device_class device_class_pci_host;
extern const struct device_class device_class_isa_bridge;
extern const struct device_class device_class_root_port;
extern const struct device_class device_class_virtio_rng;
extern const struct device_class device_class_virtio_console;
extern const struct device_class device_class_virtio_balloon;
extern const struct device_class device_class_virtio_block;
extern const struct device_class device_class_virtio_net;
extern const struct device_class device_class_virtio_p9;
extern const struct device_class device_class_virtio_vsock;
extern const struct device_class device_class_ahci;
extern const struct device_class device_class_ahci_disk;
extern const struct device_class device_class_ahci_cd;
extern const struct device_class device_class_reset_control;
extern const struct device_class device_class_acpi_pm;
extern const struct device_class device_class_rtc;
extern const struct device_class device_class_hpet;
extern const struct device_class device_class_i8042;
extern const struct device_class device_class_port92;
extern const struct device_class device_class_serial;
extern const struct device_class device_class_pvpanic;
extern const struct device_class device_class_debug_exit;
extern const struct device_class device_class_debugcon;
extern const struct device_class device_class_flash;
extern const struct device_class device_class_fw_cfg;

#endif
