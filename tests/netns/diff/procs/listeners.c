/* SPDX-License-Identifier: BSD-3-Clause */
/* Listeners on all addresses that get another owner: those who come over the network and those who come over the
 * kernel's own loopback must both find it. */
#include "diff.h"

#include <spawn.h>
#include <sys/pidfd.h>

#define GREETING "here"

static int pass_one(int unix_fd, int fd)
{
    char c = 'f';
    struct iovec v = {&c, 1};
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof(int))];
    } u = {.h = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u};
    memcpy(CMSG_DATA(&u.h), &fd, sizeof fd);
    return sendmsg(unix_fd, &m, 0);
}

static int take_one(int unix_fd)
{
    char c;
    struct iovec v = {&c, 1};
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof(int))];
    } u;
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u};
    int fd = -1;
    if (recvmsg(unix_fd, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

/* Greets so many who come. */
static void serve(int l, int count)
{
    while (count-- > 0) {
        int fd = accept(l, NULL, NULL);
        if (fd < 0) {
            say("accept: %s", strerrorname_np(errno));
            return;
        }
        send(fd, GREETING, sizeof GREETING, MSG_NOSIGNAL);
        close(fd);
    }
}

/* A client on the kernel's stack. */
static void client(int port)
{
    struct sockaddr_in sin = address("127.0.0.1", port);
    char buf[16] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&sin, sizeof sin) < 0) {
        say("local client: %s", strerrorname_np(errno));
        return;
    }
    ssize_t n = recv(fd, buf, sizeof buf, MSG_WAITALL);
    say("local client: %zd %.4s", n, buf);
}

int executed(int argc, char **argv)
{
    const char *what = argv[1];
    int n = argc > 2 ? atoi(argv[2]) : 0, fd;
    if (strcmp(what, "client") == 0) {
        client(n);
    } else if (strcmp(what, "serve") == 0) { /* standard input is the listener */
        serve(0, n);
    } else if (strcmp(what, "serve3") == 0) {
        serve(3, n);
    } else if ((fd = take_one(0)) >= 0) { /* comes by standard input */
        if (strcmp(what, "listen") == 0)
            SAY(listen(fd, 5));
        write(1, "", 0);
        send(0, "r", 1, MSG_NOSIGNAL);
        if (strcmp(what, "epoll") == 0) {
            struct epoll_event ev = {.events = EPOLLIN};
            int ep = epoll_create1(0);
            epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
            fcntl(fd, F_SETFL, O_NONBLOCK);
            for (; n > 0; n--) {
                if (epoll_wait(ep, &ev, 1, 10000) != 1)
                    say("nobody came");
                serve(fd, 1);
            }
        } else {
            serve(fd, n);
        }
    }
    return 0;
}

static pid_t execute(const char *what, int n, int in)
{
    char number[16];
    snprintf(number, sizeof number, "%d", n);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        if (in >= 0)
            dup2(in, 0);
        closefrom(3);
        if (strcmp(what, "client") == 0)
            setenv("JOYRIDE", "off", 1);
        execl(self_path, self_path, self_path, host_ip, peer_ip, "exec", case_name, what, number, NULL);
        _exit(9);
    }
    return pid;
}

static void local_client(int port) { reap("local client", execute("client", port, -1)); }

static void network_client(int port)
{
    char answer[64];
    ask(answer, sizeof answer, "dial %d 1 echo", port);
    say("the peer's connection: %s", answer);
}

/* One from each side. */
static void both_clients(int port)
{
    local_client(port);
    network_client(port);
    local_client(port);
}

/* Another program, which takes a listener by its standard input; back when it has it. */
static pid_t taker(const char *what, int n, int l, int *unix_fd)
{
    int sv[2];
    char c;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    pid_t pid = execute(what, n, sv[1]);
    close(sv[1]);
    MUST(pass_one(sv[0], l));
    MUST(recv(sv[0], &c, 1, 0));
    *unix_fd = sv[0];
    return pid;
}

CASE(passed_and_closed)
{
    int port, u, l = listen_on("0.0.0.0", &port);
    pid_t pid = taker("accept", 3, l, &u);
    SAY(close(l));
    both_clients(port);
    reap("taker", pid);
    local_client(port);
}

CASE(passed_on_and_on)
{
    int port, u, l = listen_on("0.0.0.0", &port);
    for (int i = 0; i < 3; i++) {
        pid_t pid = taker("accept", 3, l, &u);
        both_clients(port);
        reap("taker", pid);
    }
    SAY(close(l));
    local_client(port);
}

CASE(passed_to_a_poller)
{
    int port, u, l = listen_on("0.0.0.0", &port);
    pid_t pid = taker("epoll", 3, l, &u);
    SAY(close(l));
    both_clients(port);
    reap("taker", pid);
}

CASE(in_flight_only)
{
    int port, sv[2], l = listen_on("0.0.0.0", &port);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    MUST(pass_one(sv[0], l));
    SAY(close(l));
    pid_t pid = execute("client", port, -1);
    l = take_one(sv[1]);
    serve(l, 1);
    reap("local client", pid);
    SAY(close(l));
    local_client(port);
}

CASE(both_worlds_of_ipv6)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    socklen_t len = sizeof in6;
    int u, l = MUST(socket(AF_INET6, SOCK_STREAM, 0));
    MUST(bind(l, (struct sockaddr *)&in6, sizeof in6));
    MUST(listen(l, 5));
    MUST(getsockname(l, (struct sockaddr *)&in6, &len));
    pid_t pid = taker("accept", 3, l, &u);
    close(l);
    both_clients(ntohs(in6.sin6_port));
    reap("taker", pid);
}

/* As a cluster's master: the workers listen. */
CASE(workers_that_listen)
{
    struct sockaddr_in sin = address("0.0.0.0", 0);
    socklen_t len = sizeof sin;
    int u, v, l = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(bind(l, (struct sockaddr *)&sin, sizeof sin));
    MUST(getsockname(l, (struct sockaddr *)&sin, &len));
    int port = ntohs(sin.sin_port);
    pid_t first = taker("listen", 3, l, &u);
    both_clients(port);
    pid_t second = taker("listen", 3, l, &v);
    reap("first", first);
    both_clients(port);
    reap("second", second);
    close(l);
    local_client(port);
}

/* What was set before it was sent counts for the worker that listens: the port is IPv6's alone. */
CASE(a_worker_that_listens_on_ipv6_only)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    socklen_t len = sizeof in6;
    int u, on = 1, l = MUST(socket(AF_INET6, SOCK_STREAM, 0));
    MUST(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    MUST(bind(l, (struct sockaddr *)&in6, sizeof in6));
    MUST(getsockname(l, (struct sockaddr *)&in6, &len));
    int port = ntohs(in6.sin6_port);
    pid_t worker = taker("listen", 0, l, &u);
    struct sockaddr_in sin = address("0.0.0.0", port);
    int l4 = MUST(socket(AF_INET, SOCK_STREAM, 0));
    SAY(bind(l4, (struct sockaddr *)&sin, sizeof sin));
    SAY(listen(l4, 5));
    pid_t pid = execute("serve", 3, l4);
    both_clients(port);
    reap("server", pid);
    reap("worker", worker);
}

CASE(a_child_forked_before_listen)
{
    struct sockaddr_in sin = address("0.0.0.0", 0);
    socklen_t len = sizeof sin;
    int p[2], l = MUST(socket(AF_INET, SOCK_STREAM, 0));
    char c;
    MUST(pipe(p));
    MUST(bind(l, (struct sockaddr *)&sin, sizeof sin));
    MUST(getsockname(l, (struct sockaddr *)&sin, &len));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        close(p[1]);
        read(p[0], &c, 1);
        serve(l, 3);
        _exit(0);
    }
    close(p[0]);
    SAY(listen(l, 5));
    close(p[1]);
    close(l);
    both_clients(ntohs(sin.sin_port));
    reap("child", pid);
}

CASE(inherited_by_exec)
{
    int port, l = listen_on("0.0.0.0", &port);
    pid_t pid = execute("serve", 3, l);
    close(l);
    both_clients(port);
    reap("server", pid);
    local_client(port);
}

static void spawn_server(int from, int to, int port, bool keep)
{
    posix_spawn_file_actions_t fa;
    char *argv[] = {(char *)self_path,
                    (char *)self_path,
                    (char *)host_ip,
                    (char *)peer_ip,
                    "exec",
                    (char *)case_name,
                    to ? "serve3" : "serve",
                    "3",
                    NULL};
    pid_t pid;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, from, to);
    if (!keep)
        posix_spawn_file_actions_addclose(&fa, from);
    SAY(posix_spawn(&pid, self_path, &fa, NULL, argv, environ));
    close(from);
    both_clients(port);
    reap("server", pid);
    local_client(port);
}

CASE(spawned_onto_another_number)
{
    int port, l = listen_on("0.0.0.0", &port);
    spawn_server(l, 0, port, true);
}

CASE(spawned_and_the_first_number_closed)
{
    int port, l = listen_on("0.0.0.0", &port);
    int high = fcntl(l, F_DUPFD_CLOEXEC, 20);
    close(l);
    spawn_server(high, 3, port, false);
}

CASE(vforked_by_two_steps)
{
    int port, l = fcntl(listen_on("0.0.0.0", &port), F_DUPFD_CLOEXEC, 30);
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(l, 40);
        dup2(40, 3);
        execl(self_path, self_path, self_path, host_ip, peer_ip, "exec", case_name, "serve3", "3", NULL);
        _exit(9);
    }
    closefrom(3);
    both_clients(port);
    reap("server", pid);
}

CASE(taken_by_pidfd)
{
    int p[2], q[2], told[2];
    MUST(pipe(p) | pipe(q));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char c;
        close(q[1]);
        int mine[2];
        mine[0] = listen_on("0.0.0.0", &mine[1]);
        write(p[1], mine, sizeof mine);
        read(q[0], &c, 1);
        _exit(0);
    }
    MUST(read(p[0], told, sizeof told));
    int pidfd = MUST(pidfd_open(pid, 0)), l = MUST(pidfd_getfd(pidfd, told[0], 0));
    close(q[1]);
    reap("owner", pid);
    pid_t server = fork();
    if (server == 0) {
        serve(l, 3);
        _exit(0);
    }
    close(l);
    both_clients(told[1]);
    reap("server", server);
}
