/* SPDX-License-Identifier: BSD-3-Clause */
/* poll's arrays and select's sets: what is in them besides good sockets. */
#include "diff.h"

#include <sys/resource.h>

CASE(array)
{
    int fd[2], pipes[2];

    tcp_pair(fd);
    NEED(pipe(pipes) == 0);
    const int file = open("/proc/self/exe", O_RDONLY);
    struct pollfd p[] = {
        {.fd = fd[0], .events = POLLIN | POLLOUT},
        {.fd = -1, .events = POLLIN, .revents = 99},
        {.fd = -5, .events = POLLIN, .revents = 99},
        {.fd = 9999, .events = POLLIN},
        {.fd = pipes[1], .events = POLLOUT},
        {.fd = file, .events = POLLIN | POLLOUT},
        {.fd = fd[0], .events = 0},
        {.fd = fd[0], .events = POLLOUT | POLLWRBAND | POLLNVAL},
    };
    SAY(poll(p, 8, 0));
    for (int i = 0; i < 8; i++)
        say("%d: %s", i, bits_text((uint16_t)p[i].revents));
    NEED(send(fd[1], "x", 1, 0) == 1);
    poll_for(fd[0], POLLIN);
    SAY(poll(p, 8, 0));
    for (int i = 0; i < 8; i++)
        say("%d: %s", i, bits_text((uint16_t)p[i].revents));
    p[0].fd = ~p[0].fd;
    p[6].fd = p[7].fd = -1;
    SAY(poll(p, 1, 10));
    SAY(poll(p, 0, 10));
    SAY(poll(NULL, 0, 10));
    SAY(poll(NULL, 1, 0));
    SAY(poll((void *)-4096, 1, 0));
    p[0].fd = fd[0];
    close(fd[0]);
    SAY(poll(p, 1, 0));
    say("%s", bits_text((uint16_t)p[0].revents));
}

CASE(large_array)
{
    enum { N = 900 };
    static struct pollfd p[N + 200];
    int fd[2];
    struct rlimit old, few;

    tcp_pair(fd);
    for (int i = 0; i < N + 200; i++)
        p[i] = (struct pollfd){.fd = fd[0], .events = i % 3 ? POLLIN : POLLOUT};
    SAY(poll(p, N, 0));
    NEED(send(fd[1], "x", 1, 0) == 1);
    poll_for(fd[0], POLLIN);
    SAY(poll(p, N, 1000));
    getrlimit(RLIMIT_NOFILE, &old);
    few = old;
    few.rlim_cur = N;
    setrlimit(RLIMIT_NOFILE, &few);
    SAY(poll(p, N, 0));
    SAY(poll(p, N + 1, 0));
    setrlimit(RLIMIT_NOFILE, &old);
    SAY(poll(p, N + 1, 0));
}

CASE(bad_times)
{
    int fd[2];
    const struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    struct timeval bad_tv[] = {{-1, 0}, {0, -1}};

    tcp_pair(fd);
    struct pollfd p = {.fd = fd[0], .events = POLLOUT};
    for (int i = 0; i < 3; i++)
        SAY(ppoll(&p, 1, &bad[i], NULL));
    SAY(poll(&p, 1, -77));
    for (int i = 0; i < 3; i++) {
        fd_set out;
        FD_ZERO(&out);
        FD_SET(fd[0], &out);
        SAY(pselect(fd[0] + 1, NULL, &out, NULL, &bad[i], NULL));
        if (i < 2)
            SAY(select(fd[0] + 1, NULL, &out, NULL, &bad_tv[i]));
        say("set %d", FD_ISSET(fd[0], &out));
    }
}

CASE(sets)
{
    int fd[2], other[2];
    fd_set in, out, ex;
    struct timeval none = {0, 0};

    tcp_pair(fd);
    tcp_pair(other);
    NEED(send(fd[1], "x", 1, 0) == 1);
    NEED(send(other[1], "x", 1, MSG_OOB) == 1);
    poll_for(fd[0], POLLIN);
    poll_for(other[0], POLLPRI);
    const int top = (fd[0] > other[0] ? fd[0] : other[0]) + 1;
    for (int round = 0; round < 4; round++) {
        FD_ZERO(&in);
        FD_SET(fd[0], &in);
        FD_SET(other[0], &in);
        out = ex = in;
        const int n = select(top, round == 1 ? NULL : &in, round == 2 ? NULL : &out, round == 3 ? NULL : &ex, &none);
        say("round %d: %d; %d %d %d, %d %d %d", round, n, FD_ISSET(fd[0], &in), FD_ISSET(fd[0], &out),
            FD_ISSET(fd[0], &ex), FD_ISSET(other[0], &in), FD_ISSET(other[0], &out), FD_ISSET(other[0], &ex));
    }
    FD_ZERO(&in);
    FD_SET(fd[0], &in);
    SAY(select(fd[0], &in, NULL, NULL, &none)); /* one too few */
    say("%d", FD_ISSET(fd[0], &in));
    SAY(select(-1, &in, NULL, NULL, &none));
    FD_SET(fd[0], &in);
    close(other[0]);
    FD_SET(other[0], &in);
    SAY(select(top, &in, NULL, NULL, &none));
    say("%d %d", FD_ISSET(fd[0], &in), FD_ISSET(other[0], &in));
    SAY(select(fd[0] + 1, (void *)8, NULL, NULL, &none));
    SAY(select(0, NULL, NULL, NULL, &none));
}

/* Above FD_SETSIZE, with sets of the program's own size. */
CASE(large_set)
{
    enum { AT = 2500 };
    int fd[2];
    struct rlimit rl;
    static unsigned long in[4096 / 64];
    struct timeval some = {2, 0};

    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_cur < 4096 ? 4096 : rl.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
        return;
    tcp_pair(fd);
    NEED(dup2(fd[0], AT) == AT);
    in[AT / 64] |= 1ul << AT % 64;
    NEED(send(fd[1], "x", 1, 0) == 1);
    SAY(select(AT + 1, (fd_set *)in, NULL, NULL, &some));
    say("%d", (int)(in[AT / 64] >> AT % 64 & 1));
}

/* A full set of sockets, each of which becomes ready once. */
CASE(many)
{
    enum { N = 100 };
    static int fd[N][2];
    static struct pollfd p[N];
    struct sockaddr_in sa;
    const int listener = peer_listen(&sa);

    for (int i = 0; i < N; i++) {
        fd[i][0] = host_socket(SOCK_STREAM);
        NEED(connect(fd[i][0], (struct sockaddr *)&sa, sizeof sa) == 0);
        NEED((fd[i][1] = accept(listener, NULL, NULL)) >= 0);
        p[i] = (struct pollfd){.fd = fd[i][0], .events = POLLIN};
    }
    for (int i = 0; i < N; i += 9) {
        NEED(send(fd[i][1], "x", 1, 0) == 1);
        const int n = poll(p, N, 5000);
        for (int k = 0; k < N; k++)
            if (p[k].revents)
                say("%d: %d %s", n, k, bits_text((uint16_t)p[k].revents));
        drain_off(fd[i][0]);
        fd_set in;
        FD_ZERO(&in);
        int top = 0;
        for (int k = 0; k < N; k++) {
            FD_SET(fd[k][0], &in);
            top = fd[k][0] > top ? fd[k][0] : top;
        }
        NEED(send(fd[i][1], "x", 1, 0) == 1);
        const int m = select(top + 1, &in, NULL, NULL, NULL);
        say("select %d %d", m, FD_ISSET(fd[i][0], &in));
        drain_off(fd[i][0]);
    }
}
