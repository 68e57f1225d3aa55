/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text on COM1, polled (16550 data sheet: THRE is bit 5 of the line status). */
#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/guest.h"

#define COM1 0x3f8
#define LSR_THRE 0x20

void console__put(char c)
{
	if (c == '\n')
		console__put('\r');
	while (!(in8(COM1 + 5) & LSR_THRE))
		;
	out8(COM1, c);
}

struct text {
	char *at, *end;
};

static void add(struct text *t, char c)
{
	if (t->at < t->end)
		*t->at++ = c;
}

static void add_number(struct text *t, u64 value, unsigned base)
{
	char digit[24];
	unsigned n = 0;

	do {
		/* No 64-bit division in 32-bit guests: decimal numbers are small there. */
		unsigned d = base == 16 ? value & 15 : (u32)value % 10;

		digit[n++] = d < 10 ? '0' + d : 'a' + d - 10;
		value = base == 16 ? value >> 4 : (u32)value / 10;
	} while (value);
	while (n)
		add(t, digit[--n]);
}

static void add_argument(struct text *t, char kind, bool wide, va_list *ap)
{
	const char *s;
	s32 d;

	switch (kind) {
	case 's':
		for (s = va_arg(*ap, const char *); *s; s++)
			add(t, *s);
		break;
	case 'c':
		add(t, va_arg(*ap, int));
		break;
	case 'd':
		d = va_arg(*ap, int);
		if (d < 0)
			add(t, '-');
		add_number(t, d < 0 ? -(u32)d : (u32)d, 10);
		break;
	case 'u':
		add_number(t, va_arg(*ap, unsigned), 10);
		break;
	case 'x':
		add_number(t, wide ? va_arg(*ap, u64) : va_arg(*ap, unsigned), 16);
		break;
	default:
		add(t, kind);
	}
}

void console__format(char *buf, size_t size, const char *format, va_list ap)
{
	struct text t = { buf, buf + size - 1 };
	va_list args;

	va_copy(args, ap);
	for (; *format; format++) {
		bool wide;

		if (*format != '%') {
			add(&t, *format);
			continue;
		}
		wide = *++format == 'l';
		format += wide;
		add_argument(&t, *format, wide, &args);
	}
	va_end(args);
	*t.at = 0;
}

void console__print(const char *format, ...)
{
	char line[256], *c;
	va_list ap;

	va_start(ap, format);
	console__format(line, sizeof(line), format, ap);
	va_end(ap);
	for (c = line; *c; c++)
		console__put(*c);
}
