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
        MUST(p != MAP_FAILED && mprotect(p + 65536, 65536, PROT_NONE) == 0);
        end = p + 65536;
        memset(p, 'e', 65536);
    }
    return end - n;
}

static char *read_only(void)
{
    char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MUST(p != MAP_FAILED);
    return p;
}

CASE(fault_stream_send)
{
    struct ends e = tcp_ends();
    char b[200];
    struct iovec v[3] = {{"ab", 2}, {BAD, 4}, {"cd", 2}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};

    T(send(e.s, BAD, 4, 0));
    T(send(e.s, NULL, 4, 0));
    T(send(e.s, (void *)-1, 4, 0));
    T(send(e.s, (void *)1, 100, 0));
    T(write(e.s, BAD, 4));
    T(write(e.s, (void *)-1, 1));
    T(writev(e.s, v, 3));
    T(writev(e.s, v + 1, 2));
    T(sendmsg(e.s, &m, 0));
    T(send(e.s, edge(3), 10, 0));
    m.msg_iov = BAD;
    T(sendmsg(e.s, &m, 0));
    m.msg_iov = (void *)-1;
    T(sendmsg(e.s, &m, 0));
    m.msg_iovlen = 0;
    T(sendmsg(e.s, &m, 0));
    T(sendmsg(e.s, BAD, 0));
    T(sendmsg(e.s, NULL, 0));
    T(sendmsg(e.s, (void *)-1, 0));
    T(writev(e.s, BAD, 1));
    T(writev(e.s, NULL, 1));
    T(sendmmsg(e.s, BAD, 1, 0));
    T(sendto(e.s, "a", 1, 0, BAD, 16));
    usleep(20000);
    long n = T(recv(e.p, b, sizeof b, MSG_DONTWAIT));
    say_bytes("arrived", b, n > 0 ? (size_t)n : 0);
    T(send(e.s, read_only(), 2, 0));
}

CASE(fault_stream_recv)
{
    struct ends e = tcp_ends();
    char b[16];
    struct iovec v[2] = {{b, 2}, {BAD, 4}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    struct sockaddr_in a;

    T(recv(e.s, BAD, 4, MSG_DONTWAIT));
    feed(e, "abcdefghijklmnopqrst");
    T(recv(e.s, BAD, 4, 0));
    T(recv(e.s, NULL, 4, 0));
    T(recv(e.s, (void *)-1, 4, 0));
    T(recv(e.s, BAD, 4, MSG_PEEK));
    T(read(e.s, BAD, 4));
    T(recv(e.s, read_only(), 4, 0));
    T(recv(e.s, edge(3), 8, 0));
    T(readv(e.s, v, 2));
    T(recvmsg(e.s, &m, 0));
    T(readv(e.s, v + 1, 1));
    T(recvmsg(e.s, BAD, 0));
    T(recvmsg(e.s, NULL, 0));
    m.msg_iov = BAD;
    T(recvmsg(e.s, &m, 0));
    T(readv(e.s, BAD, 1));
    T(recvfrom(e.s, b, 1, 0, (void *)&a, BAD));
    T(recvfrom(e.s, b, 1, 0, (void *)&a, NULL));
    T(recvfrom(e.s, b, 1, 0, BAD, &(socklen_t){16}));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_name = BAD, .msg_namelen = 16};
    T(recvmsg(e.s, &m, 0));
    T(recvmmsg(e.s, BAD, 1, 0, NULL));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = BAD, .msg_controllen = 16};
    T(recvmsg(e.s, &m, 0));
    T(recv(e.s, b, 16, MSG_DONTWAIT));
}

CASE(fault_dgram)
{
    struct ends e = udp_ends();
    char b[16], control[64];
    struct sockaddr_in a;
    struct iovec v[2] = {{b, 2}, {BAD, 4}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

    T(send(e.s, BAD, 4, 0));
    T(send(e.s, edge(3), 4, 0));
    T(sendmsg(e.s, &m, 0));
    T(sendto(e.s, "a", 1, 0, BAD, 16));
    T(sendto(e.s, "a", 1, 0, (void *)-1, 16));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = BAD, .msg_controllen = 32};
    T(sendmsg(e.s, &m, 0));
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_name = BAD, .msg_namelen = 16};
    T(sendmsg(e.s, &m, 0));
    T(recv(e.p, b, 16, MSG_DONTWAIT));
    feed(e, "abcdef");
    T(recv(e.s, BAD, 4, MSG_PEEK));
    T(recv(e.s, BAD, 4, 0));
    T(recv(e.s, b, 4, MSG_DONTWAIT));
    feed(e, "abcdef");
    T(recvfrom(e.s, b, 16, 0, (void *)&a, BAD));
    T(recv(e.s, b, 4, MSG_DONTWAIT));
    feed(e, "abcdef");
    T(recvfrom(e.s, b, 16, 0, BAD, &(socklen_t){16}));
    T(recv(e.s, b, 4, MSG_DONTWAIT));
    feed(e, "abcdef");
    T(recv(e.s, edge(3), 16, 0));
    T(recv(e.s, b, 4, MSG_DONTWAIT));
    set_int(e.s, IPPROTO_IP, IP_PKTINFO, 1);
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = BAD, .msg_controllen = 64};
    feed(e, "abcdef");
    T(recvmsg(e.s, &m, 0));
    say("controllen %zu flags %x", m.msg_controllen, (unsigned)m.msg_flags);
    m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    feed(e, "abcdef");
    T(recvmsg(e.s, &m, 0));
    T(recvmmsg(e.s, BAD, 1, MSG_DONTWAIT, NULL));
    T(sendmmsg(e.s, BAD, 1, MSG_DONTWAIT));
    struct mmsghdr mm = {.msg_hdr = m};
    T(recvmmsg(e.s, &mm, 1, MSG_DONTWAIT, BAD));
}

CASE(fault_names)
{
    int port, l = listener(&port), s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a;

    T(bind(s, BAD, 16));
    T(bind(s, NULL, 16));
    T(connect(s, BAD, 16));
    T(connect(s, (void *)-1, 16));
    T(connect(s, NULL, 16));
    T(connect(s, NULL, 0));
    T(getsockname(s, BAD, &(socklen_t){16}));
    T(getsockname(s, (void *)&a, BAD));
    T(getsockname(s, NULL, &(socklen_t){16}));
    T(getsockname(s, NULL, &(socklen_t){0}));
    T(getsockname(s, (void *)&a, NULL));
    T(getpeername(s, BAD, &(socklen_t){16}));
    struct ends e = tcp_ends();
    T(getpeername(e.s, BAD, &(socklen_t){16}));
    T(getpeername(e.s, (void *)&a, BAD));
    T(getpeername(e.s, (void *)&a, (void *)-1));
    fcntl(l, F_SETFL, O_NONBLOCK);
    T(accept(l, BAD, &(socklen_t){16}));
    T(accept(l, (void *)&a, BAD));
    for (int i = 0; i < 3; i++)
        MUST(try_connect(peer_socket(AF_INET, SOCK_STREAM), host_ip, port) == 0);
    await(l, POLLIN);
    T(accept(l, BAD, &(socklen_t){16}));
    T(accept(l, (void *)&a, BAD));
    T(accept(l, (void *)&a, NULL));
    T(accept(l, NULL, NULL));
}

CASE(fault_options)
{
    struct ends e = tcp_ends();
    struct ends u = udp_ends();
    int v = 1;

    T(setsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, BAD, 4));
    T(setsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
    T(setsockopt(e.s, SOL_SOCKET, SO_RCVTIMEO, BAD, 16));
    T(setsockopt(e.s, SOL_SOCKET, SO_LINGER, BAD, 8));
    T(setsockopt(e.s, IPPROTO_TCP, TCP_NODELAY, BAD, 4));
    T(setsockopt(e.s, IPPROTO_TCP, TCP_CONGESTION, BAD, 4));
    T(setsockopt(e.s, IPPROTO_IP, IP_TOS, BAD, 4));
    T(setsockopt(u.s, IPPROTO_IP, IP_ADD_MEMBERSHIP, BAD, 8));
    T(setsockopt(u.s, IPPROTO_IP, IP_PKTINFO, BAD, 4));
    T(getsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, BAD, &(socklen_t){4}));
    T(getsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, NULL, &(socklen_t){4}));
    T(getsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, &v, BAD));
    T(getsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, &v, NULL));
    T(getsockopt(e.s, SOL_SOCKET, SO_TYPE, BAD, &(socklen_t){4}));
    T(getsockopt(e.s, SOL_SOCKET, SO_TYPE, NULL, &(socklen_t){0}));
    T(getsockopt(e.s, SOL_SOCKET, SO_ERROR, BAD, &(socklen_t){4}));
    T(getsockopt(e.s, IPPROTO_TCP, TCP_INFO, BAD, &(socklen_t){4}));
    T(getsockopt(e.s, IPPROTO_TCP, TCP_NODELAY, BAD, &(socklen_t){4}));
    T(getsockopt(e.s, IPPROTO_IP, IP_TTL, BAD, &(socklen_t){4}));
    T(getsockopt(e.s, IPPROTO_IP, IP_TTL, &v, BAD));
    T(getsockopt(u.s, IPPROTO_IP, IP_PKTINFO, &v, BAD));
    T(setsockopt(e.s, SOL_SOCKET, SO_KEEPALIVE, &v, 0));
    T(setsockopt(e.s, SOL_SOCKET, 9999, BAD, 4));
    T(setsockopt(e.s, 9999, 1, BAD, 4));
    T(getsockopt(e.s, SOL_SOCKET, 9999, BAD, &(socklen_t){4}));
}

CASE(fault_ioctl)
{
    struct ends e = tcp_ends();

    T(ioctl(e.s, FIONREAD, BAD));
    T(ioctl(e.s, FIONREAD, NULL));
    T(ioctl(e.s, FIONBIO, BAD));
    T(ioctl(e.s, FIONBIO, NULL));
    T(ioctl(e.s, FIOASYNC, BAD));
    T(ioctl(e.s, TIOCOUTQ, BAD));
    T(ioctl(e.s, 0x8905 /* SIOCATMARK */, BAD));
    T(fcntl(e.s, F_GETLK, BAD));
    T(fcntl(e.s, F_SETOWN_EX, BAD));
    T(fcntl(e.s, F_GETOWN_EX, BAD));
    T(fstat(e.s, BAD));
}

CASE(fault_ready)
{
    struct ends e = tcp_ends();
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLOUT};

    T(poll(BAD, 1, 0));
    T(ppoll(&(struct pollfd){.fd = e.s, .events = POLLOUT}, 1, BAD, NULL));
    T(ppoll(&(struct pollfd){.fd = e.s, .events = POLLOUT}, 1, NULL, BAD));
    T(select(e.s + 1, BAD, NULL, NULL, NULL));
    T(select(e.s + 1, NULL, NULL, NULL, BAD));
    T(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, BAD));
    T(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, NULL));
    T(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    T(epoll_ctl(ep, EPOLL_CTL_MOD, e.s, BAD));
    T(epoll_wait(ep, BAD, 1, 0));
    T(epoll_wait(ep, NULL, 1, 0));
    T(epoll_wait(ep, &ev, 1, 0));
    T(epoll_ctl(ep, EPOLL_CTL_DEL, e.s, BAD));
}

CASE(fault_reuse)
{
    struct ends e = tcp_ends();
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec v;

    /* memory that was good a moment ago */
    T(send(e.s, p, 8192, 0));
    feed(e, "abcdef");
    T(recv(e.s, p, 2, 0));
    mprotect(p, 8192, PROT_READ);
    T(recv(e.s, p, 2, 0));
    T(send(e.s, p, 10, 0));
    mprotect(p, 8192, PROT_NONE);
    T(send(e.s, p, 10, 0));
    mprotect(p, 8192, PROT_READ | PROT_WRITE);
    T(recv(e.s, p, 2, 0));
    munmap(p + 4096, 4096);
    T(send(e.s, p + 4096, 10, 0));
    T(recv(e.s, p + 4096, 2, 0));
    T(recv(e.s, p, 1, 0));
    v = (struct iovec){p, 4097};
    T(writev(e.s, &v, 1));
    munmap(p, 4096);
    T(recv(e.s, p, 1, 0));
    T(send(e.s, p, 1, 0));
}

CASE(fault_files)
{
    struct ends e = tcp_ends();
    int f = open("/etc/passwd", O_RDONLY), pp[2];

    MUST(pipe(pp) == 0);
    T(sendfile(e.s, f, BAD, 10));
    T(splice(pp[0], BAD, e.s, NULL, 10, 0));
    T(splice(pp[0], NULL, e.s, BAD, 10, 0));
    T(preadv(e.s, BAD, 1, 0));
    T(getsockopt(e.s, SOL_SOCKET, SO_PEERCRED, BAD, &(socklen_t){12}));
}
