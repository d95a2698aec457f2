/* Stands between a program and the C library (LD_PRELOAD), for tests only: every call that
 * writes, syncs or names a file under one directory is counted. From Python (ctypes) it is told
 * to kill the process at the n-th of them, to let them fail, or to record them all.
 *
 * Calls through memory maps are not seen: LMDB writes its data with calls, and only its lock
 * file by a map. One OS thread is armed at a time; the counter is atomic all the same. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, ROOT = 4, NAME = 8 }; /* ROOT: a write that waits (O_DSYNC) */

static char root[4096];
static size_t root_bytes;
static int log_fd = -1;
static long calls, kill_at, torn;
static long fail_kinds, fail_skip, fail_count;
static int fail_errno; /* -1: half of a write is done; -2: done, and EIO said all the same */

void shim_watch(const char *directory) {
    snprintf(root, sizeof root, "%s", directory);
    root_bytes = strlen(root);
}
void shim_kill(long at, long half) { calls = 0; kill_at = at; torn = half; }
void shim_fail(long kinds, long skip, long count, int number) {
    fail_kinds = kinds; fail_skip = skip; fail_count = count; fail_errno = number;
}
long shim_failures_left(void) { return fail_count; }
long shim_calls(void) { return calls; }
void shim_log(int fd) { log_fd = fd; }

struct head { char op; char failed; char waits; char pad[5]; uint64_t inode, offset, bytes, names; };

static void raw(const void *data, size_t bytes) {
    const char *at = data;
    while (bytes) {
        long done = syscall(SYS_write, log_fd, at, bytes);
        if (done <= 0) _exit(99);
        at += done; bytes -= (size_t)done;
    }
}
static void note(char op, int failed, int waits, uint64_t inode, uint64_t offset,
                 const char *names, const void *data, size_t bytes) {
    if (log_fd < 0) return;
    struct head h = {op, (char)failed, (char)waits, {0}, inode, offset, bytes, strlen(names)};
    raw(&h, sizeof h); raw(names, h.names); raw(data, bytes);
}
/* What the program has been told so far: an acknowledgement, among what was written. */
void shim_mark(const char *text) { note('m', 0, 0, 0, 0, text, "", 0); }

static int under(const char *path) {
    return root_bytes && strncmp(path, root, root_bytes) == 0 &&
           (path[root_bytes] == '/' || path[root_bytes] == 0);
}
static int of_fd(int fd, char *path) {
    char link[64];
    if (!root_bytes || fd == log_fd) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long n = readlink(link, path, 4095);
    if (n <= 0) return 0;
    path[n] = 0;
    return under(path);
}
static void of_at(int fd, const char *name, char *path) {
    char base[4096] = "";
    if (name[0] == '/') snprintf(path, 8192, "%s", name);
    else if (fd != AT_FDCWD && of_fd(fd, base)) snprintf(path, 8192, "%s/%s", base, name);
    else path[0] = 0;
}
static uint64_t inode_fd(int fd) { struct stat s; return fstat(fd, &s) ? 0 : s.st_ino; }
static uint64_t inode_at(const char *p) { struct stat s; return lstat(p, &s) ? 0 : s.st_ino; }

static void die(void) { for (;;) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); }
/* 1: this is the call before which the process dies. */
static int count(void) {
    long now = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    return kill_at && now == kill_at;
}
static int fails(int kind) {
    if (!(fail_kinds & kind) || fail_count == 0) return 0;
    if (fail_skip > 0) { fail_skip--; return 0; }
    fail_count--;
    return 1;
}

static ssize_t writes(int fd, const char *data, size_t bytes, off_t offset, const char *path) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite");
    int flags = fcntl(fd, F_GETFL), waits = (flags & O_DSYNC) != 0;
    uint64_t inode = inode_fd(fd);
    if (count()) {
        if (torn && bytes > 1) real(fd, data, bytes / 2, offset);
        die();
    }
    if (fails(waits ? ROOT : WRITE)) {
        if (fail_errno == -1 && bytes > 1) {
            bytes /= 2;
            note('w', 0, waits, inode, (uint64_t)offset, path, data, bytes);
            return real(fd, data, bytes, offset);
        }
        if (fail_errno == -2) {
            real(fd, data, bytes, offset);
            note('w', 0, 0, inode, (uint64_t)offset, path, data, bytes); /* not waited for */
        }
        errno = fail_errno > 0 ? fail_errno : EIO;
        return -1;
    }
    ssize_t done = real(fd, data, bytes, offset);
    if (done > 0) note('w', 0, waits, inode, (uint64_t)offset, path, data, (size_t)done);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    char path[4096];
    if (!real) real = dlsym(RTLD_NEXT, "pwrite");
    if (!of_fd(fd, path)) return real(fd, data, bytes, offset);
    return writes(fd, data, bytes, offset, path);
}
ssize_t pwrite64(int fd, const void *d, size_t n, off_t at) { return pwrite(fd, d, n, at); }

ssize_t write(int fd, const void *data, size_t bytes) {
    static ssize_t (*real)(int, const void *, size_t);
    char path[4096];
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (!of_fd(fd, path)) return real(fd, data, bytes);
    off_t at = (fcntl(fd, F_GETFL) & O_APPEND) ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    ssize_t done = writes(fd, data, bytes, at, path);
    if (done > 0) lseek(fd, at + done, SEEK_SET);
    return done;
}

static char *flat(const struct iovec *v, int n, size_t *bytes) {
    *bytes = 0;
    for (int i = 0; i < n; i++) *bytes += v[i].iov_len;
    char *all = malloc(*bytes + 1), *at = all;
    for (int i = 0; i < n; i++) { memcpy(at, v[i].iov_base, v[i].iov_len); at += v[i].iov_len; }
    return all;
}
ssize_t writev(int fd, const struct iovec *v, int n) {
    static ssize_t (*real)(int, const struct iovec *, int);
    char path[4096];
    size_t bytes;
    if (!real) real = dlsym(RTLD_NEXT, "writev");
    if (!of_fd(fd, path)) return real(fd, v, n);
    char *all = flat(v, n, &bytes);
    ssize_t done = write(fd, all, bytes);
    int number = errno;
    free(all);
    errno = number;
    return done;
}
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) {
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    char path[4096];
    size_t bytes;
    if (!real) real = dlsym(RTLD_NEXT, "pwritev");
    if (!of_fd(fd, path)) return real(fd, v, n, at);
    char *all = flat(v, n, &bytes);
    ssize_t done = writes(fd, all, bytes, at, path);
    int number = errno;
    free(all);
    errno = number;
    return done;
}

static int syncs(int fd, int (*real)(int)) {
    char path[4096];
    if (!of_fd(fd, path)) return real(fd);
    if (count()) die();
    if (fails(SYNC)) {
        note('s', 1, 0, inode_fd(fd), 0, path, "", 0);
        errno = fail_errno > 0 ? fail_errno : EIO;
        return -1;
    }
    int done = real(fd);
    if (done == 0) note('s', 0, 0, inode_fd(fd), 0, path, "", 0);
    return done;
}
int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    return syncs(fd, real);
}
int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    return syncs(fd, real);
}

int ftruncate(int fd, off_t size) {
    static int (*real)(int, off_t);
    char path[4096];
    if (!real) real = dlsym(RTLD_NEXT, "ftruncate");
    if (!of_fd(fd, path)) return real(fd, size);
    if (count()) die();
    if (fails(NAME)) { errno = fail_errno > 0 ? fail_errno : EIO; return -1; }
    int done = real(fd, size);
    if (done == 0) note('t', 0, 0, inode_fd(fd), (uint64_t)size, path, "", 0);
    return done;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

/* Names: `old` and `new` as absolute paths; `go` carries the call out. */
#define NAMING(op, old, new, call)                                                     \
    do {                                                                               \
        if (!under(old) && !under(new)) return call;                                   \
        uint64_t inode = inode_at(old);                                                \
        if (count()) die();                                                            \
        if (fails(NAME)) { errno = fail_errno > 0 ? fail_errno : EIO; return -1; }     \
        int done = call;                                                               \
        if (done == 0) {                                                               \
            char names[16400];                                                         \
            snprintf(names, sizeof names, "%s\n%s", old, new);                         \
            note(op, 0, 0, inode, 0, names, "", 0);                                    \
        }                                                                              \
        return done;                                                                   \
    } while (0)
#define REAL(type, name)                          \
    static type;                                  \
    if (!real) real = dlsym(RTLD_NEXT, name)

int rename(const char *a, const char *b) {
    REAL(int (*real)(const char *, const char *), "rename");
    NAMING('r', a, b, real(a, b));
}
int renameat(int x, const char *a, int y, const char *b) {
    REAL(int (*real)(int, const char *, int, const char *), "renameat");
    char p[8192], q[8192];
    of_at(x, a, p); of_at(y, b, q);
    NAMING('r', p, q, real(x, a, y, b));
}
int link(const char *a, const char *b) {
    REAL(int (*real)(const char *, const char *), "link");
    NAMING('l', a, b, real(a, b));
}
int linkat(int x, const char *a, int y, const char *b, int flags) {
    REAL(int (*real)(int, const char *, int, const char *, int), "linkat");
    char p[8192], q[8192];
    of_at(x, a, p); of_at(y, b, q);
    NAMING('l', p, q, real(x, a, y, b, flags));
}
int unlink(const char *a) {
    REAL(int (*real)(const char *), "unlink");
    NAMING('u', a, "", real(a));
}
int unlinkat(int x, const char *a, int flags) {
    REAL(int (*real)(int, const char *, int), "unlinkat");
    char p[8192];
    of_at(x, a, p);
    NAMING('u', p, "", real(x, a, flags));
}
int rmdir(const char *a) {
    REAL(int (*real)(const char *), "rmdir");
    NAMING('u', a, "", real(a));
}
int mkdir(const char *a, mode_t mode) {
    REAL(int (*real)(const char *, mode_t), "mkdir");
    NAMING('d', a, "", real(a, mode));
}
