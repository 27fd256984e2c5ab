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
    SAY(socket(AF_INET, SOCK_STREAM, 0));
    int port, l = listen_on(host_ip, &port);
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
    SAY(recv(b, c, 2, MSG_WAITALL));
    fcntl(b, F_SETFL, O_NONBLOCK);
    SAY(recv(a, c, 1, 0));
    SAY(fcntl(a, F_GETFL) == fcntl(b, F_GETFL));
    fcntl(a, F_SETFD, FD_CLOEXEC);
    SAY(fcntl(b, F_GETFD));
    SAY(close(a));
    fcntl(b, F_SETFL, 0);
    SAY(echoes(b));
    SAY(getsockopt(a, SOL_SOCKET, SO_TYPE, &v, &len));
    SAY(close(b));
    SAY(close(b));
}

CASE(dup2_over_live_ones)
{
    int a = dial(ECHO), b = dial(ECHO), n = open("/dev/null", O_RDWR), p[2];
    char c;
    MUST(pipe(p));
    say("%d", dup2(a, b) - b);
    SAY(echoes(b));
    say("%d", dup2(n, a) - a);
    SAY(read(a, &c, 1));
    SAY(recv(a, &c, 1, 0));
    SAY(echoes(b));
    say("%d", dup2(b, p[0]) - p[0]);
    SAY(echoes(p[0]));
    SAY(write(p[1], "x", 1) == 1 ? 0 : errno);
    say("%d", dup2(b, b) - b);
    SAY(dup2(-1, b));
    SAY(dup2(777, b));
    SAY(echoes(b));
    SAY(dup2(b, -1));
    SAY(dup2(b, 1 << 30));
    SAY(dup3(b, b, 0));
    SAY(dup3(b, n, O_NONBLOCK));
    say("%d", dup3(b, n, O_CLOEXEC) - n);
    SAY(fcntl(n, F_GETFD));
    SAY(fcntl(b, F_GETFD));
    SAY(dup2(b, 100));
    SAY(fcntl(100, F_GETFD));
    SAY(echoes(100));
}

CASE(dupfd)
{
    int a = dial(ECHO);
    SAY(fcntl(a, F_DUPFD, 200));
    SAY(fcntl(a, F_DUPFD, 200));
    SAY(fcntl(a, F_DUPFD_CLOEXEC, 300));
    SAY(fcntl(300, F_GETFD));
    SAY(fcntl(a, F_DUPFD, -1));
    SAY(fcntl(a, F_DUPFD, 1 << 30));
    SAY(fcntl(999, F_DUPFD, 0));
    close(a);
    close(200);
    SAY(echoes(201));
    SAY(echoes(300));
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
    SAY(fclose(f));
    SAY(echoes(0));
    dprintf(0, "abc");
    SAY(read(0, line, 3));
}

CASE(ranges)
{
    int a = MUST(fcntl(dial(ECHO), F_DUPFD, 50)), b = dup(a), c = dup(a), p[2];
    SAY(close_range(51, 51, 0));
    SAY(echoes(b));
    SAY(echoes(c));
    SAY(close_range(52, 60, CLOSE_RANGE_CLOEXEC));
    SAY(fcntl(c, F_GETFD));
    SAY(fcntl(a, F_GETFD));
    SAY(close_range(10, 5, 0));
    SAY(close_range(3, 10, 1 << 20));
    SAY(close_range(3, ~0u, CLOSE_RANGE_UNSHARE));
    SAY(echoes(a));
    SAY(pipe(p));
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
    SAY(good);
    SAY(good + bad + 3 == max);
    SAY(echoes(a));
    for (int i = 0; i < 3; i++) {
        int b = dial(ECHO), port, l = listen_on(host_ip, &port);
        say("%d %d", b, echoes(b));
        call_me(port, 1, "echo");
        SAY(echoes(accept(l, NULL, NULL)));
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
    SAY(close_listed(3, b));
    SAY(echoes(a));
    SAY(echoes(b));
    a = dial(ECHO);
    SAY(echoes(a));
    SAY(close_listed(3, -1));
    a = dial(ECHO);
    SAY(a);
    SAY(echoes(a));
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
    SAY(ok == max - 5);
    SAY(echoes(a));
    for (int fd = 3; fd < max; fd++)
        if (fd != a)
            close(fd);
    int b = dial(ECHO);
    SAY(echoes(b));
    SAY(echoes(a));
}

CASE(what_fstat_says)
{
    int a = dial(ECHO), u = dial_udp(ECHO);
    struct stat st, st2;
    SAY(fstat(a, &st));
    SAY(S_ISSOCK(st.st_mode));
    SAY(st.st_size);
    SAY(fstat(u, &st2));
    SAY(S_ISSOCK(st2.st_mode));
    SAY(st.st_ino != st2.st_ino);
    fstat(dup(a), &st2);
    SAY(st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
    SAY(isatty(a));
    SAY(lseek(a, 0, SEEK_CUR));
    SAY(fsync(a));
    SAY(fdatasync(a));
    SAY(ftruncate(a, 0));
    SAY(fchdir(a));
    SAY(flock(a, 0) == -1 ? errno : 0);
    char c;
    SAY(pread(a, &c, 1, 0));
    SAY(pwrite(a, "x", 1, 0));
    SAY(readlink("/proc/self/fd/1000", &c, 1));
    char link[64], path[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", a);
    SAY(readlink(link, path, sizeof path - 1) > 0);
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
    SAY(socket(AF_INET, SOCK_STREAM, 0));
    close(last);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SAY(fd == last);
    SAY(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in sin = address(peer_ip, ECHO);
    SAY(connect(fd, (struct sockaddr *)&sin, sizeof sin));
    SAY(echoes(fd));
    SAY(dup(fd));
    SAY(dup2(fd, 32));
    SAY(fcntl(fd, F_DUPFD, 0));
    SAY(close(fd));
    for (int i = 0; i < 3; i++) {
        fd = dial(ECHO);
        SAY(fd == last);
        SAY(echoes(fd));
        close(fd);
    }
}

CASE(limit_after_the_first)
{
    int first, last, a = dial(ECHO), port, l = listen_on(host_ip, &port);
    call_me(port, 3, "echo");
    fill(64, &first, &last);
    SAY(last);
    SAY(socket(AF_INET, SOCK_STREAM, 0));
    SAY(accept(l, NULL, NULL));
    SAY(dup(a));
    struct pollfd p = {.fd = l, .events = POLLIN};
    SAY(poll(&p, 1, 1000));
    close(last);
    int fd = accept(l, NULL, NULL);
    SAY(fd == last);
    SAY(echoes(fd));
    SAY(accept(l, NULL, NULL));
    close(fd);
    fd = accept(l, NULL, NULL);
    SAY(fd == last);
    SAY(echoes(fd));
    SAY(echoes(a));
}

CASE(limit_lowered_below_what_is_open)
{
    int a = dial(ECHO);
    int b = MUST(fcntl(a, F_DUPFD, 100));
    struct rlimit rl = {16, 16};
    MUST(setrlimit(RLIMIT_NOFILE, &rl));
    SAY(echoes(b));
    int n = 0, fd, last = 0;
    while ((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0) {
        n++;
        last = fd;
    }
    say("%s, last %d, %d", strerrorname_np(errno), last, n);
    SAY(close(b));
    SAY(socket(AF_INET, SOCK_STREAM, 0));
    close(last);
    fd = dial(ECHO);
    SAY(fd == last);
    SAY(echoes(fd));
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
    SAY(last + 1);
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
    SAY(b);
    struct pollfd p = {.fd = b, .events = POLLIN | POLLOUT};
    char buf[8];
    while (recv(a, buf, 5, MSG_PEEK) != 5)
        ;
    SAY(poll(&p, 1, 2000));
    SAY(p.revents);
    struct epoll_event ev = {.events = EPOLLIN};
    int ep = epoll_create1(0);
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, b, &ev));
    SAY(epoll_wait(ep, &ev, 1, 1000));
    SAY(recv(b, buf, sizeof buf, 0));
    /* The kernel does not mind larger sets. */
    size_t bytes = 4096 / 8;
    fd_set *set = calloc(1, bytes);
    ((unsigned long *)set)[2000 / 64] |= 1ul << 2000 % 64;
    struct timeval tv = {0, 20000};
    SAY(select(2001, NULL, set, NULL, &tv));
    SAY(!!(((unsigned long *)set)[2000 / 64] & 1ul << 2000 % 64));
    SAY(select(2001, set, NULL, NULL, &tv));
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
    SAY(select(FD_SETSIZE, NULL, &w, NULL, &tv));
    SAY(FD_ISSET(b, &w));
    FD_ZERO(&w);
    FD_SET(b, &w);
    tv = (struct timeval){0, 10000};
    SAY(select(FD_SETSIZE - 1, NULL, &w, NULL, &tv));
    SAY(FD_ISSET(b, &w));
    FD_ZERO(&w);
    FD_SET(500, &w);
    SAY(select(501, &w, NULL, NULL, &tv));
    SAY(select(-1, &w, NULL, NULL, &tv));
    fd_set *big = calloc(1, 2048 / 8);
    FD_SET(a, big);
    SAY(select(2040, NULL, big, NULL, NULL));
    SAY(select(2048, NULL, big, NULL, NULL));
    tv = (struct timeval){-1, 0};
    SAY(select(a + 1, NULL, &w, NULL, &tv));
}

CASE(poll_with_closed_ones)
{
    int a = dial(ECHO), b = dial(ECHO);
    close(b);
    struct pollfd p[4] = {{a, POLLOUT, 0}, {b, POLLIN, 0}, {-5, POLLIN, 0}, {3000, POLLIN, 0}};
    SAY(poll(p, 4, 1000));
    say("%x %x %x %x", p[0].revents, p[1].revents, p[2].revents, p[3].revents);
    struct rlimit rl = {64, 64};
    MUST(setrlimit(RLIMIT_NOFILE, &rl));
    struct pollfd many[65];
    for (int i = 0; i < 65; i++)
        many[i] = (struct pollfd){a, POLLOUT, 0};
    SAY(poll(many, 65, 0));
    SAY(poll(many, 64, 0));
}
