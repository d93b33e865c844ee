// A machine in memory. The functions of the C library that are defined here go before those of libc,
// also for the shared library: what it sends, reads, waits for and allocates comes by here.
//
// Only one thread runs at a time, and which one is decided by what it asks for and never by the
// system: the program's thread hands over when it yields, sleeps, or says so; the library's thread
// hands back when it waits for something that is not there. The clock goes on only when it is read
// or told to. So each run does the same, to the instruction, on whatever machine.

#include "machine.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

// What one reading of the clock takes. A wait that spins until the clock says otherwise ends.
enum { CLOCK_STEP_NS = 50 };

const char *const count_names[COUNTS] = {
    "allocations", "clock", "send", "recv", "epoll_wait", "read", "write", "futex_wait", "futex_wake",
    "sched_yield", "getrandom", "other",
};
long counts[COUNTS];
unsigned char *sent;
size_t sent_len;

static size_t sent_room;
static atomic_int started;
// Written by the thread whose turn it is.
static int measuring;
static int64_t passed_ns;
static const unsigned char *arrived;
static size_t arrived_len;
static int arrived_is_news;
static const unsigned char *answers;
static const size_t *answer_starts;
static size_t answer_next, answer_count;

static int socket_fd = -1;
static epoll_data_t socket_token;

static __thread int is_program;
static __thread int collecting;

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("gate: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

// What the clocks said when the machine began.
enum { CLOCKS = 12 };
static struct timespec begun[CLOCKS];

// --- Who runs ------------------------------------------------------------------------------------

static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int programs_turn = 1;

static void hand_over_to(int program) {
    pthread_mutex_lock(&turn_lock);
    programs_turn = program;
    pthread_cond_broadcast(&turn_changed);
    while (programs_turn == program) pthread_cond_wait(&turn_changed, &turn_lock);
    pthread_mutex_unlock(&turn_lock);
}

// Callgrind counts a thread's instructions while it is in the library or in the measured program, and
// not while it is in here.
static void collect(int yes) {
    if (collecting == yes) return;
    collecting = yes;
    CALLGRIND_TOGGLE_COLLECT;
}

static void enter(enum count what) {
    collect(0);
    if (measuring) counts[what]++;
}

static void leave(void) { collect(measuring); }

static void run_driver(void) {
    if (!is_program) die("the library's thread waits for itself");
    hand_over_to(0);
}

void machine_runs_driver(void) {
    collect(0);
    run_driver();
    leave();
}

void machine_start(void) {
    is_program = 1;
    for (int clock = 0; clock < CLOCKS; clock++) clock_gettime(clock, &begun[clock]);
    atomic_store(&started, 1);
    run_driver();
}

void machine_measures(int yes) {
    if (yes) memset(counts, 0, sizeof counts);
    measuring = yes;
    leave();
}

void machine_passes_time(long microseconds) { passed_ns += microseconds * 1000; }

void machine_forget_sent(void) { sent_len = 0; }

void machine_brings(const unsigned char *bytes, size_t len) {
    if (arrived_len) die("%zu bytes of what arrived before were not read", arrived_len);
    arrived = bytes;
    arrived_len = len;
    arrived_is_news = 1;
}

void machine_answers(const unsigned char *bytes, const size_t *starts, size_t count) {
    answers = bytes;
    answer_starts = starts;
    answer_next = 0;
    answer_count = count;
}

// --- Memory --------------------------------------------------------------------------------------

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

// The instructions of the allocator belong to a message's costs; only the counting does not.
static void count_allocation(void) {
    if (!measuring) return;
    enter(COUNT_ALLOCATIONS);
    leave();
}

void *malloc(size_t size) {
    count_allocation();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    count_allocation();
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    count_allocation();
    return __libc_realloc(block, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    count_allocation();
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) {
    count_allocation();
    return __libc_memalign(alignment, size);
}

// --- System calls --------------------------------------------------------------------------------

// The function of libc that one here goes before.
#define LIBC(name) \
    static __typeof__(name) *libc; \
    if (!libc) *(void **)&libc = dlsym(RTLD_NEXT, #name)

int clock_gettime(clockid_t clock, struct timespec *time) {
    LIBC(clock_gettime);
    if (!atomic_load(&started)) return libc(clock, time);
    enter(COUNT_CLOCK);
    if (clock < 0 || clock >= CLOCKS) die("clock %d was read", (int)clock);
    int64_t ns = begun[clock].tv_nsec + passed_ns;
    time->tv_sec = begun[clock].tv_sec + ns / 1000000000;
    time->tv_nsec = ns % 1000000000;
    passed_ns += CLOCK_STEP_NS;
    leave();
    return 0;
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event) {
    LIBC(epoll_ctl);
    enter(COUNT_OTHER);
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (what == EPOLL_CTL_ADD && !getsockname(fd, (void *)&address, &len) &&
        address.ss_family == AF_INET) {
        socket_fd = fd;
        socket_token = event->data;
    }
    int result = libc(epoll, what, fd, event);
    leave();
    return result;
}

// The socket tells of what has arrived once, as an edge. All other descriptors are real.
int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout) {
    LIBC(epoll_wait);
    // Looks up often enough to see that the machine has started.
    while (!atomic_load(&started)) {
        int slice = timeout < 0 || timeout > 5 ? 5 : timeout;
        int count = libc(epoll, events, room, slice);
        if (timeout > 0) timeout -= slice;
        if (count || !timeout) return count;
    }
    enter(COUNT_EPOLL_WAIT);
    for (;;) {
        int count = libc(epoll, events, room - 1, 0);
        if (count < 0) die("epoll_wait: %s", strerror(errno));
        if (arrived_is_news) {
            arrived_is_news = 0;
            events[count].events = EPOLLIN;
            events[count++].data = socket_token;
        }
        if (count || !timeout) {
            leave();
            return count;
        }
        if (is_program) die("the program waits by epoll_wait");
        hand_over_to(1);
    }
}

ssize_t recv(int fd, void *buffer, size_t room, int flags) {
    LIBC(recv);
    if (!atomic_load(&started)) return libc(fd, buffer, room, flags);
    enter(COUNT_RECV);
    if (fd != socket_fd) die("recv from another descriptor than the socket");
    size_t len = room < arrived_len ? room : arrived_len;
    memcpy(buffer, arrived, len);
    arrived += len;
    arrived_len -= len;
    leave();
    if (len) return len;
    errno = EAGAIN;
    return -1;
}

ssize_t send(int fd, const void *bytes, size_t len, int flags) {
    LIBC(send);
    if (!atomic_load(&started)) return libc(fd, bytes, len, flags);
    enter(COUNT_SEND);
    if (fd != socket_fd) die("send to another descriptor than the socket");
    if (sent_len + len > sent_room) {
        sent_room = (sent_len + len) * 2;
        sent = __libc_realloc(sent, sent_room);
        if (!sent) die("no memory");
    }
    memcpy(sent + sent_len, bytes, len);
    sent_len += len;
    if (is_program && answer_next < answer_count) {
        const size_t *start = &answer_starts[answer_next++];
        machine_brings(answers + start[0], start[1] - start[0]);
    }
    leave();
    return len;
}

ssize_t read(int fd, void *buffer, size_t room) {
    LIBC(read);
    enter(COUNT_READ);
    ssize_t result = libc(fd, buffer, room);
    leave();
    return result;
}

ssize_t write(int fd, const void *bytes, size_t len) {
    LIBC(write);
    enter(COUNT_WRITE);
    ssize_t result = libc(fd, bytes, len);
    leave();
    return result;
}

ssize_t getrandom(void *buffer, size_t len, unsigned flags) {
    LIBC(getrandom);
    enter(COUNT_RANDOM);
    ssize_t result = libc(buffer, len, flags);
    leave();
    return result;
}

int sched_yield(void) {
    LIBC(sched_yield);
    if (!atomic_load(&started)) return libc();
    enter(COUNT_YIELD);
    if (is_program) run_driver();
    leave();
    return 0;
}

// Locks and sleeps of Rust are futexes.
static long futex(atomic_int *word, int what, int value) {
    switch (what & FUTEX_CMD_MASK) {
    case FUTEX_WAKE:
        // Who sleeps looks at the word when it has its turn.
        enter(COUNT_FUTEX_WAKE);
        leave();
        return 1;
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        enter(COUNT_FUTEX_WAIT);
        if (atomic_load(word) == value) {
            run_driver();
            if (atomic_load(word) == value) die("the program sleeps, and nothing would wake it");
        }
        leave();
        return 0;
    default:
        die("futex operation %d", what);
    }
}

long syscall(long number, ...) {
    LIBC(syscall);
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (atomic_load(&started) && number == SYS_futex) {
        return futex((atomic_int *)a[0], (int)a[1], (int)a[2]);
    }
    enter(COUNT_OTHER);
    long result = libc(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    leave();
    return result;
}

// --- What is not counted -------------------------------------------------------------------------

static void report_call(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    die("the library made system call %d, which is none of those that are counted here",
        info->si_syscall);
}

void machine_forbids_other_calls(void) {
    struct sigaction action = {.sa_sigaction = report_call, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
#define ALLOW(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        // Counted above, where the library makes them.
        ALLOW(SYS_read),
        ALLOW(SYS_write),
        ALLOW(SYS_getrandom),
        ALLOW(SYS_epoll_pwait),
#ifdef SYS_epoll_wait
        ALLOW(SYS_epoll_wait),
#endif
        // By these the threads hand over in here; those of the library's come to futex() above.
        ALLOW(SYS_futex),
        // The allocator's, which allocations are counted for.
        ALLOW(SYS_brk),
        ALLOW(SYS_mmap),
        ALLOW(SYS_munmap),
        ALLOW(SYS_mremap),
        ALLOW(SYS_mprotect),
        ALLOW(SYS_madvise),
        // The end.
        ALLOW(SYS_exit_group),
        ALLOW(SYS_rt_sigreturn),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no_new_privs: %s", strerror(errno));
    // For all threads.
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)) {
        die("seccomp: %s", strerror(errno));
    }
}
