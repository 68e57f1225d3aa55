/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File system device (virtio identifier 9): 9P messages between the guest and a folder of the host
 * (vmm/share). One request queue; a buffer is a request and behind it room for the reply.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/devices/classes.h"
#include "vmm/devices/virtio/virtio.h"
#include "vmm/share/share.h"

#define ID 9
#define PCI_CLASS_OTHER 0x00ff00
#define QUEUE_SIZE 128 /* with fewer Linux's driver cannot send its longest messages */
#define TAG_MOST 64u

#define F_MOUNT_TAG 0

struct p9_config {
	uint16_t tag_bytes;
	char tag[TAG_MOST];
};

struct virtio_p9 {
	struct device dev;
	struct virtio virtio;
	/* Options */
	char *folder, *tag, *security;
	bool read_only;
	uint64_t open_most;
	struct share *share; /* the queue's lock, or the queue stands still */
	struct iovec segment[2 * SHARE_SEGMENTS_MOST];
};

static struct virtio_p9 *of_virtio(struct virtio *virtio)
{
	return container_of_type(virtio, struct virtio_p9, virtio);
}

static struct virtio_p9 *of_device(struct device *dev)
{
	return container_of_type(dev, struct virtio_p9, dev);
}

/* ---- virtio ---- */

static void read_config(struct virtio *virtio, unsigned offset, void *buf, unsigned size)
{
	const struct virtio_p9 *p9 = of_virtio(virtio);
	struct p9_config config = { .tag_bytes = (uint16_t)strlen(p9->tag) };

	memcpy(config.tag, p9->tag, config.tag_bytes);
	memcpy(buf, (const char *)&config + offset, size);
}

/* Without these there is no way to answer. */
static const char *check(const struct virtio_chain *chain)
{
	if (chain->readable_bytes < SHARE_REQUEST_LEAST)
		return "a request without a header";
	if (chain->writable_bytes < SHARE_REPLY_LEAST)
		return "a request without room for its reply";
	if (chain->readable > SHARE_SEGMENTS_MOST || chain->writable > SHARE_SEGMENTS_MOST)
		return "a request in too many pieces";
	return NULL;
}

/* False: none is available, or the device is broken. */
static bool serve_one(struct virtio_p9 *p9, struct virtio_queue *queue)
{
	struct virtio_chain chain = { .capacity = ARRAY_LENGTH(p9->segment), .segment = p9->segment };
	struct share_message message;
	const char *why;
	size_t size;

	if (virtio_queue__pop(queue, &chain) <= 0)
		return false;
	why = check(&chain);
	if (why) {
		virtio__break(&p9->virtio, queue, why);
		return false;
	}
	message = (struct share_message){ .request = chain.segment,
					  .request_count = (int)chain.readable,
					  .request_bytes = chain.readable_bytes,
					  .reply = chain.segment + chain.readable,
					  .reply_count = (int)chain.writable,
					  .reply_bytes = chain.writable_bytes };
	size = share__serve(p9->share, &message);
	virtio_queue__push(queue, &chain, (uint32_t)size);
	/* The next one may take long. */
	virtio_queue__signal(queue);
	return true;
}

static bool kick(struct virtio *virtio, struct virtio_queue *queue)
{
	unsigned left = queue->size;

	virtio_queue__ask_notify(queue, false);
	while (left && serve_one(of_virtio(virtio), queue))
		left--;
	return virtio_queue__ask_notify(queue, true);
}

/* kick() holds the queue's lock until a request is served, so none is. */
static void stop(struct virtio *virtio)
{
	share__reset(of_virtio(virtio)->share);
}

static const struct virtio_class virtio_class = {
	.name = "virtio-9p",
	.id = ID,
	.pci_class = PCI_CLASS_OTHER,
	.config_size = sizeof(struct p9_config),
	.on_loop = true, /* files may be slow */
	.read_config = read_config,
	.stop = stop,
	.kick = kick,
};

/* ---- the class ---- */

static int check_options(struct virtio_p9 *p9, char *error, size_t error_size)
{
	if (!p9->folder || !*p9->folder) {
		snprintf(error, error_size, "device virtio-9p: dir is missing; give the folder to share");
		return -EINVAL;
	}
	if (!p9->tag || !*p9->tag || strlen(p9->tag) > TAG_MOST) {
		snprintf(error, error_size,
			 "device virtio-9p: tag=%s: give the name that the guest mounts, 1 to %u characters",
			 p9->tag ? p9->tag : "", TAG_MOST);
		return -EINVAL;
	}
	return 0;
}

static int choose_security(const struct virtio_p9 *p9, enum share_security *security, char *error,
			   size_t error_size)
{
	*security = SHARE_SECURITY_NONE;
	if (!p9->security || !strcmp(p9->security, "none"))
		return 0;
	*security = SHARE_SECURITY_MAPPED;
	if (!strcmp(p9->security, "mapped"))
		return 0;
	snprintf(error, error_size, "device virtio-9p: security=%s: must be none or mapped", p9->security);
	return -EINVAL;
}

static int open_share(struct virtio_p9 *p9, char *error, size_t error_size)
{
	struct share_options options = { .folder = p9->folder,
					 .read_only = p9->read_only,
					 .open_most = (unsigned)p9->open_most };
	char why[300];
	int err = choose_security(p9, &options.security, error, error_size);

	if (err)
		return err;
	err = share__open(&options, &p9->share, why, sizeof(why));
	if (err)
		snprintf(error, error_size, "device virtio-9p: dir=%s", why);
	return err;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct virtio_p9 *p9 = of_device(dev);
	int err = check_options(p9, error, error_size);

	if (!err)
		err = open_share(p9, error, error_size);
	if (err)
		return err;
	return virtio__realize(&p9->virtio, dev, &virtio_class, BIT64(F_MOUNT_TAG), 1, error, error_size);
}

static void describe(struct device *dev, struct aml *aml)
{
	virtio__describe(&of_device(dev)->virtio, aml);
}

static void reset(struct device *dev)
{
	virtio__reset_all(&of_device(dev)->virtio);
}

static void remove_p9(struct device *dev)
{
	struct virtio_p9 *p9 = of_device(dev);

	virtio__remove(&p9->virtio);
	share__close(p9->share);
}

/*
 * What is open on the host is not of the state. The client finds its fids unknown, and has to mount
 * again.
 */
static int after_load(struct device *dev)
{
	struct virtio_p9 *p9 = of_device(dev);

	share__reset(p9->share);
	return virtio__after_load(&p9->virtio);
}

static const struct config_option options[] = {
	{ "dir", OPTION_STRING, offsetof(struct virtio_p9, folder), 0, 0, 0, "the folder of the host" },
	{ "tag", OPTION_STRING, offsetof(struct virtio_p9, tag), 0, 0, 0,
	  "the name by which the guest mounts it, up to 64 characters" },
	{ "read-only", OPTION_BOOL, offsetof(struct virtio_p9, read_only), 0, 0, 0,
	  "the guest changes nothing (off)" },
	{ "security", OPTION_STRING, offsetof(struct virtio_p9, security), 0, 0, 0,
	  "where owners and modes are: none (the files' own) or mapped (in user.virtfs.* attributes)" },
	{ "open-files", OPTION_U64, offsetof(struct virtio_p9, open_most), SHARE_OPEN_PRESET,
	  SHARE_OPEN_LEAST, SHARE_OPEN_MOST, "files and folders that the guest has open at most (4096)" },
	VIRTIO_OPTIONS_ON(struct virtio_p9, virtio.options, QUEUE_SIZE, DEVICE_IO_THREADS,
			  "number of the I/O thread that serves it; 0: the main one (16)"),
	{ NULL },
};

static const struct state_field state_fields[] = {
	STATE_PART(struct virtio_p9, virtio, 1, &virtio_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_virtio_p9 = {
	.name = "virtio-9p",
	.help = "a folder of the host that the guest mounts",
	.bus = DEVICE_BUS_ANY,
	.max = 8,
	.size = sizeof(struct virtio_p9),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_p9,
	.acpi = describe,
};
