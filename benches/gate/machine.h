// The machine that the gate runs the library on: see machine.c.

#ifndef GATE_MACHINE_H
#define GATE_MACHINE_H

#include <stddef.h>

// What is counted while machine_measures(1) holds.
enum count {
    COUNT_ALLOCATIONS,
    COUNT_CLOCK,
    COUNT_SEND,
    COUNT_RECV,
    COUNT_EPOLL_WAIT,
    COUNT_READ,
    COUNT_WRITE,
    COUNT_FUTEX_WAIT,
    COUNT_FUTEX_WAKE,
    COUNT_YIELD,
    COUNT_RANDOM,
    COUNT_OTHER,
    COUNTS
};

// The first of the system calls among them.
#define COUNT_FIRST_CALL COUNT_SEND

extern const char *const count_names[COUNTS];
extern long counts[COUNTS];

// What the library sent since machine_forget_sent().
extern unsigned char *sent;
extern size_t sent_len;

// Begins: from now on the library's threads run one at a time, sockets and the clock are in memory.
// The caller is the program's only thread, and the library's only thread is at its wait.
void machine_start(void);

// With 1, zeroes the counts and counts from now on; with 0 stops that.
void machine_measures(int yes);

// Has the library's thread run until it waits for something that is not there.
void machine_runs_driver(void);

// These bytes have arrived at the socket. They have to last until they are read.
void machine_brings(const unsigned char *bytes, size_t len);

// Has each send() of the program's thread answered at once by the next of `count` pieces of `bytes`,
// of which the i-th begins at starts[i] and ends at starts[i + 1].
void machine_answers(const unsigned char *bytes, const size_t *starts, size_t count);

// Nothing happens for so many microseconds.
void machine_passes_time(long microseconds);

void machine_forget_sent(void);

// Has any system call end the program that the machine does not count.
void machine_forbids_other_calls(void);

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
