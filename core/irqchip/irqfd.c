/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM_IRQFD: an eventfd that raises a GSI when it is signalled; with KVM_IRQFD_FLAG_RESAMPLE it
 * holds the GSI high until the guest has acknowledged it, and then signals a second eventfd.
 *
 * The list is changed with both irqfd_config and chip->lock held, so either is enough to read it.
 */
#include "core/irqchip/chip.h"
#include "core/vm/vm.h"

struct irqfd {
	struct irqfd *next;
	struct irqchip *chip;
	struct host_eventfd *event;
	struct host_eventfd *resample; /* NULL: edge-triggered */
	u32 gsi;
};

/* The eventfd was signalled; a thread of the host's. */
static void signalled(void *arg)
{
	struct irqfd *irqfd = arg;

	if (irqfd->resample) {
		routing__raise(irqfd->chip, LINE_RESAMPLE, irqfd->gsi, true, false);
		return;
	}
	routing__raise(irqfd->chip, LINE_USER, irqfd->gsi, true, false);
	routing__raise(irqfd->chip, LINE_USER, irqfd->gsi, false, false);
}

bool irqfd__resamples(struct irqchip *chip, u32 gsi)
{
	const struct irqfd *i;

	for (i = chip->irqfds; i; i = i->next)
		if (i->resample && i->gsi == gsi)
			return true;
	return false;
}

void irqfd__acknowledged(struct irqchip *chip, u32 gsi)
{
	const struct irqfd *i;

	if (!irqfd__resamples(chip, gsi))
		return;
	/* Lower it once, before any device that shares the GSI can raise it again. */
	routing__set_line(chip, LINE_RESAMPLE, gsi, false, false);
	for (i = chip->irqfds; i; i = i->next)
		if (i->resample && i->gsi == gsi)
			host__eventfd_signal(i->resample);
}

static void free_irqfd(struct irqfd *irqfd)
{
	if (irqfd->resample)
		host__eventfd_put(irqfd->resample);
	if (irqfd->event)
		host__eventfd_put(irqfd->event);
	host__free(irqfd);
}

/* Takes *link out of the list. chip->lock held. */
static struct irqfd *unlink_irqfd(struct irqchip *chip, struct irqfd **link)
{
	struct irqfd *irqfd = *link;

	*link = irqfd->next;
	chip__update_eoi_vectors(chip);
	return irqfd;
}

/* An irqfd that still may be called is gone from the list: waits for that, then frees it. */
static void shut_down(struct irqchip *chip, struct irqfd *irqfd)
{
	host__eventfd_unwatch(irqfd->event);
	/* The last one of its GSI lets go of the line; only now is nobody left to raise it. */
	if (irqfd->resample) {
		host__mutex_lock(&chip->lock);
		if (!irqfd__resamples(chip, irqfd->gsi))
			routing__set_line(chip, LINE_RESAMPLE, irqfd->gsi, false, false);
		host__mutex_unlock(&chip->lock);
	}
	free_irqfd(irqfd);
}

/* Comparing descriptors may take the host a while: not under chip->lock. */
static bool is_assigned(const struct irqchip *chip, int fd)
{
	const struct irqfd *i;

	for (i = chip->irqfds; i; i = i->next)
		if (host__eventfd_same(i->event, fd))
			return true;
	return false;
}

static struct irqfd *make_irqfd(struct irqchip *chip, const struct kvm_irqfd *args, int *ret)
{
	struct irqfd *irqfd = host__alloc(sizeof(*irqfd));

	*ret = -ENOMEM;
	if (!irqfd)
		return NULL;
	irqfd->chip = chip;
	irqfd->gsi = args->gsi;
	*ret = -EBADF;
	irqfd->event = host__eventfd_get(args->fd);
	if (!irqfd->event)
		goto fail;
	if (args->flags & KVM_IRQFD_FLAG_RESAMPLE) {
		irqfd->resample = host__eventfd_get(args->resamplefd);
		if (!irqfd->resample)
			goto fail;
	}
	*ret = 0;
	return irqfd;
fail:
	free_irqfd(irqfd);
	return NULL;
}

static int assign(struct irqchip *chip, const struct kvm_irqfd *args)
{
	struct irqfd *irqfd, **link;
	int ret;

	/* Only controllers of our own can tell of an acknowledgement. */
	if ((args->flags & KVM_IRQFD_FLAG_RESAMPLE) && chip->split)
		return -EINVAL;
	irqfd = make_irqfd(chip, args, &ret);
	if (!irqfd)
		return ret;
	if (is_assigned(chip, args->fd)) {
		free_irqfd(irqfd);
		return -EBUSY;
	}
	host__mutex_lock(&chip->lock);
	irqfd->next = chip->irqfds;
	chip->irqfds = irqfd;
	chip__update_eoi_vectors(chip);
	host__mutex_unlock(&chip->lock);

	ret = host__eventfd_watch(irqfd->event, signalled, irqfd);
	if (!ret)
		return 0;
	host__mutex_lock(&chip->lock);
	for (link = &chip->irqfds; *link != irqfd; link = &(*link)->next)
		;
	unlink_irqfd(chip, link);
	host__mutex_unlock(&chip->lock);
	free_irqfd(irqfd);
	return ret;
}

/* Takes an irqfd of this eventfd and GSI (or, fd < 0, any) out of the list. */
static struct irqfd *take_irqfd(struct irqchip *chip, int fd, u32 gsi)
{
	struct irqfd **link, *irqfd;

	for (link = &chip->irqfds; *link; link = &(*link)->next) {
		if (fd >= 0 && ((*link)->gsi != gsi || !host__eventfd_same((*link)->event, fd)))
			continue;
		host__mutex_lock(&chip->lock);
		irqfd = unlink_irqfd(chip, link);
		host__mutex_unlock(&chip->lock);
		return irqfd;
	}
	return NULL;
}

/* Nothing to undo is no error. */
static int deassign(struct irqchip *chip, const struct kvm_irqfd *args)
{
	struct host_eventfd *event = host__eventfd_get(args->fd);
	struct irqfd *irqfd;

	if (!event)
		return -EBADF;
	host__eventfd_put(event);
	while ((irqfd = take_irqfd(chip, args->fd, args->gsi)))
		shut_down(chip, irqfd);
	return 0;
}

int irqfd__configure(struct vm *vm, const struct kvm_irqfd *args)
{
	struct irqchip *chip = chip__of(vm);
	int ret;

	if (!chip || (args->flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE)))
		return -EINVAL;
	if ((int)args->fd < 0)
		return -EBADF;
	host__mutex_lock(&chip->irqfd_config);
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		ret = deassign(chip, args);
	else
		ret = assign(chip, args);
	host__mutex_unlock(&chip->irqfd_config);
	return ret;
}

void irqfd__release_all(struct vm *vm)
{
	struct irqchip *chip = chip__of(vm);
	struct irqfd *irqfd;

	if (!chip)
		return;
	host__mutex_lock(&chip->irqfd_config);
	while ((irqfd = take_irqfd(chip, -1, 0)))
		shut_down(chip, irqfd);
	host__mutex_unlock(&chip->irqfd_config);
}
