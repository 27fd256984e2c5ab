/* SPDX-License-Identifier: BSD-3-Clause */
/* Pointers to memory that is not the program's: EFAULT, and the socket goes on. */
#include "diff.h"

#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <time.h>

#define BAD ((void *)bad_page())

/* The last N bytes before memory that nobody may touch. */
static char *edge(size_t n)
{
    static char *end;

    if (!end) {
        char *p = mmap(NULL, 2 * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        NEED(p != MAP_FAILED && mprotect(p + 65536, 65536, PROT_NONE) == 0);
        end = p + 65536;
        memset(p, 'e', 65536);
    }
    return end - n;
}

static char *read_only(void)
{
    char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    NEED(p != MAP_FAILED);
    return p;
}

CASE(fault_stream_send)
{
    struct ends e = tcp_ends();
    char b[200];
    struct iovec v[3] = {{"ab", 2}, {BAD, 4}, {"cd", 2}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};

    SAY(send(e.s, BAD, 4, 0));
    SAY(send(e.s, NULL, 4, 0));
    SAY(send(e.s, (void *)-1, 4, 0));
    SAY(send(e.s, (void *)1, 100, 0));
    SAY(write(e.s, BAD, 4));
    SAY(write(e.s, (void *)-1, 1));
    SAY(writev(e.s, v, 3));
    SAY(writev(e.s, v + 1, 2));
    SAY(sendmsg(e.s, &m, 0));
    SAY(send(e.s, edge(3), 10, 0));
    m.msg_iov = BAD;
    SAY(sendmsg(e.s, &m, 0));
    m.msg_iov = (void *)-1;
    SAY(sendmsg(e.s, &m, 0));
    m.msg_iovlen = 0;
    SAY(sendmsg(e.s, &m, 0));
    SAY(sendmsg(e.s, BAD, 0));
    SAY(sendmsg(e.s, NULL, 0));
    SAY(sendmsg(e.s, (void *)-1, 0));
    SAY(writev(e.s, BAD, 1));
    SAY(writev(e.s, NULL, 1));
    SAY(sendmmsg(e.s, BAD, 1, 0));
    SAY(sendto(e.s, "a", 1, 0, BAD, 16));
    settle(20);
    long n = SAY(recv(e.p, b, sizeof b, MSG_DONTWAIT));
    say_bytes("arrived", b, n > 0 ? (size_t)n : 0);
    SAY(send(e.s, read_only(), 2, 0));
}

CASE(fault_stream_recv)
{
    struct ends e = tcp_ends();
    char b[16];
    struct iovec v[2] = {{b, 2}, {BAD, 4}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    struct sockaddr_in a;

    SAY(recv(e.s, BAD, 4, MSG_DONTWAIT));
    feed(e, "abcdefghijklmnopqrst");
    SAY(recv(e.s, BAD, 4, 0));
    SAY(recv(e.s, NULL, 4, 0));
    SAY(recv(e.s, (void *)-1, 4, 0));
    SAY(recv(e.s, BAD, 4, MSG_PEEK));
    SAY(read(e.s, BAD, 4));
    SAY(recv(e.s, read_only(), 4, 0));
    SAY(recv(e.s, edge(3), 8, 0));
    SAY(readv(e.s, v, 2));
    SAY(recvmsg(e.s, &m, 0));
    SAY(readv(e.s, v + 1, 1));
    SAY(recvmsg(e.s, BAD, 0));
    SAY(recvmsg(e.s, NULL, 0));
    m.msg_iov = BAD;
    SAY(recvmsg(e.s, &m, 0));
    SAY(readv(e.s, BAD, 1));
    SAY(recvfrom(e.s, b, 1, 0, (void *)&a, BAD));
    SAY(recvfrom(e.s, b, 1, 0, (void *)&a, NULL));
    SAY(recvfrom(e.s, b, 1, 0, BAD, &(socklen_t){16}));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_name = BAD, .msg_namelen = 16};
    SAY(recvmsg(e.s, &m, 0));
    SAY(recvmmsg(e.s, BAD, 1, 0, NULL));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = BAD, .msg_controllen = 16};
    SAY(recvmsg(e.s, &m, 0));
    SAY(recv(e.s, b, 16, MSG_DONTWAIT));
}

CASE(fault_dgram)
{
    struct ends e = udp_ends();
    char b[16], control[64];
    struct sockaddr_in a;
    struct iovec v[2] = {{b, 2}, {BAD, 4}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

    SAY(send(e.s, BAD, 4, 0));
    SAY(send(e.s, edge(3), 4, 0));
    SAY(sendmsg(e.s, &m, 0));
    SAY(sendto(e.s, "a", 1, 0, BAD, 16));
    SAY(sendto(e.s, "a", 1, 0, (void *)-1, 16));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = BAD, .msg_controllen = 32};
    SAY(sendmsg(e.s, &m, 0));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_name = BAD, .msg_namelen = 16};
    SAY(sendmsg(e.s, &m, 0));
    SAY(recv(e.p, b, 16, MSG_DONTWAIT));
    feed(e, "abcdef");
    SAY(recv(e.s, BAD, 4, MSG_PEEK));
    SAY(recv(e.s, BAD, 4, 0));
    SAY(recv(e.s, b, 4, MSG_DONTWAIT));
    feed(e, "abcdef");
    SAY(recvfrom(e.s, b, 16, 0, (void *)&a, BAD));
    SAY(recv(e.s, b, 4, MSG_DONTWAIT));
    feed(e, "abcdef");
    SAY(recvfrom(e.s, b, 16, 0, BAD, &(socklen_t){16}));
    SAY(recv(e.s, b, 4, MSG_DONTWAIT));
    feed(e, "abcdef");
    SAY(recv(e.s, edge(3), 16, 0));
    SAY(recv(e.s, b, 4, MSG_DONTWAIT));
    set_int(e.s, IPPROTO_IP, IP_PKTINFO, 1);
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = BAD, .msg_controllen = 64};
    feed(e, "abcdef");
    SAY(recvmsg(e.s, &m, 0));
    say("controllen %zu flags %x", m.msg_controllen, (unsigned)m.msg_flags);
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    feed(e, "abcdef");
    SAY(recvmsg(e.s, &m, 0));
    SAY(recvmmsg(e.s, BAD, 1, MSG_DONTWAIT, NULL));
    SAY(sendmmsg(e.s, BAD, 1, MSG_DONTWAIT));
    struct mmsghdr mm = {.msg_hdr = m};
    SAY(recvmmsg(e.s, &mm, 1, MSG_DONTWAIT, BAD));
}

CASE(fault_names)
{
    int port, l = host_listener(&port), s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a;

    SAY(bind(s, BAD, 16));
    SAY(bind(s, NULL, 16));
    SAY(connect(s, BAD, 16));
    SAY(connect(s, (void *)-1, 16));
    SAY(connect(s, NULL, 16));
    SAY(connect(s, NULL, 0));
    SAY(getsockname(s, BAD, &(socklen_t){16}));
    SAY(getsockname(s, (void *)&a, BAD));
    SAY(getsockname(s, NULL, &(socklen_t){16}));
    SAY(getsockname(s, NULL, &(socklen_t){0}));
    SAY(getsockname(s, (void *)&a, NULL));
    SAY(getpeername(s, BAD, &(socklen_t){16}));
    struct ends e = tcp_ends();
    SAY(getpeername(e.s, BAD, &(socklen_t){16}));
    SAY(getpeername(e.s, (void *)&a, BAD));
    SAY(getpeername(e.s, (void *)&a, (void *)-1));
    fcntl(l, F_SETFL, O_NONBLOCK);
    SAY(accept(l, BAD, &(socklen_t){16}));
    SAY(accept(l, (void *)&a, BAD));
    for (int i = 0; i < 3; i++)
        NEED(try_connect(peer_socket(AF_INET, SOCK_STREAM), host4.sin_addr, port) == 0);
    await(l, POLLIN);
    SAY(accept(l, BAD, &(socklen_t){16}));
    SAY(accept(l, (void *)&a, BAD));
    SAY(accept(l, (void *)&a, NULL));
    SAY(accept(l, NULL, NULL));
}

CASE(fault_options)
{
    struct ends e = tcp_ends();
    struct ends u = udp_ends();
    int v = 1;

    SAY(setsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, BAD, 4));
    SAY(setsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
    SAY(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, BAD, 16));
    SAY(setsockopt(e.s, SOL_SOCKET, SO_LINGER, BAD, 8));
    SAY(setsockopt(e.s, IPPROTO_TCP, TCP_NODELAY, BAD, 4));
    SAY(setsockopt(e.s, IPPROTO_TCP, TCP_CONGESTION, BAD, 4));
    SAY(setsockopt(e.s, IPPROTO_IP, IP_TOS, BAD, 4));
    SAY(setsockopt(u.s, IPPROTO_IP, IP_ADD_MEMBERSHIP, BAD, 8));
    SAY(setsockopt(u.s, IPPROTO_IP, IP_PKTINFO, BAD, 4));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, BAD, &(socklen_t){4}));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, NULL, &(socklen_t){4}));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, &v, BAD));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, &v, NULL));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_TYPE, BAD, &(socklen_t){4}));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_TYPE, NULL, &(socklen_t){0}));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_ERROR, BAD, &(socklen_t){4}));
    SAY(getsockopt(e.s, IPPROTO_TCP, TCP_INFO, BAD, &(socklen_t){4}));
    SAY(getsockopt(e.s, IPPROTO_TCP, TCP_NODELAY, BAD, &(socklen_t){4}));
    SAY(getsockopt(e.s, IPPROTO_IP, IP_TTL, BAD, &(socklen_t){4}));
    SAY(getsockopt(e.s, IPPROTO_IP, IP_TTL, &v, BAD));
    SAY(getsockopt(u.s, IPPROTO_IP, IP_PKTINFO, &v, BAD));
    SAY(setsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, &v, 0));
    SAY(setsockopt(e.s, SOL_SOCKET, 9999, BAD, 4));
    SAY(setsockopt(e.s, 9999, 1, BAD, 4));
    SAY(getsockopt(e.s, SOL_SOCKET, 9999, BAD, &(socklen_t){4}));
}

CASE(fault_ioctl)
{
    struct ends e = tcp_ends();

    SAY(ioctl(e.s, FIONREAD, BAD));
    SAY(ioctl(e.s, FIONREAD, NULL));
    SAY(ioctl(e.s, FIONBIO, BAD));
    SAY(ioctl(e.s, FIONBIO, NULL));
    SAY(ioctl(e.s, FIOASYNC, BAD));
    SAY(ioctl(e.s, TIOCOUTQ, BAD));
    SAY(ioctl(e.s, 0x8905 /* SIOCATMARK */, BAD));
    SAY(fcntl(e.s, F_GETLK, BAD));
    SAY(fcntl(e.s, F_SETOWN_EX, BAD));
    SAY(fcntl(e.s, F_GETOWN_EX, BAD));
    SAY(fstat(e.s, BAD));
}

CASE(fault_ready)
{
    struct ends e = tcp_ends();
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLOUT};

    SAY(poll(BAD, 1, 0));
    SAY(ppoll(&(struct pollfd){.fd = e.s, .events = POLLOUT}, 1, BAD, NULL));
    SAY(ppoll(&(struct pollfd){.fd = e.s, .events = POLLOUT}, 1, NULL, BAD));
    SAY(select(e.s + 1, BAD, NULL, NULL, NULL));
    SAY(select(e.s + 1, NULL, NULL, NULL, BAD));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, BAD));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, NULL));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_MOD, e.s, BAD));
    SAY(epoll_wait(ep, BAD, 1, 0));
    SAY(epoll_wait(ep, NULL, 1, 0));
    SAY(epoll_wait(ep, &ev, 1, 0));
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, e.s, BAD));
}

CASE(fault_reuse)
{
    struct ends e = tcp_ends();
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec v;

    /* memory that was good a moment ago */
    SAY(send(e.s, p, 8192, 0));
    feed(e, "abcdef");
    SAY(recv(e.s, p, 2, 0));
    mprotect(p, 8192, PROT_READ);
    SAY(recv(e.s, p, 2, 0));
    SAY(send(e.s, p, 10, 0));
    mprotect(p, 8192, PROT_NONE);
    SAY(send(e.s, p, 10, 0));
    mprotect(p, 8192, PROT_READ | PROT_WRITE);
    SAY(recv(e.s, p, 2, 0));
    munmap(p + 4096, 4096);
    SAY(send(e.s, p + 4096, 10, 0));
    SAY(recv(e.s, p + 4096, 2, 0));
    SAY(recv(e.s, p, 1, 0));
    v = (struct iovec){p, 4097};
    SAY(writev(e.s, &v, 1));
    munmap(p, 4096);
    SAY(recv(e.s, p, 1, 0));
    SAY(send(e.s, p, 1, 0));
}

CASE(fault_files)
{
    struct ends e = tcp_ends();
    int f = open("/etc/passwd", O_RDONLY), pp[2];

    NEED(pipe(pp) == 0);
    SAY(sendfile(e.s, f, BAD, 10));
    SAY(splice(pp[0], BAD, e.s, NULL, 10, 0));
    SAY(splice(pp[0], NULL, e.s, BAD, 10, 0));
    SAY(preadv(e.s, BAD, 1, 0));
    SAY(getsockopt(e.s, SOL_SOCKET, SO_PEERCRED, BAD, &(socklen_t){12}));
}
