/* SPDX-License-Identifier: BSD-3-Clause */
/* SCM_RIGHTS in every form: cut short, looked at first, thrown away, among credentials, in several messages, of all
 * kinds of sockets, and what the receiver then has. */
#include "diff.h"

#include <sys/pidfd.h>

#define MOST 300

union control {
    struct cmsghdr h;
    char buf[CMSG_SPACE(MOST * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

static void make_pair(int type, int sv[2]) { MUST(socketpair(AF_UNIX, type, 0, sv)); }

static ssize_t pass(int to, const int *fds, int n, const char *text)
{
    static union control u;
    struct iovec v = {(void *)text, strlen(text)};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    memset(&u, 0, sizeof u);
    u.h.cmsg_level = SOL_SOCKET;
    u.h.cmsg_type = SCM_RIGHTS;
    u.h.cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(&u.h), fds, n * sizeof(int));
    return sendmsg(to, &m, 0);
}

static ssize_t pass_one(int to, int fd, const char *text) { return pass(to, &fd, 1, text); }

/* Says what came: bytes, flags, how many fds; these in FDS. */
static int take(int from, int *fds, size_t control, int flags)
{
    static union control u;
    char text[64];
    struct iovec v = {text, sizeof text};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control ? &u : NULL, .msg_controllen = control};
    int n = 0;
    ssize_t r = SAY(recvmsg(from, &m, flags));
    if (r < 0)
        return 0;
    say_bytes("text", text, (size_t)r);
    say("flags %#x control %zu", m.msg_flags & ~MSG_CMSG_CLOEXEC, (size_t)m.msg_controllen);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        say("level %d type %d len %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(c), n * sizeof(int));
    }
    return n;
}

static void say_kind(const char *what, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        say("%s: %s", what, errno_text(errno));
    else
        say("%s: a socket %d, descriptor flags %d, open %d, type %d", what, S_ISSOCK(st.st_mode), fcntl(fd, F_GETFD),
            fcntl(fd, F_GETFL), get_int(fd, SOL_SOCKET, SO_TYPE));
}

static void each_pair(void (*run)(int sv[2]))
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        int sv[2];
        make_pair(types[i], sv);
        run(sv);
        close(sv[0]);
        close(sv[1]);
    }
}

static void kinds_of_pairs(int sv[2])
{
    int fds[4], s = dial(ECHO);
    SAY(pass_one(sv[0], s, "one"));
    SAY(take(sv[1], fds, CMSG_SPACE(sizeof(int)), 0));
    say_kind("got", fds[0]);
    SAY(echoes(fds[0]));
    SAY(echoes(s));
}
CASE(by_every_pair) { each_pair(kinds_of_pairs); }

static void cut_short(int sv[2])
{
    int fds[8] = {0}, s[3] = {dial(ECHO), dial(ECHO), dial(ECHO)};
    SAY(pass(sv[0], s, 3, "three"));
    int n = take(sv[1], fds, CMSG_LEN(sizeof(int)), 0);
    for (int i = 0; i < n; i++)
        SAY(echoes(fds[i]));
    SAY(pass(sv[0], s, 3, "three"));
    n = take(sv[1], fds, CMSG_LEN(2 * sizeof(int)), 0);
    for (int i = 0; i < n; i++)
        SAY(echoes(fds[i]));
    SAY(pass(sv[0], s, 3, "three"));
    SAY(take(sv[1], fds, CMSG_LEN(0), 0));
    SAY(pass(sv[0], s, 3, "three"));
    SAY(take(sv[1], fds, CMSG_LEN(0) - 1, 0));
    SAY(pass(sv[0], s, 3, "three"));
    SAY(take(sv[1], fds, 0, 0));
    SAY(pass(sv[0], s, 3, "three"));
    SAY(take(sv[1], fds, CMSG_LEN(sizeof(int)) + 2, 0));
    int next = dup(0);
    say("lowest %d", next - s[0]);
    for (int i = 0; i < 3; i++)
        SAY(echoes(s[i]));
}
CASE(cut_short_in_every_way) { each_pair(cut_short); }

static void thrown_away(int sv[2])
{
    char text[16];
    struct sockaddr_in sin;
    int l = peer_listen(&sin), s = host_socket(SOCK_STREAM);
    MUST(connect(s, (struct sockaddr *)&sin, sizeof sin));
    int p = MUST(accept(l, NULL, NULL));
    SAY(pass_one(sv[0], s, "gone"));
    SAY(close(s));
    say("open %#x", poll_now(p) & POLLIN);
    SAY(read(sv[1], text, sizeof text));
    say("closed %#x", poll_for(p, POLLIN) & POLLIN);
    SAY(recv(p, text, sizeof text, MSG_DONTWAIT));
    close(p);
    s = host_socket(SOCK_STREAM);
    MUST(connect(s, (struct sockaddr *)&sin, sizeof sin));
    p = MUST(accept(l, NULL, NULL));
    SAY(pass_one(sv[0], s, "never read"));
    SAY(close(s));
    close(sv[0]);
    close(sv[1]);
    say("closed %#x", poll_for(p, POLLIN) & POLLIN);
    SAY(recv(p, text, sizeof text, MSG_DONTWAIT));
    close(p);
    close(l);
    sv[0] = sv[1] = -1;
}
CASE(thrown_away_unseen) { each_pair(thrown_away); }

static void looked_at(int sv[2])
{
    int fds[8], s = dial(ECHO);
    SAY(pass_one(sv[0], s, "look"));
    SAY(take(sv[1], fds, CMSG_SPACE(sizeof(int)), MSG_PEEK));
    SAY(echoes(fds[0]));
    SAY(take(sv[1], fds + 1, CMSG_SPACE(sizeof(int)), MSG_PEEK));
    SAY(take(sv[1], fds + 2, CMSG_SPACE(sizeof(int)), 0));
    SAY(close(s));
    for (int i = 0; i < 3; i++) {
        SAY(echoes(fds[i]));
        SAY(close(fds[i]));
    }
}
CASE(looked_at_first) { each_pair(looked_at); }

CASE(close_on_exec)
{
    int sv[2], fds[2], s = dial(ECHO);
    make_pair(SOCK_STREAM, sv);
    MUST(fcntl(s, F_SETFD, FD_CLOEXEC));
    SAY(pass_one(sv[0], s, "x"));
    SAY(take(sv[1], fds, CMSG_SPACE(sizeof(int)), 0));
    SAY(fcntl(fds[0], F_GETFD));
    SAY(pass_one(sv[0], s, "x"));
    SAY(take(sv[1], fds, CMSG_SPACE(sizeof(int)), MSG_CMSG_CLOEXEC));
    SAY(fcntl(fds[0], F_GETFD));
    SAY(fcntl(s, F_SETFL, O_NONBLOCK));
    SAY(pass_one(sv[0], s, "x"));
    SAY(take(sv[1], fds, CMSG_SPACE(sizeof(int)), 0));
    SAY(fcntl(fds[0], F_GETFL));
    SAY(fcntl(fds[0], F_SETFL, 0));
    SAY(fcntl(s, F_GETFL));
}

CASE(stream_stops_at_rights)
{
    int sv[2], fds[2], s = dial(ECHO);
    make_pair(SOCK_STREAM, sv);
    SAY(send(sv[0], "before", 6, 0));
    SAY(pass_one(sv[0], s, "with"));
    SAY(send(sv[0], "after", 5, 0));
    SAY(pass_one(sv[0], s, "again"));
    for (int i = 0; i < 4; i++) {
        if (take(sv[1], fds, CMSG_SPACE(sizeof(int)), MSG_DONTWAIT) == 1) {
            SAY(echoes(fds[0]));
            close(fds[0]);
        }
    }
}

CASE(with_credentials)
{
    static union control u;
    int sv[2], fds[2], s = dial(ECHO), on = 1;
    char c = 'x';
    struct iovec v = {&c, 1};
    make_pair(SOCK_STREAM, sv);
    MUST(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = &u,
                       .msg_controllen = CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    struct ucred me = {getpid(), getuid(), getgid()};
    *h = (struct cmsghdr){CMSG_LEN(sizeof me), SOL_SOCKET, SCM_CREDENTIALS};
    memcpy(CMSG_DATA(h), &me, sizeof me);
    h = CMSG_NXTHDR(&m, h);
    *h = (struct cmsghdr){CMSG_LEN(sizeof s), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(h), &s, sizeof s);
    SAY(sendmsg(sv[0], &m, 0));
    SAY(take(sv[1], fds, sizeof u, 0));
    SAY(echoes(fds[0]));
    SAY(sendmsg(sv[0], &m, 0));
    SAY(take(sv[1], fds, CMSG_SPACE(sizeof(struct ucred)), 0));
    SAY(sendmsg(sv[0], &m, 0));
    SAY(take(sv[1], fds, CMSG_SPACE(sizeof(struct ucred)) + CMSG_LEN(0), 0));
}

CASE(two_lists_in_one_message)
{
    static union control u;
    int sv[2], fds[4], s[2] = {dial(ECHO), dial_udp(ECHO)};
    char c = 'x';
    struct iovec v = {&c, 1};
    make_pair(SOCK_STREAM, sv);
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = 2 * CMSG_SPACE(sizeof(int))};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    for (int i = 0; i < 2; i++, h = CMSG_NXTHDR(&m, h)) {
        *h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(h), &s[i], sizeof(int));
    }
    SAY(sendmsg(sv[0], &m, 0));
    int n = take(sv[1], fds, sizeof u, 0);
    for (int i = 0; i < n; i++)
        SAY(echoes(fds[i]));
}

CASE(bad_lists)
{
    int sv[2], fds[MOST], s = dial(ECHO), taken[MOST];
    make_pair(SOCK_STREAM, sv);
    for (int i = 0; i < MOST; i++)
        fds[i] = s;
    SAY(pass(sv[0], fds, 254, "too many"));
    SAY(pass(sv[0], fds, 253, "all"));
    say("%d", take(sv[1], taken, sizeof(union control), 0));
    SAY(echoes(taken[252]));
    for (int i = 0; i < 253; i++)
        MUST(close(taken[i]));
    SAY(pass(sv[0], fds, 0, "none"));
    say("%d", take(sv[1], taken, sizeof(union control), 0));
    fds[1] = 999;
    SAY(pass(sv[0], fds, 2, "one is closed"));
    fds[1] = -1;
    SAY(pass(sv[0], fds, 2, "one is none"));
    fds[0] = AT_FDCWD;
    SAY(pass(sv[0], fds, 1, "the folder"));
    SAY(recv(sv[1], taken, 1, MSG_DONTWAIT));
    SAY(echoes(s));
}

/* Over an Internet socket nothing of the kind is sent. */
CASE(by_internet_sockets)
{
    int s = dial(ECHO), u = dial_udp(ECHO);
    char buf[8];
    SAY(pass_one(s, u, "abc"));
    SAY(pass_one(u, s, "abc"));
    if (poll_for(s, POLLIN) & POLLIN)
        SAY(recv(s, buf, sizeof buf, MSG_DONTWAIT));
    SAY(fcntl(s, F_GETFD));
}

CASE(limit_of_the_receiver)
{
    int sv[2], fds[8], s[4] = {dial(ECHO), dial(ECHO), dial(ECHO), dial(ECHO)};
    make_pair(SOCK_STREAM, sv);
    SAY(pass(sv[0], s, 4, "four"));
    struct rlimit few = {(rlim_t)sv[1] + 3, 4096};
    MUST(setrlimit(RLIMIT_NOFILE, &few));
    int n = take(sv[1], fds, sizeof(union control), 0);
    for (int i = 0; i < n; i++)
        SAY(echoes(fds[i]));
    SAY(pass(sv[0], s, 4, "four"));
    n = take(sv[1], fds, sizeof(union control), 0);
    SAY(echoes(s[3]));
}

CASE(many_messages)
{
    struct mmsghdr mm[4];
    static union control u[4];
    struct iovec v = {"m", 1};
    int sv[2], s[4];
    make_pair(SOCK_DGRAM, sv);
    for (int i = 0; i < 4; i++) {
        s[i] = i % 2 ? dial(ECHO) : dial_udp(ECHO);
        mm[i] = (struct mmsghdr){
            {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u[i], .msg_controllen = CMSG_SPACE(sizeof(int))}, 0};
        u[i].h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&u[i].h), &s[i], sizeof(int));
    }
    SAY(sendmmsg(sv[0], mm, 4, 0));
    char text[4];
    v.iov_base = text;
    for (int i = 0; i < 4; i++) {
        close(s[i]);
        mm[i].msg_hdr.msg_controllen = sizeof u[i];
        memset(&u[i], 0, sizeof u[i]);
    }
    SAY(recvmmsg(sv[1], mm, 4, MSG_DONTWAIT, NULL));
    for (int i = 0; i < 4; i++) {
        memcpy(&s[i], CMSG_DATA(CMSG_FIRSTHDR(&mm[i].msg_hdr)), sizeof(int));
        SAY(echoes(s[i]));
    }
}

/* What was set before is set for whoever got it, and the reverse. */
CASE(state_goes_along)
{
    int sv[2], s = host_socket(SOCK_STREAM), status;
    make_pair(SOCK_STREAM, sv);
    MUST(set_int(s, SOL_SOCKET, SO_KEEPALIVE, 1));
    MUST(set_int(s, IPPROTO_TCP, TCP_NODELAY, 1));
    MUST(set_timeout(s, SO_RCVTIMEO, 50));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int fd;
        close(s);
        NEED(take(sv[1], &fd, sizeof(union control), 0) == 1);
        SAY(get_int(fd, SOL_SOCKET, SO_KEEPALIVE));
        SAY(get_int(fd, IPPROTO_TCP, TCP_NODELAY));
        struct sockaddr_in sin = address(peer_ip, ECHO);
        SAY(connect(fd, (struct sockaddr *)&sin, sizeof sin));
        char c;
        SAY(recv(fd, &c, 1, 0));
        SAY(set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 0));
        SAY(send(fd, "child", 5, 0));
        exit(0);
    }
    MUST(pass_one(sv[0], s, "x"));
    waitpid(pid, &status, 0);
    SAY(get_int(s, SOL_SOCKET, SO_KEEPALIVE));
    char buf[8];
    SAY(recv(s, buf, 5, MSG_WAITALL));
    SAY(echoes(s));
}

CASE(a_chain_of_processes)
{
    int up[5][2], s = dial(ECHO), fd;
    for (int i = 0; i < 5; i++)
        make_pair(SOCK_STREAM, up[i]);
    for (int i = 0; i < 4; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            close(s);
            NEED(take(up[i][1], &fd, sizeof(union control), 0) == 1);
            SAY(echoes(fd));
            SAY(pass_one(up[i + 1][0], fd, "on"));
            _exit(0);
        }
        if (i == 0)
            MUST(pass_one(up[0][0], s, "on"));
        reap("link", pid);
    }
    close(s);
    NEED(take(up[4][1], &fd, sizeof(union control), 0) == 1);
    SAY(echoes(fd));
}

/* A listener, connections in its queue, and a connection under way are passed. */
CASE(in_every_state)
{
    int sv[2], fds[4], port, l = listen_on(host_ip, &port);
    make_pair(SOCK_STREAM, sv);
    call_me(port, 2, "echo");
    MUST(await(l, POLLIN));
    int c = host_socket(SOCK_STREAM), u = dial_udp(ECHO);
    nonblocking(c);
    struct sockaddr_in sin = address(peer_ip, ECHO);
    connect(c, (struct sockaddr *)&sin, sizeof sin);
    int s[3] = {l, c, u};
    pid_t pid = MUST(fork());
    if (pid == 0) {
        for (int i = 0; i < 3; i++)
            close(s[i]);
        NEED(take(sv[1], fds, sizeof(union control), 0) == 3);
        int a = accept(fds[0], NULL, NULL);
        SAY(echoes(a));
        say("%#x", await(fds[1], POLLOUT));
        fcntl(fds[1], F_SETFL, 0);
        SAY(echoes(fds[1]));
        SAY(echoes(fds[2]));
        _exit(0);
    }
    MUST(pass(sv[0], s, 3, "all"));
    reap("child", pid);
    SAY(echoes(accept(l, NULL, NULL)));
    SAY(shutdown(c, SHUT_RDWR));
}
