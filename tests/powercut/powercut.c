/*
 * Loaded into the program by LD_PRELOAD, writes down what becomes of the files of one SQLite database, so
 * that a test can tell what a power cut would have left of them: every write and truncation, and when each
 * sync began and ended. Passes everything on; knows nothing of what is in the files.
 *
 * POWERCUT_FILE     the database; its -wal and -journal belong to it
 * POWERCUT_LOG      where to write
 * POWERCUT_SOCKETS  if set, what sockets receive and send is written down as well, in the same order
 * POWERCUT_SYNC_US  how long a sync takes at least, in microseconds: on a disk that is quick, hardly any cut
 *                   would meet something that is not synced
 *
 * A write and its line in the log are one step under a lock. A sync's beginning is written before it and its
 * end after it, and what is sent before it is: the log never claims more than was true at that moment.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITTEN = 1, TRUNCATED, SYNC_BEGAN, SYNC_ENDED, RECEIVED, SENT };

/* Descriptors above this are not followed; the program opens a few hundred. */
#define MAX_FD 65536
/* As much of a request as holds a short webhook. */
#define MAX_RECEIVED 16384
/* As much of an answer as holds its first line. */
#define MAX_SENT 64

struct line {
    uint32_t kind;
    /* 0 the database, 1 its -wal, 2 its -journal; for sockets the descriptor. */
    uint32_t file;
    /* Where it was written, how long the file is now, or which sync. */
    uint64_t at;
    uint64_t length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static int with_sockets;
static useconds_t sync_us;
static const char *database;
/* For each descriptor its file and one. */
static unsigned char followed[MAX_FD];
static uint64_t syncs;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("POWERCUT_LOG");
    const char *us = getenv("POWERCUT_SYNC_US");
    database = getenv("POWERCUT_FILE");
    with_sockets = getenv("POWERCUT_SOCKETS") != NULL;
    sync_us = us ? (useconds_t)atoi(us) : 0;
    if (log && database)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* With the lock held. */
static void note(uint32_t kind, uint32_t file, uint64_t at, const void *data, uint64_t length) {
    struct line line = {kind, file, at, length};
    struct iovec parts[2] = {{&line, sizeof line}, {(void *)data, data ? length : 0}};
    if (syscall(SYS_writev, log_fd, parts, 2) < 0)
        abort(); /* A test without its log proves nothing. */
}

static int file_of(int fd) {
    return fd >= 0 && fd < MAX_FD ? followed[fd] - 1 : -1;
}

static void opened(int fd, const char *path) {
    static const char *const suffixes[] = {"", "-wal", "-journal"};
    size_t length;
    if (fd < 0 || fd >= MAX_FD || log_fd < 0)
        return;
    followed[fd] = 0;
    length = strlen(database);
    if (strncmp(path, database, length) != 0)
        return;
    for (int file = 0; file < 3; file++)
        if (strcmp(path + length, suffixes[file]) == 0)
            followed[fd] = (unsigned char)(file + 1);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        int fd; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        fd = real(path, flags, mode); \
        opened(fd, path); \
        return fd; \
    }

OPEN(open)
OPEN(open64)

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < MAX_FD)
        followed[fd] = 0;
    return real(fd);
}

#define PWRITE(name, type) \
    ssize_t name(int fd, const void *data, size_t length, type at) { \
        REAL(name); \
        int file = file_of(fd); \
        ssize_t done; \
        if (file < 0) \
            return real(fd, data, length, at); \
        pthread_mutex_lock(&lock); \
        done = real(fd, data, length, at); \
        if (done > 0) \
            note(WRITTEN, (uint32_t)file, (uint64_t)at, data, (uint64_t)done); \
        pthread_mutex_unlock(&lock); \
        return done; \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t length) {
    REAL(write);
    int file = file_of(fd);
    off_t at;
    ssize_t done;
    if (file < 0)
        return real(fd, data, length);
    pthread_mutex_lock(&lock);
    at = lseek(fd, 0, SEEK_CUR);
    done = real(fd, data, length);
    if (done > 0)
        note(WRITTEN, (uint32_t)file, (uint64_t)at, data, (uint64_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}

#define TRUNCATE(name, type) \
    int name(int fd, type length) { \
        REAL(name); \
        int file = file_of(fd); \
        int failed; \
        if (file < 0) \
            return real(fd, length); \
        pthread_mutex_lock(&lock); \
        failed = real(fd, length); \
        if (!failed) \
            note(TRUNCATED, (uint32_t)file, (uint64_t)length, NULL, 0); \
        pthread_mutex_unlock(&lock); \
        return failed; \
    }

TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
    int name(int fd) { \
        REAL(name); \
        int file = file_of(fd); \
        int failed; \
        uint64_t nth; \
        if (file < 0) \
            return real(fd); \
        pthread_mutex_lock(&lock); \
        nth = ++syncs; \
        note(SYNC_BEGAN, (uint32_t)file, nth, NULL, 0); \
        pthread_mutex_unlock(&lock); \
        if (sync_us) \
            usleep(sync_us); \
        failed = real(fd); \
        pthread_mutex_lock(&lock); \
        if (!failed) \
            note(SYNC_ENDED, (uint32_t)file, nth, NULL, 0); \
        pthread_mutex_unlock(&lock); \
        return failed; \
    }

SYNC(fsync)
SYNC(fdatasync)

static void socket_note(uint32_t kind, int fd, const void *data, size_t length, size_t most) {
    int before = errno;
    pthread_mutex_lock(&lock);
    note(kind, (uint32_t)fd, 0, data, length < most ? length : most);
    pthread_mutex_unlock(&lock);
    errno = before;
}

static int heeds_sockets(void) {
    return with_sockets && log_fd >= 0;
}

ssize_t recv(int fd, void *data, size_t length, int flags) {
    REAL(recv);
    ssize_t done = real(fd, data, length, flags);
    if (done > 0 && heeds_sockets() && !(flags & MSG_PEEK))
        socket_note(RECEIVED, fd, data, (size_t)done, MAX_RECEIVED);
    return done;
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
    REAL(send);
    if (heeds_sockets())
        socket_note(SENT, fd, data, length, MAX_SENT);
    return real(fd, data, length, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    if (file_of(fd) >= 0)
        abort(); /* SQLite does not write like this; if it begins to, this must learn it. */
    if (heeds_sockets() && count > 0)
        socket_note(SENT, fd, parts[0].iov_base, parts[0].iov_len, MAX_SENT);
    return real(fd, parts, count);
}
