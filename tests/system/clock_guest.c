/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What busybox cannot ask of clocks: interrupts of /dev/rtc0 and /dev/hpet. Static, so that it runs in
 * the small guest.
 *
 *	clock-guest rtc|hpet
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/hpet.h>
#include <linux/rtc.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* The end of hope: nothing comes any more. */
#define PATIENCE_MS 60000

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("line %d: not so: %s: %s\n", __LINE__, #condition, strerror(errno)); \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* Waits for an interrupt: what the device says of it; 0 if none comes. */
static unsigned long wait_for_interrupt(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	unsigned long data = 0;

	if (poll(&ready, 1, PATIENCE_MS) != 1 || read(fd, &data, sizeof(data)) != sizeof(data))
		return 0;
	return data;
}

static int seconds_between(const struct rtc_time *from, const struct rtc_time *to)
{
	struct tm a = { .tm_sec = from->tm_sec, .tm_min = from->tm_min, .tm_hour = from->tm_hour,
			.tm_mday = from->tm_mday, .tm_mon = from->tm_mon, .tm_year = from->tm_year };
	struct tm b = { .tm_sec = to->tm_sec, .tm_min = to->tm_min, .tm_hour = to->tm_hour,
			.tm_mday = to->tm_mday, .tm_mon = to->tm_mon, .tm_year = to->tm_year };

	return (int)(mktime(&b) - mktime(&a));
}

static struct rtc_time add_seconds(const struct rtc_time *from, int seconds)
{
	struct tm tm = { .tm_sec = from->tm_sec + seconds, .tm_min = from->tm_min,
			 .tm_hour = from->tm_hour, .tm_mday = from->tm_mday,
			 .tm_mon = from->tm_mon, .tm_year = from->tm_year };

	mktime(&tm);
	return (struct rtc_time){ .tm_sec = tm.tm_sec, .tm_min = tm.tm_min, .tm_hour = tm.tm_hour,
				  .tm_mday = tm.tm_mday, .tm_mon = tm.tm_mon, .tm_year = tm.tm_year };
}

/* An alarm comes at its second or later, never earlier; updates and periods come again and again. */
static int rtc(void)
{
	struct rtc_time start, now, alarm;
	struct rtc_wkalrm wake;
	int fd = open("/dev/rtc0", O_RDONLY), i;

	MUST(fd >= 0);
	MUST(!ioctl(fd, RTC_RD_TIME, &start));
	alarm = add_seconds(&start, 2);
	MUST(!ioctl(fd, RTC_ALM_SET, &alarm) && !ioctl(fd, RTC_AIE_ON));
	MUST(wait_for_interrupt(fd) & RTC_AF);
	MUST(!ioctl(fd, RTC_RD_TIME, &now));
	MUST(seconds_between(&start, &now) >= 2);
	MUST(!ioctl(fd, RTC_AIE_OFF));
	/* One that is taken back does not come; the update after its second does. */
	MUST(!ioctl(fd, RTC_RD_TIME, &start));
	wake = (struct rtc_wkalrm){ .enabled = 1, .time = add_seconds(&start, 2) };
	MUST(!ioctl(fd, RTC_WKALM_SET, &wake));
	memset(&wake, 0, sizeof(wake));
	MUST(!ioctl(fd, RTC_WKALM_RD, &wake) && wake.enabled);
	MUST(seconds_between(&start, &wake.time) == 2);
	MUST(!ioctl(fd, RTC_AIE_OFF));
	MUST(!ioctl(fd, RTC_UIE_ON));
	for (i = 0; i < 4; i++)
		MUST((wait_for_interrupt(fd) & (RTC_UF | RTC_AF)) == RTC_UF);
	MUST(!ioctl(fd, RTC_UIE_OFF));
	MUST(!ioctl(fd, RTC_RD_TIME, &now) && seconds_between(&start, &now) >= 3);
	MUST(!ioctl(fd, RTC_IRQP_SET, 64) && !ioctl(fd, RTC_PIE_ON));
	for (i = 0; i < 64; i++)
		MUST(wait_for_interrupt(fd) & RTC_PF);
	MUST(!ioctl(fd, RTC_PIE_OFF));
	return 0;
}

/* A comparator that the kernel has not taken, with an interrupt of its own. */
static int hpet(void)
{
	struct hpet_info info;
	int fd = open("/dev/hpet", O_RDONLY), i;

	MUST(fd >= 0);
	MUST(!ioctl(fd, HPET_IRQFREQ, 50));
	MUST(!ioctl(fd, HPET_INFO, &info));
	MUST(info.hi_ireqfreq == 50);
	MUST(!ioctl(fd, HPET_IE_ON));
	for (i = 0; i < 50; i++)
		MUST(wait_for_interrupt(fd));
	MUST(!ioctl(fd, HPET_IE_OFF));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "rtc"))
		return rtc();
	if (argc == 2 && !strcmp(argv[1], "hpet"))
		return hpet();
	return 2;
}
