/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of fds: dup and its kin, mass close, who lists /proc/self/fd, limits. */
#include "diff.h"

#include <dirent.h>
#include <sys/file.h>

static int lowest(void)
{
    int fd = dup(2);
    close(fd);
    return fd;
}

CASE(lowest_number)
{
    int base = lowest();
    int a = dial(ECHO), b = dial(ECHO), c = socket(AF_INET, SOCK_DGRAM, 0);
    say("%d %d %d", a - base, b - base, c - base);
    close(a);
    say("%d", socket(AF_INET6, SOCK_STREAM, 0) - base);
    close(b);
    say("%d", open("/dev/null", O_RDONLY) - base);
    close(0);
    SHOW(socket(AF_INET, SOCK_STREAM, 0));
    int port, l = listener(host_ip, &port);
    call_me(port, 1, "echo");
    say("listener %d, accepted %d", l - base, accept(l, NULL, NULL) - base);
}

CASE(dup_shares_everything)
{
    int a = dial(ECHO), b = dup(a), v = 0;
    socklen_t len = sizeof v;
    say("next %d", b - a);
    send(a, "xy", 2, 0);
    char c[4];
    SHOW(recv(b, c, 2, MSG_WAITALL));
    fcntl(b, F_SETFL, O_NONBLOCK);
    SHOW(recv(a, c, 1, 0));
    SHOW(fcntl(a, F_GETFL) == fcntl(b, F_GETFL));
    fcntl(a, F_SETFD, FD_CLOEXEC);
    SHOW(fcntl(b, F_GETFD));
    SHOW(close(a));
    fcntl(b, F_SETFL, 0);
    SHOW(echoes(b));
    SHOW(getsockopt(a, SOL_SOCKET, SO_TYPE, &v, &len));
    SHOW(close(b));
    SHOW(close(b));
}

CASE(dup2_over_live_ones)
{
    int a = dial(ECHO), b = dial(ECHO), n = open("/dev/null", O_RDWR), p[2];
    char c;
    MUST(pipe(p));
    say("%d", dup2(a, b) - b);
    SHOW(echoes(b));
    say("%d", dup2(n, a) - a);
    SHOW(read(a, &c, 1));
    SHOW(recv(a, &c, 1, 0));
    SHOW(echoes(b));
    say("%d", dup2(b, p[0]) - p[0]);
    SHOW(echoes(p[0]));
    SHOW(write(p[1], "x", 1) == 1 ? 0 : errno);
    say("%d", dup2(b, b) - b);
    SHOW(dup2(-1, b));
    SHOW(dup2(777, b));
    SHOW(echoes(b));
    SHOW(dup2(b, -1));
    SHOW(dup2(b, 1 << 30));
    SHOW(dup3(b, b, 0));
    SHOW(dup3(b, n, O_NONBLOCK));
    say("%d", dup3(b, n, O_CLOEXEC) - n);
    SHOW(fcntl(n, F_GETFD));
    SHOW(fcntl(b, F_GETFD));
    SHOW(dup2(b, 100));
    SHOW(fcntl(100, F_GETFD));
    SHOW(echoes(100));
}

CASE(dupfd)
{
    int a = dial(ECHO);
    SHOW(fcntl(a, F_DUPFD, 200));
    SHOW(fcntl(a, F_DUPFD, 200));
    SHOW(fcntl(a, F_DUPFD_CLOEXEC, 300));
    SHOW(fcntl(300, F_GETFD));
    SHOW(fcntl(a, F_DUPFD, -1));
    SHOW(fcntl(a, F_DUPFD, 1 << 30));
    SHOW(fcntl(999, F_DUPFD, 0));
    close(a);
    close(200);
    SHOW(echoes(201));
    SHOW(echoes(300));
}

CASE(standard_streams)
{
    int a = dial(ECHO);
    MUST(dup2(a, 0));
    close(a);
    FILE *f = fdopen(dup(0), "r+");
    fprintf(f, "a line\nand another\n");
    fflush(f);
    char line[64] = "";
    fgets(line, sizeof line, f);
    say("%s", line);
    fgets(line, sizeof line, f);
    say("%s", line);
    SHOW(fclose(f));
    SHOW(echoes(0));
    dprintf(0, "abc");
    SHOW(read(0, line, 3));
}

CASE(ranges)
{
    int a = MUST(fcntl(dial(ECHO), F_DUPFD, 50)), b = dup(a), c = dup(a), p[2];
    SHOW(close_range(51, 51, 0));
    SHOW(echoes(b));
    SHOW(echoes(c));
    SHOW(close_range(52, 60, CLOSE_RANGE_CLOEXEC));
    SHOW(fcntl(c, F_GETFD));
    SHOW(fcntl(a, F_GETFD));
    SHOW(close_range(10, 5, 0));
    SHOW(close_range(3, 10, 1 << 20));
    SHOW(close_range(3, ~0u, CLOSE_RANGE_UNSHARE));
    SHOW(echoes(a));
    SHOW(pipe(p));
    say("%d %d", p[0], p[1]);
    closefrom(3);
    int d = dial(ECHO);
    say("%d %d", d, echoes(d));
    closefrom(0);
    d = socket(AF_INET, SOCK_STREAM, 0);
    _exit(d + 40);
}

/* As daemons do. */
CASE(close_all_numbers)
{
    int a = dial(ECHO), bad = 0, good = 0;
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    int max = rl.rlim_cur > 65536 ? 65536 : (int)rl.rlim_cur;
    for (int fd = 3; fd < max; fd++) {
        if (close(fd) == 0)
            good++;
        else if (errno == EBADF)
            bad++;
    }
    SHOW(good);
    SHOW(good + bad + 3 == max);
    SHOW(echoes(a));
    for (int i = 0; i < 3; i++) {
        int b = dial(ECHO), port, l = listener(host_ip, &port);
        say("%d %d", b, echoes(b));
        call_me(port, 1, "echo");
        SHOW(echoes(accept(l, NULL, NULL)));
        close(b);
    }
}

/* As Python's subprocess and many others do: close what /proc/self/fd lists. */
static int close_listed(int from, int keep)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;
    int closed = 0;
    while ((e = readdir(d)) != NULL) {
        int fd = atoi(e->d_name);
        if (e->d_name[0] != '.' && fd >= from && fd != dirfd(d) && fd != keep)
            closed += close(fd) == 0;
    }
    closedir(d);
    return closed;
}

CASE(close_what_proc_lists)
{
    int a = dial(ECHO), b = dial(ECHO);
    SHOW(close_listed(3, b));
    SHOW(echoes(a));
    SHOW(echoes(b));
    a = dial(ECHO);
    SHOW(echoes(a));
    SHOW(close_listed(3, -1));
    a = dial(ECHO);
    SHOW(a);
    SHOW(echoes(a));
}

CASE(dup2_onto_every_number)
{
    int a = dial(ECHO), n = open("/dev/null", O_RDWR), ok = 0;
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    int max = rl.rlim_cur > 4096 ? 4096 : (int)rl.rlim_cur;
    for (int fd = 3; fd < max; fd++)
        if (fd != a && fd != n)
            ok += dup2(n, fd) == fd;
    SHOW(ok == max - 5);
    SHOW(echoes(a));
    for (int fd = 3; fd < max; fd++)
        if (fd != a)
            close(fd);
    int b = dial(ECHO);
    SHOW(echoes(b));
    SHOW(echoes(a));
}

CASE(what_fstat_says)
{
    int a = dial(ECHO), u = dial_udp(ECHO);
    struct stat st, st2;
    SHOW(fstat(a, &st));
    SHOW(S_ISSOCK(st.st_mode));
    SHOW(st.st_size);
    SHOW(fstat(u, &st2));
    SHOW(S_ISSOCK(st2.st_mode));
    SHOW(st.st_ino != st2.st_ino);
    fstat(dup(a), &st2);
    SHOW(st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
    SHOW(isatty(a));
    SHOW(lseek(a, 0, SEEK_CUR));
    SHOW(fsync(a));
    SHOW(fdatasync(a));
    SHOW(ftruncate(a, 0));
    SHOW(fchdir(a));
    SHOW(flock(a, 0) == -1 ? errno : 0);
    char c;
    SHOW(pread(a, &c, 1, 0));
    SHOW(pwrite(a, "x", 1, 0));
    SHOW(readlink("/proc/self/fd/1000", &c, 1));
    char link[64], path[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", a);
    SHOW(readlink(link, path, sizeof path - 1) > 0);
    say("%.8s", path);
}

static void fill(int limit, int *first, int *last)
{
    struct rlimit rl = {limit, limit};
    MUST(setrlimit(RLIMIT_NOFILE, &rl));
    int fd, n = 0;
    *first = -1;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
        if (*first < 0)
            *first = fd;
        *last = fd;
        n++;
    }
    say("filled: %s, last %d", strerrorname_np(errno), *last);
}

CASE(limit_before_the_first)
{
    int first, last;
    fill(32, &first, &last);
    SHOW(socket(AF_INET, SOCK_STREAM, 0));
    close(last);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(fd == last);
    SHOW(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in sin = address(peer_ip, ECHO);
    SHOW(connect(fd, (struct sockaddr *)&sin, sizeof sin));
    SHOW(echoes(fd));
    SHOW(dup(fd));
    SHOW(dup2(fd, 32));
    SHOW(fcntl(fd, F_DUPFD, 0));
    SHOW(close(fd));
    for (int i = 0; i < 3; i++) {
        fd = dial(ECHO);
        SHOW(fd == last);
        SHOW(echoes(fd));
        close(fd);
    }
}

CASE(limit_after_the_first)
{
    int first, last, a = dial(ECHO), port, l = listener(host_ip, &port);
    call_me(port, 3, "echo");
    fill(64, &first, &last);
    SHOW(last);
    SHOW(socket(AF_INET, SOCK_STREAM, 0));
    SHOW(accept(l, NULL, NULL));
    SHOW(dup(a));
    struct pollfd p = {.fd = l, .events = POLLIN};
    SHOW(poll(&p, 1, 1000));
    close(last);
    int fd = accept(l, NULL, NULL);
    SHOW(fd == last);
    SHOW(echoes(fd));
    SHOW(accept(l, NULL, NULL));
    close(fd);
    fd = accept(l, NULL, NULL);
    SHOW(fd == last);
    SHOW(echoes(fd));
    SHOW(echoes(a));
}

CASE(limit_lowered_below_what_is_open)
{
    int a = dial(ECHO);
    int b = MUST(fcntl(a, F_DUPFD, 100));
    struct rlimit rl = {16, 16};
    MUST(setrlimit(RLIMIT_NOFILE, &rl));
    SHOW(echoes(b));
    int n = 0, fd, last = 0;
    while ((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0) {
        n++;
        last = fd;
    }
    say("%s, last %d, %d", strerrorname_np(errno), last, n);
    SHOW(close(b));
    SHOW(socket(AF_INET, SOCK_STREAM, 0));
    close(last);
    fd = dial(ECHO);
    SHOW(fd == last);
    SHOW(echoes(fd));
}

CASE(all_numbers_are_sockets)
{
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = 256; /* with the hard limit above, as it is for nearly all programs */
    MUST(setrlimit(RLIMIT_NOFILE, &rl));
    int fd, n = 0, ok = 0, last = 0;
    while ((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0) {
        n++;
        last = fd;
    }
    say("%s, last %d", strerrorname_np(errno), last);
    SHOW(last + 1);
    struct sockaddr_in sin = address(peer_ip, ECHO);
    for (fd = 3; fd <= last; fd++)
        ok += connect(fd, (struct sockaddr *)&sin, sizeof sin) == 0;
    say("all connected: %d", ok == n);
    ok = 0;
    for (fd = 3; fd <= last; fd++)
        ok += echoes(fd);
    say("all echo: %d", ok == n);
}

CASE(high_numbers)
{
    struct rlimit rl = {4096, 4096};
    if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
        return;
    int a = dial(HELLO), b = MUST(fcntl(a, F_DUPFD, 2000));
    SHOW(b);
    struct pollfd p = {.fd = b, .events = POLLIN | POLLOUT};
    char buf[8];
    while (recv(a, buf, 5, MSG_PEEK) != 5)
        ;
    SHOW(poll(&p, 1, 2000));
    SHOW(p.revents);
    struct epoll_event ev = {.events = EPOLLIN};
    int ep = epoll_create1(0);
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, b, &ev));
    SHOW(epoll_wait(ep, &ev, 1, 1000));
    SHOW(recv(b, buf, sizeof buf, 0));
    /* The kernel does not mind larger sets. */
    size_t bytes = 4096 / 8;
    fd_set *set = calloc(1, bytes);
    ((unsigned long *)set)[2000 / 64] |= 1ul << 2000 % 64;
    struct timeval tv = {0, 20000};
    SHOW(select(2001, NULL, set, NULL, &tv));
    SHOW(!!(((unsigned long *)set)[2000 / 64] & 1ul << 2000 % 64));
    SHOW(select(2001, set, NULL, NULL, &tv));
}

CASE(edges_of_fd_setsize)
{
    struct rlimit rl = {2048, 2048};
    MUST(setrlimit(RLIMIT_NOFILE, &rl));
    int a = dial(ECHO);
    int b = MUST(dup2(a, FD_SETSIZE - 1));
    fd_set w;
    FD_ZERO(&w);
    FD_SET(b, &w);
    struct timeval tv = {1, 0};
    SHOW(select(FD_SETSIZE, NULL, &w, NULL, &tv));
    SHOW(FD_ISSET(b, &w));
    FD_ZERO(&w);
    FD_SET(b, &w);
    tv = (struct timeval){0, 10000};
    SHOW(select(FD_SETSIZE - 1, NULL, &w, NULL, &tv));
    SHOW(FD_ISSET(b, &w));
    FD_ZERO(&w);
    FD_SET(500, &w);
    SHOW(select(501, &w, NULL, NULL, &tv));
    SHOW(select(-1, &w, NULL, NULL, &tv));
    fd_set *big = calloc(1, 2048 / 8);
    FD_SET(a, big);
    SHOW(select(2040, NULL, big, NULL, NULL));
    SHOW(select(2048, NULL, big, NULL, NULL));
    tv = (struct timeval){-1, 0};
    SHOW(select(a + 1, NULL, &w, NULL, &tv));
}

CASE(poll_with_closed_ones)
{
    int a = dial(ECHO), b = dial(ECHO);
    close(b);
    struct pollfd p[4] = {{a, POLLOUT, 0}, {b, POLLIN, 0}, {-5, POLLIN, 0}, {3000, POLLIN, 0}};
    SHOW(poll(p, 4, 1000));
    say("%x %x %x %x", p[0].revents, p[1].revents, p[2].revents, p[3].revents);
    struct rlimit rl = {64, 64};
    MUST(setrlimit(RLIMIT_NOFILE, &rl));
    struct pollfd many[65];
    for (int i = 0; i < 65; i++)
        many[i] = (struct pollfd){a, POLLOUT, 0};
    SHOW(poll(many, 65, 0));
    SHOW(poll(many, 64, 0));
}
