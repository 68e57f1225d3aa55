/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event descriptors: references, signalling, and one thread that watches those the core listens to. */
#define _GNU_SOURCE
#include "core/host.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include "hosts/user/service.h"
#include "hosts/user/syscall.h"

struct host_eventfd {
	int fd;	      /* a duplicate of the caller's */
	int original; /* the caller's number, for kernels that give no id */
	u64 id;	      /* the kernel's id of the counter; 0 unknown */
	u32 refs;     /* atomic */
	/* The watch, guarded by lock. */
	void (*fn)(void *arg);
	void *arg;
	struct host_eventfd *next;
};

static struct host_mutex lock;
static struct host_cond done;
static struct host_eventfd *watched;
static struct host_eventfd *running;
static int epoll_fd = -1;

/* ---- identity ---- */

static char *append(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	*to = 0;
	return to;
}

static char *append_number(char *to, u32 value)
{
	char digits[12];
	unsigned n = 0;

	do
		digits[n++] = '0' + value % 10;
	while (value /= 10);
	while (n)
		*to++ = digits[--n];
	*to = 0;
	return to;
}

static const char *find(const char *text, const char *word)
{
	for (; *text; text++) {
		unsigned i = 0;

		while (word[i] && text[i] == word[i])
			i++;
		if (!word[i])
			return text + i;
	}
	return NULL;
}

/* Reads what /proc says of a descriptor. False if it is no eventfd. */
static bool describe(int fd, u64 *id)
{
	char path[48], text[512];
	const char *s;

	if (fd < 0)
		return false;
	append_number(append(path, "/proc/self/fdinfo/"), fd);
	if (raw_read_file(path, text, sizeof(text)) <= 0 || !find(text, "eventfd-count:"))
		return false;
	*id = 0;
	s = find(text, "eventfd-id:");
	for (; s && *s == ' '; s++)
		;
	for (; s && *s >= '0' && *s <= '9'; s++)
		*id = *id * 10 + (*s - '0');
	/* An id of 0 is one, too; stored as 1 more. */
	if (find(text, "eventfd-id:"))
		*id += 1;
	return true;
}

struct host_eventfd *host__eventfd_get(int fd)
{
	struct host_eventfd *e;
	u64 id;

	if (!describe(fd, &id))
		return NULL;
	e = host__alloc(sizeof(*e));
	if (!e)
		return NULL;
	e->fd = RAW_SYSCALL(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
	if (e->fd < 0) {
		host__free(e);
		return NULL;
	}
	e->original = fd;
	e->id = id;
	e->refs = 1;
	return e;
}

void host__eventfd_put(struct host_eventfd *e)
{
	if (!e || __atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL))
		return;
	RAW_SYSCALL(SYS_close, e->fd);
	host__free(e);
}

bool host__eventfd_same(const struct host_eventfd *e, int fd)
{
	u64 id;

	if (!describe(fd, &id))
		return false;
	return e->id || id ? e->id == id : e->original == fd;
}

void host__eventfd_signal(struct host_eventfd *e)
{
	u64 one = 1;

	RAW_SYSCALL(SYS_write, e->fd, &one, sizeof(one));
}

/* ---- watching ---- */

/* Takes the count, without waiting if somebody else did already. */
static bool consume(int fd)
{
	u64 count;
	struct iovec vector = { &count, sizeof(count) };
	long n = RAW_SYSCALL(SYS_preadv2, fd, &vector, 1, -1, -1, RWF_NOWAIT);

	if (n == -EOPNOTSUPP || n == -ENOSYS)
		n = RAW_SYSCALL(SYS_read, fd, &count, sizeof(count));
	return n == sizeof(count);
}

static bool is_watched(const struct host_eventfd *e)
{
	const struct host_eventfd *w;

	for (w = watched; w; w = w->next)
		if (w == e)
			return true;
	return false;
}

static void handle(struct host_eventfd *e)
{
	host__mutex_lock(&lock);
	/* It may have gone since the kernel named it. */
	if (is_watched(e)) {
		running = e;
		host__mutex_unlock(&lock);
		if (consume(e->fd))
			e->fn(e->arg);
		host__mutex_lock(&lock);
		running = NULL;
		host__cond_broadcast(&done);
	}
	host__mutex_unlock(&lock);
}

static void *watch_thread(void *arg)
{
	for (;;) {
		struct epoll_event event;

		/* One at a time: a second one might be unwatched while the first is handled. */
		if (RAW_SYSCALL(SYS_epoll_wait, epoll_fd, &event, 1, -1) == 1)
			handle(event.data.ptr);
	}
	return NULL;
}

static int start_watching(void)
{
	int rc;

	if (epoll_fd >= 0)
		return 0;
	epoll_fd = RAW_SYSCALL(SYS_epoll_create1, EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return epoll_fd;
	rc = service__start("trivet-events", watch_thread);
	if (rc) {
		RAW_SYSCALL(SYS_close, epoll_fd);
		epoll_fd = -1;
	}
	return rc;
}

int host__eventfd_watch(struct host_eventfd *e, void (*fn)(void *arg), void *arg)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = e };
	int rc;

	host__mutex_lock(&lock);
	rc = start_watching();
	if (!rc && is_watched(e))
		rc = -EBUSY;
	if (rc)
		goto unlock;
	e->fn = fn;
	e->arg = arg;
	rc = RAW_SYSCALL(SYS_epoll_ctl, epoll_fd, EPOLL_CTL_ADD, e->fd, &event);
	if (!rc) {
		e->next = watched;
		watched = e;
	}
unlock:
	host__mutex_unlock(&lock);
	return rc;
}

void host__eventfd_unwatch(struct host_eventfd *e)
{
	struct host_eventfd **link;

	host__mutex_lock(&lock);
	for (link = &watched; *link; link = &(*link)->next) {
		if (*link == e) {
			RAW_SYSCALL(SYS_epoll_ctl, epoll_fd, EPOLL_CTL_DEL, e->fd, NULL);
			*link = e->next;
			break;
		}
	}
	while (running == e)
		host__cond_wait(&done, &lock);
	host__mutex_unlock(&lock);
}
