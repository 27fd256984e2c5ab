/* SPDX-License-Identifier: BSD-3-Clause */
/* Data between two sockets under test: large writes, full buffers, flags, and options that say how it flows. */
#include <sys/sendfile.h>

#include "own.h"

/* Three times what SO_SNDBUF says. */
static void large(int how)
{
    struct own o = own_ends(AF_INET);
    const int size = 3 * get_int(o.c, SOL_SOCKET, SO_SNDBUF);
    char *big = calloc(1, (size_t)size);
    ssize_t n;

    if (how != 2)
        fcntl(o.c, F_SETFL, O_NONBLOCK);
    n = how == 0 ? write(o.c, big, (size_t)size) : send(o.c, big, (size_t)size, how == 2 ? MSG_DONTWAIT : 0);
    say("some %d, all %d", n > 0, n == size);
}
CASE(own_large_write) { large(0); }
CASE(own_large_send) { large(1); }
CASE(own_large_dontwait) { large(2); }

struct job {
    int fd, ms;
};

static void *reads_all(void *arg)
{
    const struct job *j = arg;
    char b[2500];
    long sum = 0, n;

    nap(j->ms);
    while ((n = read(j->fd, b, sizeof b)) > 0)
        sum += n;
    close(j->fd);
    return (void *)sum;
}

CASE(own_large_blocking)
{
    struct own o = own_ends(AF_INET);
    struct job j = {o.a, 50};
    const size_t size = 3u * (size_t)get_int(o.c, SOL_SOCKET, SO_SNDBUF);
    char *big = calloc(1, size);
    pthread_t t;
    void *sum;

    pthread_create(&t, NULL, reads_all, &j);
    say("all %d", write(o.c, big, size) == (ssize_t)size);
    close(o.c);
    pthread_join(t, &sum);
    say("read all %d", (size_t)sum == size);
}

static void fill(struct own o)
{
    static char b[1 << 16];

    SAY(set_int(o.c, IPPROTO_TCP, TCP_NODELAY, 1));
    SAY(set_int(o.a, SOL_SOCKET, SO_RCVBUF, 1 << 18));
    SAY(set_int(o.c, SOL_SOCKET, SO_SNDBUF, 1 << 18));
    fcntl(o.c, F_SETFL, O_NONBLOCK);
    for (;;) {
        while (send(o.c, b, sizeof b, 0) > 0)
            ;
        nap(20);
        if (send(o.c, b, sizeof b, 0) < 0)
            break;
    }
    say("%s", errno_text(errno));
    fcntl(o.c, F_SETFL, 0);
}

CASE(own_full_poll)
{
    struct own o = own_ends(AF_INET);
    int n = 0;

    fill(o);
    SAY(own_poll(o.c, POLLOUT, 10));
    SAY(ioctl(o.c, SIOCOUTQ, &n));
    say("some %d", n > 0);
    SAY(ioctl(o.c, SIOCOUTQNSD, &n));
    say("not sent yet %d", n > 0);
    drain_off(o.a);
    SAY(own_poll(o.c, POLLOUT, 1000));
}

/* writev of more than both sides hold ends with what was taken, when the reader goes. */
CASE(own_full_reader_gone)
{
    struct own o = own_ends(AF_INET);
    static char data[2500];
    struct iovec v[IOV_MAX];

    for (int i = 0; i < IOV_MAX; i++)
        v[i] = (struct iovec){data, sizeof data};
    SAY(set_int(o.c, SOL_SOCKET, SO_SNDBUF, 2500));
    SAY(set_int(o.a, SOL_SOCKET, SO_RCVBUF, 2500));
    signal(SIGPIPE, SIG_IGN);
    if (fork() == 0) {
        char b[1];
        nap(200);
        close(o.c);
        read(o.a, b, 1);
        close(o.a);
        _exit(0);
    }
    close(o.a);
    const ssize_t n = writev(o.c, v, IOV_MAX);
    say("some %d, all %d", n > 1, n == (ssize_t)sizeof data * IOV_MAX);
    SAY(write(o.c, data, 1));
}

static void *raises(void *arg)
{
    nap(100);
    set_int(*(int *)arg, SOL_SOCKET, SO_SNDBUF, 100000);
    return NULL;
}

CASE(own_full_sndbuf_raised)
{
    struct own o = own_ends(AF_INET);
    static char b[1 << 20];
    pthread_t t;

    SAY(set_int(o.c, SOL_SOCKET, SO_SNDBUF, 50000));
    fcntl(o.c, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 20; i++) {
        while (send(o.c, b, sizeof b, 0) > 0)
            ;
        nap(5);
    }
    say("%s", errno_text(errno));
    fcntl(o.c, F_SETFL, 0);
    set_timeout(o.c, SO_SNDTIMEO, 2000);
    pthread_create(&t, NULL, raises, &o.c);
    SAY(send(o.c, b, 1, 0));
    pthread_join(t, NULL);
}

static void truncated(int flags)
{
    struct own o = own_ends(AF_INET6);
    char sent[512], got[1024] = {0};

    memset(sent, 'x', sizeof sent);
    SAY(send(o.c, sent, sizeof sent, 0));
    SAY(recv(o.a, got, sizeof sent / 2, flags));
    say("%d %d", got[0], got[255]);
    SAY(recv(o.a, got, sizeof got, MSG_DONTWAIT));
    say("%d %d", got[0], got[255]);
}
CASE(own_trunc) { truncated(MSG_TRUNC); }
CASE(own_trunc_ctrunc) { truncated(MSG_TRUNC | MSG_CTRUNC); }
CASE(own_ctrunc) { truncated(MSG_CTRUNC); }
CASE(own_trunc_peek) { truncated(MSG_TRUNC | MSG_PEEK); }

CASE(own_inq)
{
    struct own o = own_ends(AF_INET);
    char buf[1024] = {0}, control[64];
    struct iovec v = {buf, 512};
    int n = 0;

    for (int i = 0; i < 4; i++)
        SAY(write(o.c, buf, 256));
    SAY(get_int(o.a, IPPROTO_TCP, TCP_INQ));
    SAY(set_int(o.a, IPPROTO_TCP, TCP_INQ, 2));
    SAY(set_int(o.a, IPPROTO_TCP, TCP_INQ, 1));
    SAY(get_int(o.a, IPPROTO_TCP, TCP_INQ));
    await_bytes(o.a, 1024);
    SAY(ioctl(o.a, FIONREAD, &n));
    for (int i = 0; i < 4; i++) {
        struct msghdr m = {
            .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = i == 2 ? 4 : sizeof control};
        if (i == 3)
            close(o.c);
        if (i == 1)
            v.iov_len = 200;
        SAY(recvmsg(o.a, &m, i == 0 ? MSG_PEEK : 0));
        say("flags %x", (unsigned)m.msg_flags);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
            n = c->cmsg_level == IPPROTO_TCP ? *(int *)CMSG_DATA(c) : 0;
            say("level %d type %d length %zu: %d", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len, n);
        }
    }
    must_be_carried(o.a);
}

CASE(own_cork)
{
    struct own o = own_ends(AF_INET);
    char b[16];

    SAY(get_int(o.c, IPPROTO_TCP, TCP_CORK));
    SAY(set_int(o.c, IPPROTO_TCP, TCP_CORK, 1));
    SAY(write(o.c, "abc", 4));
    SAY(recv(o.a, b, sizeof b, MSG_DONTWAIT));
    SAY(set_int(o.c, IPPROTO_TCP, TCP_CORK, 0));
    SAY(recv(o.a, b, sizeof b, 0));
    SAY(set_int(o.c, IPPROTO_TCP, TCP_CORK, 1));
    SAY(write(o.c, "abc", 4));
    await_bytes(o.a, 4); /* after 200 ms */
    SAY(recv(o.a, b, sizeof b, 0));
}

CASE(own_files)
{
    struct own o = own_ends(AF_INET);
    char b[4096] = {1, 2, 3}, got[8192];
    int p[2], q[2];
    const int f = memfd_create("f", 0);

    NEED(pipe(p) == 0 && pipe(q) == 0);
    SAY(write(p[1], b, 2048));
    SAY(splice(p[0], NULL, o.c, NULL, 4096, 0));
    SAY(recv(o.a, got, 2048, MSG_WAITALL));
    SAY(write(o.c, b, 2048));
    SAY(shutdown(o.c, SHUT_WR));
    SAY(splice(o.a, NULL, q[1], NULL, 4096, 0));
    SAY(splice(o.a, NULL, q[1], NULL, 4096, 0));
    SAY(read(q[0], got, sizeof got));
    SAY(pwrite(f, b, 2048, 0));
    SAY(sendfile(o.a, f, NULL, 2049));
    SAY(read(o.c, got, sizeof got));
    SAY(sendfile(o.a, f, &(off_t){2000}, 2049));
    SAY(sendfile(o.a, f, &(off_t){3000}, 2049));
    SAY(sendfile(f, o.a, NULL, 10));
}

CASE(own_default_values)
{
    struct own o = own_ends(AF_INET);
    static const int names[] = {TCP_NODELAY,  TCP_CORK,         TCP_KEEPIDLE, TCP_KEEPINTVL,
                                TCP_KEEPCNT,  TCP_SYNCNT,       TCP_LINGER2,  TCP_DEFER_ACCEPT,
                                TCP_QUICKACK, TCP_USER_TIMEOUT, TCP_FASTOPEN, TCP_NOTSENT_LOWAT};
    char text[32], cc[24];
    socklen_t len = sizeof cc;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(text, sizeof text, "option %d", names[i]);
        SAY_AS(text, get_int(o.c, IPPROTO_TCP, names[i]));
        SAY_AS(text, get_int(o.a, IPPROTO_TCP, names[i]));
    }
    SAY(set_int(o.c, IPPROTO_TCP, TCP_LINGER2, 0));
    SAY(get_int(o.c, IPPROTO_TCP, TCP_LINGER2));
    SAY(set_int(o.c, IPPROTO_TCP, TCP_LINGER2, 121));
    SAY(get_int(o.c, IPPROTO_TCP, TCP_LINGER2));
    SAY(set_int(o.c, IPPROTO_TCP, TCP_LINGER2, -7));
    SAY(get_int(o.c, IPPROTO_TCP, TCP_LINGER2));
    SAY(setsockopt(o.c, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    len = 3;
    SAY(getsockopt(o.c, IPPROTO_TCP, TCP_CONGESTION, cc, &len));
    say("%u %.3s", len, cc);
    SAY(setsockopt(o.c, IPPROTO_TCP, TCP_CONGESTION, "invalid_ca_cc", 13));
    SAY(setsockopt(o.c, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5));
    SAY(set_int(o.c, SOL_SOCKET, SO_RCVBUF, 0));
    SAY(get_int(o.c, SOL_SOCKET, SO_RCVBUF));
    SAY(set_int(o.c, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0));
    SAY(set_int(o.c, IPPROTO_TCP, TCP_WINDOW_CLAMP, 1151));
    SAY(get_int(o.c, IPPROTO_TCP, TCP_WINDOW_CLAMP));
}
