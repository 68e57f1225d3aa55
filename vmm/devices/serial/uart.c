/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A UART. The line is infinitely fast: what is written is sent at once if the back end takes
 * it, and the receiver's character time-out is over as soon as the line is quiet.
 *
 * The far end sends only when the guest listens, so nothing is lost while a driver probes the port
 * and clears its buffers: either the receive interrupt is enabled and can reach the CPU, or the
 * guest polls the line status again and again with nothing left to send.
 */
#include "vmm/devices/serial/uart.h"

#include <errno.h>
#include <string.h>

#include "vmm/char/char.h"
#include "vmm/memory/dispatch.h"

#define POLLS_BEFORE_INPUT 16

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RDI 0x01u  /* received data, time-out */
#define IER_THRI 0x02u /* transmitter empty */
#define IER_RLSI 0x04u /* line status */
#define IER_MSI 0x08u  /* modem status */
#define IER_MASK 0x0fu

#define IIR_NONE 0x01u
#define IIR_MSI 0x00u
#define IIR_THRI 0x02u
#define IIR_RDI 0x04u
#define IIR_RLSI 0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFOS 0xc0u

#define FCR_ENABLE 0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_CLEAR_TX 0x04u
#define FCR_KEPT 0xc9u /* enable, DMA mode, trigger level */

#define LCR_DLAB 0x80u
#define LCR_BREAK 0x40u

#define MCR_DTR 0x01u
#define MCR_RTS 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u /* on a PC: gates the interrupt line */
#define MCR_LOOP 0x10u
#define MCR_MASK 0x1fu

#define LSR_DR 0x01u
#define LSR_OE 0x02u
#define LSR_ERRORS 0x1eu
#define LSR_BI 0x10u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u

#define MSR_DELTAS 0x0fu
#define MSR_TERI 0x04u
#define MSR_CTS 0x10u
#define MSR_DSR 0x20u
#define MSR_RI 0x40u
#define MSR_DCD 0x80u

static bool fifos_on(const struct uart *uart)
{
	return uart->fcr & FCR_ENABLE;
}

static unsigned fifo_depth(const struct uart *uart)
{
	return fifos_on(uart) ? UART_FIFO : 1;
}

static unsigned trigger_level(const struct uart *uart)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return fifos_on(uart) ? levels[uart->fcr >> 6] : 1;
}

/* The identification of the highest-priority pending interrupt (data sheet, table IV). */
static uint8_t identify_interrupt(const struct uart *uart)
{
	if (uart->ier & IER_RLSI && uart->lsr & LSR_ERRORS)
		return IIR_RLSI;
	if (uart->ier & IER_RDI && uart->rx_count)
		return uart->rx_count >= trigger_level(uart) ? IIR_RDI : IIR_TIMEOUT;
	if (uart->ier & IER_THRI && uart->thre_pending)
		return IIR_THRI;
	if (uart->ier & IER_MSI && uart->msr & MSR_DELTAS)
		return IIR_MSI;
	return IIR_NONE;
}

static void update_irq(struct uart *uart)
{
	bool gated = uart->mcr & MCR_OUT2 && !(uart->mcr & MCR_LOOP);

	irq_wire__set(&uart->irq, gated && identify_interrupt(uart) != IIR_NONE);
}

static void receive_byte(struct uart *uart, uint8_t byte)
{
	if (uart->rx_count >= fifo_depth(uart)) {
		uart->lsr |= LSR_OE;
		if (fifos_on(uart))
			return;
		uart->rx_count = 0; /* without FIFOs the newer byte wins */
	}
	uart->rx[(uart->rx_start + uart->rx_count) % UART_FIFO] = byte;
	uart->rx_count++;
	uart->lsr |= LSR_DR;
}

static bool guest_listens(const struct uart *uart)
{
	bool by_interrupt = uart->ier & IER_RDI && uart->mcr & MCR_OUT2;

	return !(uart->mcr & MCR_LOOP) &&
	       (by_interrupt || uart->idle_polls >= POLLS_BEFORE_INPUT);
}

/* Fetches input for the room there is. */
static void fetch_input(struct uart *uart)
{
	uint8_t bytes[UART_FIFO];
	size_t got, i;

	if (!uart->backend || uart->rx_count >= fifo_depth(uart) || !guest_listens(uart))
		return;
	got = char__read(uart->backend, bytes, fifo_depth(uart) - (size_t)uart->rx_count);
	for (i = 0; i < got; i++)
		receive_byte(uart, bytes[i]);
}

static void send_fifo(struct uart *uart)
{
	while (uart->tx_count) {
		uint8_t byte = uart->tx[uart->tx_start];

		if (uart->backend && !char__write(uart->backend, &byte, 1))
			return; /* uart__writable() comes */
		uart->tx_start = (uart->tx_start + 1) % UART_FIFO;
		uart->tx_count--;
	}
	uart->lsr |= LSR_THRE | LSR_TEMT;
	uart->thre_pending = 1;
}

static void write_data(struct uart *uart, uint8_t byte)
{
	uart->idle_polls = 0;
	uart->thre_pending = 0;
	if (uart->mcr & MCR_LOOP) {
		receive_byte(uart, byte);
		uart->lsr |= LSR_THRE | LSR_TEMT;
		uart->thre_pending = 1;
		return;
	}
	if (uart->tx_count >= fifo_depth(uart)) /* overrun: the last byte is overwritten */
		uart->tx_count--;
	uart->tx[(uart->tx_start + uart->tx_count) % UART_FIFO] = byte;
	uart->tx_count++;
	uart->lsr &= ~(LSR_THRE | LSR_TEMT);
	send_fifo(uart);
}

static uint8_t read_data(struct uart *uart)
{
	uint8_t byte = uart->rx[uart->rx_start]; /* empty: what was read last, as the chip does */

	if (uart->rx_count) {
		uart->rx_start = (uart->rx_start + 1) % UART_FIFO;
		uart->rx_count--;
	}
	if (!uart->rx_count) {
		uart->lsr &= ~LSR_DR;
		fetch_input(uart);
	}
	return byte;
}

static uint8_t read_iir(struct uart *uart)
{
	uint8_t iir = identify_interrupt(uart);

	if (iir == IIR_THRI)
		uart->thre_pending = 0;
	return iir | (fifos_on(uart) ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct uart *uart)
{
	uint8_t lsr;

	if (!(uart->lsr & LSR_DR) && uart->lsr & LSR_THRE) {
		if (uart->idle_polls < POLLS_BEFORE_INPUT)
			uart->idle_polls++;
		fetch_input(uart);
	}
	lsr = uart->lsr;
	uart->lsr &= ~LSR_ERRORS;
	return lsr;
}

/* In loopback the modem outputs come back as modem inputs (data sheet, 8.6.7). */
static uint8_t modem_inputs(const struct uart *uart)
{
	if (!(uart->mcr & MCR_LOOP))
		return uart->msr & ~MSR_DELTAS;
	return (uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
	       (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static uint8_t read_msr(struct uart *uart)
{
	uint8_t msr = modem_inputs(uart) | (uart->msr & MSR_DELTAS);

	uart->msr &= ~MSR_DELTAS;
	return msr;
}

/* Notes what changed between two sets of modem inputs; RI counts when it goes away. */
static void note_deltas(struct uart *uart, uint8_t before, uint8_t after)
{
	uint8_t changed = (before ^ after) >> 4;

	uart->msr |= changed & ~MSR_TERI;
	if (before & ~after & MSR_RI)
		uart->msr |= MSR_TERI;
}

static void write_mcr(struct uart *uart, uint8_t value)
{
	uint8_t before = modem_inputs(uart);

	uart->mcr = value & MCR_MASK;
	note_deltas(uart, before, modem_inputs(uart));
	fetch_input(uart);
}

static void write_fcr(struct uart *uart, uint8_t value)
{
	uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
	/*
	 * Switching the FIFOs on or off clears them in the chip, too. Here a received byte stays:
	 * drivers enable the receive interrupt first and the FIFOs after that, and would lose it.
	 */
	if (value & FCR_ENABLE && value & FCR_CLEAR_RX) {
		uart->rx_count = 0;
		uart->lsr &= ~(LSR_DR | LSR_BI);
	}
	/* Bytes that wait for the back end are on the line already; they are not cleared. */
	fetch_input(uart);
}

static void write_ier(struct uart *uart, uint8_t value)
{
	bool thri_rises = value & ~uart->ier & IER_THRI;

	uart->ier = value & IER_MASK;
	/* Enabling it with an empty transmitter interrupts at once; drivers test for this. */
	if (thri_rises && uart->lsr & LSR_THRE)
		uart->thre_pending = 1;
	if (uart->ier & IER_RDI)
		uart->idle_polls = 0;
	fetch_input(uart);
}

static uint8_t read_register(struct uart *uart, unsigned reg)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? (uint8_t)uart->divisor : read_data(uart);
	case REG_IER:
		return dlab ? (uint8_t)(uart->divisor >> 8) : uart->ier;
	case REG_IIR_FCR:
		return read_iir(uart);
	case REG_LCR:
		return uart->lcr;
	case REG_MCR:
		return uart->mcr;
	case REG_LSR:
		return read_lsr(uart);
	case REG_MSR:
		return read_msr(uart);
	default:
		return uart->scr;
	}
}

static void write_register(struct uart *uart, unsigned reg, uint8_t value)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			uart->divisor = (uart->divisor & 0xff00) | value;
		else
			write_data(uart, value);
		break;
	case REG_IER:
		if (dlab)
			uart->divisor = (uint16_t)((uart->divisor & 0xff) | value << 8);
		else
			write_ier(uart, value);
		break;
	case REG_IIR_FCR:
		write_fcr(uart, value);
		break;
	case REG_LCR:
		uart->lcr = value;
		break;
	case REG_MCR:
		write_mcr(uart, value);
		break;
	case REG_SCR:
		uart->scr = value;
		break;
	}
}

void uart__access(struct uart *uart, struct access *access)
{
	unsigned reg = access->offset % UART_PORTS;

	pthread_mutex_lock(&uart->lock);
	if (access->write)
		write_register(uart, reg, (uint8_t)access->value);
	else
		access->value = read_register(uart, reg);
	update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
}

void uart__readable(struct uart *uart)
{
	pthread_mutex_lock(&uart->lock);
	fetch_input(uart);
	update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
}

void uart__writable(struct uart *uart)
{
	pthread_mutex_lock(&uart->lock);
	if (uart->tx_count)
		send_fifo(uart);
	update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
}

void uart__set_carrier(struct uart *uart, bool present)
{
	uint8_t before, inputs = present ? MSR_CTS | MSR_DSR | MSR_DCD : 0;

	pthread_mutex_lock(&uart->lock);
	before = uart->msr & ~MSR_DELTAS;
	uart->msr = inputs | (uart->msr & MSR_DELTAS);
	if (!(uart->mcr & MCR_LOOP))
		note_deltas(uart, before, inputs);
	update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
}

int uart__after_load(struct uart *uart)
{
	if (uart->rx_count > UART_FIFO || uart->tx_count > UART_FIFO || uart->rx_start >= UART_FIFO ||
	    uart->tx_start >= UART_FIFO)
		return -EINVAL;
	pthread_mutex_lock(&uart->lock);
	uart->idle_polls = 0;
	if (uart->tx_count)
		send_fifo(uart);
	update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
	return 0;
}

void uart__init(struct uart *uart)
{
	pthread_mutex_init(&uart->lock, NULL);
	uart->msr = MSR_CTS | MSR_DSR | MSR_DCD;
}

void uart__destroy(struct uart *uart)
{
	pthread_mutex_destroy(&uart->lock);
}

void uart__reset(struct uart *uart)
{
	pthread_mutex_lock(&uart->lock);
	uart->ier = uart->lcr = uart->mcr = uart->fcr = uart->scr = 0;
	uart->divisor = 12; /* 9600 baud, as firmware leaves it */
	uart->lsr = uart->tx_count ? 0 : LSR_THRE | LSR_TEMT;
	uart->msr &= ~MSR_DELTAS;
	uart->rx_start = uart->rx_count = 0;
	uart->thre_pending = 0;
	uart->idle_polls = 0;
	update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
}
