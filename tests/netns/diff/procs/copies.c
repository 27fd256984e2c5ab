/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors of sockets and of epolls: every form of copying, numbers at the limit, ranges, flags, locks, owners, and
 * what /proc says of them. */
#include "diff.h"

#include <dirent.h>
#include <linux/close_range.h>
#include <sys/file.h>
#include <sys/pidfd.h>

#ifndef KCMP_FILE
#define KCMP_FILE 0
#endif

static void each_kind(void (*run)(int fd))
{
    run(dial(ECHO));
    run(dial_udp(ECHO));
    int port;
    run(listen_on(host_ip, &port));
    run(host_socket(SOCK_STREAM));
    int ep = epoll_create1(0), s = dial(ECHO);
    struct epoll_event ev = {.events = EPOLLOUT, .data.fd = s};
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev));
    run(ep);
}

static void numbers(int fd)
{
    struct rlimit old, few = {64, 128};
    SAY(dup2(fd, -1));
    SAY(dup2(fd, 1 << 30));
    SAY(dup2(-1, fd));
    SAY(dup2(fd, fd) == fd);
    SAY(dup3(fd, fd, 0));
    SAY(dup3(fd, fd, O_CLOEXEC));
    SAY(dup3(fd, 50, O_NONBLOCK));
    SAY(dup3(fd, 50, O_CLOEXEC));
    SAY(fcntl(50, F_GETFD));
    SAY(dup2(50, 51));
    SAY(fcntl(51, F_GETFD));
    SAY(fcntl(fd, F_DUPFD, -1));
    SAY(fcntl(fd, F_DUPFD, INT_MAX));
    SAY(fcntl(fd, F_DUPFD_CLOEXEC, 52));
    SAY(fcntl(52, F_GETFD));
    MUST(getrlimit(RLIMIT_NOFILE, &old));
    MUST(setrlimit(RLIMIT_NOFILE, &few));
    SAY(dup2(fd, 63));
    SAY(dup2(fd, 64));
    SAY(dup3(fd, 64, 0));
    SAY(fcntl(fd, F_DUPFD, 63));
    SAY(fcntl(fd, F_DUPFD, 64));
    SAY(fcntl(fd, F_DUPFD, 60));
    SAY(fcntl(fd, F_DUPFD, 61));
    SAY(fcntl(fd, F_DUPFD, 62));
    SAY(fcntl(fd, F_DUPFD, 62));
    few.rlim_cur = old.rlim_cur < 128 ? old.rlim_cur : 128;
    few.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_NOFILE, &old);
    for (int i = 50; i < 64; i++)
        close(i);
    SAY(close(-1));
    SAY(close(INT_MAX));
    SAY(close(fd));
    SAY(close(fd));
    SAY(dup(fd));
    SAY(dup2(fd, 50));
    SAY(fcntl(fd, F_DUPFD, 0));
    SAY(fcntl(fd, F_GETFD));
    SAY(fcntl(fd, F_SETFD, 0));
    SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_SETFL, 0));
}
CASE(numbers_of_every_kind) { each_kind(numbers); }

static void flags(int fd)
{
    SAY(fcntl(fd, F_GETFD));
    SAY(fcntl(fd, F_SETFD, 0xfffe));
    SAY(fcntl(fd, F_GETFD));
    SAY(fcntl(fd, F_SETFD, 0xffff));
    SAY(fcntl(fd, F_GETFD));
    int fl = SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
    SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_SETFL, O_WRONLY | O_CREAT | O_TRUNC | O_EXCL));
    SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_SETFL, O_DIRECT));
    SAY(fcntl(fd, F_SETFL, O_NOATIME));
    SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_SETFL, O_ASYNC));
    SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_SETFL, fl));
    SAY(fcntl(fd, F_GETFL));
    SAY(fcntl(fd, F_GETOWN));
    SAY(fcntl(fd, F_SETOWN, getpid()));
    SAY(fcntl(fd, F_GETOWN) == getpid());
    SAY(fcntl(fd, F_SETOWN, -getpgrp()));
    SAY(fcntl(fd, F_GETOWN) == -getpgrp());
    SAY(fcntl(fd, F_SETOWN, 4000000));
    SAY(fcntl(fd, F_SETOWN, INT_MIN));
    SAY(fcntl(fd, F_SETOWN, 0));
    SAY(fcntl(fd, F_GETOWN));
    struct f_owner_ex ex = {F_OWNER_TID, gettid()};
    SAY(fcntl(fd, F_SETOWN_EX, &ex));
    ex = (struct f_owner_ex){-1, -1};
    SAY(fcntl(fd, F_GETOWN_EX, &ex));
    say("type %d own %d", ex.type, ex.pid == gettid());
    ex.type = 7;
    SAY(fcntl(fd, F_SETOWN_EX, &ex));
    SAY(fcntl(fd, F_SETOWN_EX, BAD_PAGE(0)));
    SAY(fcntl(fd, F_GETSIG));
    SAY(fcntl(fd, F_SETSIG, SIGUSR1));
    SAY(fcntl(fd, F_GETSIG) == SIGUSR1);
    SAY(fcntl(fd, F_SETSIG, 65));
    SAY(fcntl(fd, F_SETSIG, -1));
    SAY(fcntl(fd, F_SETSIG, 0));
    SAY(fcntl(fd, F_GETLEASE));
    SAY(fcntl(fd, F_SETLEASE, F_RDLCK));
    SAY(fcntl(fd, F_NOTIFY, DN_ACCESS));
    SAY(fcntl(fd, F_GETPIPE_SZ));
    SAY(fcntl(fd, F_SETPIPE_SZ, 4096));
    SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    SAY(fcntl(fd, F_GET_SEALS));
    SAY(fcntl(fd, 9999, 0));
    SAY(fcntl(fd, -1, 0));
    uint64_t hint = 0;
    SAY(fcntl(fd, F_GET_RW_HINT, &hint));
    SAY(fcntl(fd, F_GET_FILE_RW_HINT, &hint));
    hint = RWH_WRITE_LIFE_SHORT;
    SAY(fcntl(fd, F_SET_RW_HINT, &hint));
}
CASE(flags_of_every_kind) { each_kind(flags); }

static void locks(int fd)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int copy = dup(fd);
    SAY(fcntl(fd, F_GETLK, &l));
    say("lock type %d", l.l_type);
    l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    SAY(fcntl(fd, F_SETLK, &l));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(fcntl(copy, F_SETLK, &l));
        SAY(flock(copy, LOCK_EX | LOCK_NB));
        _exit(0);
    }
    reap("other", pid);
    l.l_type = F_UNLCK;
    SAY(fcntl(copy, F_SETLK, &l));
    l.l_type = F_RDLCK;
    SAY(fcntl(fd, F_OFD_SETLK, &l));
    SAY(flock(fd, LOCK_EX | LOCK_NB));
    SAY(flock(copy, LOCK_SH | LOCK_NB));
    SAY(flock(fd, LOCK_UN));
    SAY(flock(fd, 99));
    SAY(lockf(fd, F_TLOCK, 0));
    close(copy);
}
CASE(locks_on_every_kind) { each_kind(locks); }

static void as_files(int fd)
{
    char path[64], link[128], buf[8] = "";
    struct stat a, b;
    struct statx sx;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    SAY(fstat(fd, &a));
    say("mode %o links %ld size %ld blocks %ld own %d", a.st_mode, (long)a.st_nlink, (long)a.st_size, (long)a.st_blocks,
        a.st_uid == geteuid());
    SAY(stat(path, &b));
    say("mode %o same %d", b.st_mode, a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    SAY(lstat(path, &b));
    say("mode %o", b.st_mode & S_IFMT);
    SAY(fstatat(fd, "", &b, AT_EMPTY_PATH));
    say("mode %o same %d", b.st_mode, a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    SAY(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
    say("mode %o same %d", sx.stx_mode, a.st_ino == sx.stx_ino);
    SAY(open(path, O_RDWR));
    SAY(open(path, O_RDONLY));
    SAY(open(path, O_WRONLY | O_NONBLOCK));
    int o = open(path, O_PATH);
    say("opened as a path %d", o >= 0);
    if (o >= 0) {
        SAY(read(o, buf, 1));
        SAY(get_int(o, SOL_SOCKET, SO_TYPE));
        SAY(fcntl(o, F_GETFL) & O_PATH);
        close(o);
    }
    ssize_t n = SAY(readlink(path, link, sizeof link - 1) > 0);
    say("%.7s", n > 0 ? link : "");
    SAY(readlink(path, link, 3));
    SAY(access(path, R_OK | W_OK));
    SAY(access(path, X_OK));
    SAY(chmod(path, 0600));
    SAY(fchmod(fd, 0640));
    SAY(fstat(fd, &b));
    say("mode %o", b.st_mode);
    SAY(fchown(fd, -1, -1));
    SAY(fchown(fd, 1234, 1234));
    SAY(fstat(fd, &b));
    say("owner %d %d", (int)b.st_uid, (int)b.st_gid);
    struct timespec ts[2] = {{1000, 0}, {2000, 0}};
    SAY(futimens(fd, ts));
    SAY(fstat(fd, &b));
    say("times %ld %ld", (long)b.st_atime, (long)b.st_mtime);
    SAY(faccessat(fd, "", R_OK, AT_EMPTY_PATH));
    SAY(fchdir(fd));
    SAY(openat(fd, "x", O_RDONLY));
    SAY(linkat(fd, "", AT_FDCWD, "/tmp/diff-link", AT_EMPTY_PATH));
    SAY(truncate(path, 0));
}
CASE(files_of_every_kind) { each_kind(as_files); }

static void listed(int fd)
{
    char name[16];
    int found = 0, info = 0;
    snprintf(name, sizeof name, "%d", fd);
    DIR *d = opendir("/proc/self/fd");
    NEED(d);
    for (struct dirent *e; (e = readdir(d));)
        found += strcmp(e->d_name, name) == 0;
    closedir(d);
    d = opendir("/proc/self/fdinfo");
    NEED(d);
    for (struct dirent *e; (e = readdir(d));)
        info += strcmp(e->d_name, name) == 0;
    closedir(d);
    say("listed %d %d", found, info);
}
CASE(listed_of_every_kind) { each_kind(listed); }

CASE(compared)
{
    int a = dial(ECHO), b = dup(a), c = dial(ECHO), ep = epoll_create1(0), ep2 = dup(ep);
    struct epoll_event ev = {.events = EPOLLIN};
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, a, &ev));
    pid_t me = getpid();
    SAY(syscall(SYS_kcmp, me, me, KCMP_FILE, a, b));
    SAY(syscall(SYS_kcmp, me, me, KCMP_FILE, a, c) > 0);
    SAY(syscall(SYS_kcmp, me, me, KCMP_FILE, ep, ep2));
    SAY(syscall(SYS_kcmp, me, me, KCMP_FILE, ep, a) > 0);
    SAY(syscall(SYS_kcmp, me, me, KCMP_FILE, a, 999));
}

CASE(close_ranges)
{
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLOUT};
    for (int i = 0; i < 6; i++) {
        int s = dial(ECHO);
        MUST(dup2(s, 40 + i));
        close(s);
    }
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, 41, &ev));
    SAY(close_range(42, 41, 0));
    SAY(close_range(41, 41, 4096));
    SAY(close_range(41, 42, CLOSE_RANGE_CLOEXEC));
    for (int i = 0; i < 6; i++)
        SAY(fcntl(40 + i, F_GETFD));
    SAY(close_range(41, 41, 0));
    SAY(epoll_wait(ep, &ev, 1, 0));
    SAY(echoes(42));
    SAY(close_range(43, ~0u, CLOSE_RANGE_CLOEXEC));
    SAY(fcntl(45, F_GETFD));
    SAY(echoes(45));
    SAY(close_range(43, 44, CLOSE_RANGE_UNSHARE));
    SAY(fcntl(43, F_GETFD));
    SAY(close_range(45, ~0u, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC));
    SAY(echoes(45));
    SAY(close_range(40, INT_MAX, 0));
    for (int i = 0; i < 6; i++)
        SAY(fcntl(40 + i, F_GETFD));
    SAY(close_range(40, 50, 0));
    int next = dial(ECHO);
    SAY(echoes(next));
}

static int in_clone(void *arg)
{
    int *fd = arg;
    SAY(echoes(fd[0]));
    SAY(close(fd[0]));
    return 7;
}

/* A child that shares the table, and one that does not, both with memory of their own. */
CASE(cloned_with_and_without_the_table)
{
    static char stack[1 << 18];
    int fd[2] = {dial(ECHO), dial(ECHO)};
    pid_t pid = MUST(clone(in_clone, stack + sizeof stack, SIGCHLD, fd));
    reap("own table", pid);
    SAY(echoes(fd[0]));
    SAY(fcntl(fd[0], F_GETFD));
    pid = MUST(clone(in_clone, stack + sizeof stack, CLONE_FILES | SIGCHLD, fd));
    reap("shared table", pid);
    SAY(fcntl(fd[0], F_GETFD));
    SAY(echoes(fd[1]));
}

CASE(from_another_process)
{
    int fd = dial(ECHO), l, port, p[2];
    l = listen_on(host_ip, &port);
    MUST(pipe(p));
    pid_t parent = getpid(), pid = MUST(fork());
    if (pid == 0) {
        close(fd);
        close(l);
        char c;
        MUST(read(p[0], &c, 1));
        int pidfd = MUST(pidfd_open(parent, 0));
        int got = SAY(pidfd_getfd(pidfd, fd, 0) >= 0);
        got = pidfd_getfd(pidfd, fd, 0);
        SAY(fcntl(got, F_GETFD));
        SAY(echoes(got));
        SAY(pidfd_getfd(pidfd, 999, 0));
        SAY(pidfd_getfd(pidfd, -1, 0));
        SAY(pidfd_getfd(pidfd, fd, 1));
        SAY(pidfd_getfd(-1, fd, 0));
        SAY(pidfd_getfd(0, fd, 0));
        int lis = pidfd_getfd(pidfd, l, 0);
        SAY(get_int(lis, SOL_SOCKET, SO_ACCEPTCONN));
        call_me(port, 1, "echo");
        SAY(echoes(accept(lis, NULL, NULL)));
        exit(0);
    }
    write(p[1], "x", 1);
    reap("child", pid);
    SAY(echoes(fd));
}
