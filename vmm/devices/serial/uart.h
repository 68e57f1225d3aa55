/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 16550A UART: registers and state (National Semiconductor PC16550D data sheet). */
#ifndef VMM_DEVICES_SERIAL_UART_H
#define VMM_DEVICES_SERIAL_UART_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/device/irq.h"

struct char_backend;
struct access;

#define UART_FIFO 16u
#define UART_PORTS 8u

struct uart {
	pthread_mutex_t lock; /* guards all below */
	struct irq_wire irq;
	struct char_backend *backend; /* NULL: nothing is plugged in */

	/* registers */
	uint8_t ier, lcr, mcr, lsr, msr, scr, fcr;
	uint16_t divisor;
	/* receive FIFO; depth 1 when FIFOs are off */
	uint8_t rx[UART_FIFO];
	uint8_t rx_start, rx_count;
	/* transmit FIFO: what the back end has not taken yet */
	uint8_t tx[UART_FIFO];
	uint8_t tx_start, tx_count;
	uint8_t thre_pending; /* the transmit interrupt, cleared by reading IIR */
	/* LSR reads in a row by a guest that polls: see uart.c */
	uint8_t idle_polls;
};

void uart__init(struct uart *uart);
void uart__destroy(struct uart *uart);
void uart__reset(struct uart *uart);
/* One byte-wide register access; any thread. */
void uart__access(struct uart *uart, struct access *access);
/* Back end events: input is there, output is taken again. Loop thread. */
void uart__readable(struct uart *uart);
void uart__writable(struct uart *uart);
/* Carrier: whether a peer is connected (DCD, DSR, CTS). */
void uart__set_carrier(struct uart *uart, bool present);
/* Whether fields that were loaded make sense; sets the interrupt wire. 0 or -EINVAL. */
int uart__after_load(struct uart *uart);

#endif
