/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "expr.h"
#include "symbol.h"

/* What <linux/in.h> has and <netinet/in.h> hasn't would clash; only the names of glibc are used here. */
#define S(name)                                                                                                        \
    {                                                                                                                  \
#name, name                                                                                                    \
    }
static const struct {
    const char *name;
    int64_t value;
} symbols[] = {
    S(AF_INET),
    S(AF_INET6),
    S(AF_UNSPEC),
    S(PF_INET),
    S(PF_INET6),
    S(SOCK_STREAM),
    S(SOCK_DGRAM),
    S(SOCK_NONBLOCK),
    S(SOCK_CLOEXEC),
    S(IPPROTO_IP),
    S(IPPROTO_TCP),
    S(IPPROTO_UDP),
    S(IPPROTO_IPV6),
    S(IPPROTO_ICMP),
    S(INADDR_ANY),
    S(INADDR_LOOPBACK),
    S(INADDR_BROADCAST),
    S(SOL_SOCKET),
    S(SOL_IP),
    S(SOL_IPV6),
    {"SOL_TCP", IPPROTO_TCP},
    {"SOL_UDP", IPPROTO_UDP},
    S(SO_REUSEADDR),
    S(SO_REUSEPORT),
    S(SO_KEEPALIVE),
    S(SO_MAX_PACING_RATE),
    S(SO_LINGER),
    S(SO_OOBINLINE),
    S(SO_SNDBUF),
    S(SO_RCVBUF),
    S(SO_SNDLOWAT),
    S(SO_RCVLOWAT),
    S(SO_SNDTIMEO),
    S(SO_RCVTIMEO),
    S(SO_ERROR),
    S(SO_TYPE),
    S(SO_BROADCAST),
    S(SO_ACCEPTCONN),
    S(SO_PROTOCOL),
    S(SO_DOMAIN),
    S(SO_DONTROUTE),
    S(SO_DEBUG),
    S(SO_TIMESTAMP),
    S(SO_ZEROCOPY),
    {"SO_NOSIGPIPE", DRILL_SO_NOSIGPIPE},
    S(IP_TOS),
    S(IP_TTL),
    S(IP_MTU),
    S(IP_MTU_DISCOVER),
    S(IP_PMTUDISC_DO),
    S(IP_PMTUDISC_DONT),
    S(IP_PMTUDISC_WANT),
    S(IP_PMTUDISC_PROBE),
    S(IP_RECVERR),
    S(IP_RECVTOS),
    S(IP_RECVTTL),
    S(IP_PKTINFO),
    S(IP_ADD_MEMBERSHIP),
    S(IP_DROP_MEMBERSHIP),
    S(IP_ADD_SOURCE_MEMBERSHIP),
    S(IP_DROP_SOURCE_MEMBERSHIP),
    S(IP_BLOCK_SOURCE),
    S(IP_UNBLOCK_SOURCE),
    S(IP_MULTICAST_TTL),
    S(IP_MULTICAST_LOOP),
    S(IP_MULTICAST_IF),
    S(IP_MULTICAST_ALL),
    {"UDP_SEGMENT", 103},
    S(IPV6_V6ONLY),
    S(IPV6_TCLASS),
    S(IPV6_UNICAST_HOPS),
    S(IPV6_RECVERR),
    S(IPV6_MTU),
    S(IPV6_MTU_DISCOVER),
    {"IP_DONTFRAG", DRILL_IP_DONTFRAG},
    {"IP_MINTTL", 21},
    S(TCP_NODELAY),
    S(TCP_MAXSEG),
    S(TCP_CORK),
    S(TCP_KEEPIDLE),
    S(TCP_KEEPINTVL),
    S(TCP_KEEPCNT),
    S(TCP_SYNCNT),
    S(TCP_LINGER2),
    S(TCP_DEFER_ACCEPT),
    S(TCP_WINDOW_CLAMP),
    S(TCP_INFO),
    S(TCP_QUICKACK),
    S(TCP_CONGESTION),
    S(TCP_MD5SIG),
    S(TCP_USER_TIMEOUT),
    S(TCP_FASTOPEN),
    S(TCP_FASTOPEN_CONNECT),
    S(TCP_NOTSENT_LOWAT),
    {"TCP_NOPUSH", TCP_CORK},
    {"TCP_KEEPINIT", DRILL_TCP_KEEPINIT},
    {"TCP_NOOPT", DRILL_TCP_NOOPT},
    {"TCP_DELACK", DRILL_TCP_DELACK},
    {"TCP_FUNCTION_BLK", DRILL_TCP_FUNCTION_BLK},
    S(MSG_OOB),
    S(MSG_PEEK),
    S(MSG_DONTWAIT),
    S(MSG_WAITALL),
    S(MSG_NOSIGNAL),
    S(MSG_TRUNC),
    S(MSG_CTRUNC),
    S(MSG_MORE),
    S(MSG_ERRQUEUE),
    S(MSG_EOR),
    S(MSG_FASTOPEN),
    S(MSG_ZEROCOPY),
    {"MSG_EOF", DRILL_MSG_EOF},
    S(SHUT_RD),
    S(SHUT_WR),
    S(SHUT_RDWR),
    S(F_GETFL),
    S(F_SETFL),
    S(F_GETFD),
    S(F_SETFD),
    S(O_RDWR),
    S(O_RDONLY),
    S(O_WRONLY),
    S(O_NONBLOCK),
    S(FD_CLOEXEC),
    {"FIONREAD", FIONREAD},
    {"SIOCATMARK", SIOCATMARK},
    {"FIONBIO", FIONBIO},
    {"SIOCINQ", FIONREAD},
    {"SIOCOUTQ", TIOCOUTQ},
    {"TIOCOUTQ", TIOCOUTQ},
    {"SIOCATMARK", DRILL_SIOCATMARK},
    {"FIONWRITE", TIOCOUTQ},
    S(POLLIN),
    S(POLLOUT),
    S(POLLPRI),
    S(POLLERR),
    S(POLLHUP),
    S(POLLNVAL),
    S(POLLRDHUP),
    S(POLLRDNORM),
    S(POLLWRNORM),
    S(POLLRDBAND),
    S(POLLWRBAND),
    {"INFTIM", -1},
    S(EPOLLIN),
    S(EPOLLOUT),
    S(EPOLLERR),
    S(EPOLLHUP),
    S(EPOLLPRI),
    S(EPOLLRDHUP),
    S(EPOLLET),
    S(EPOLLONESHOT),
    S(EPOLL_CTL_ADD),
    S(EPOLL_CTL_MOD),
    S(EPOLL_CTL_DEL),
    S(EPOLL_CLOEXEC),
    {"IPTOS_LOWDELAY", 0x10},
    {"IPTOS_THROUGHPUT", 0x08},
    {"IPTOS_RELIABILITY", 0x04},
    {"IPTOS_DSCP_CS0", 0x00},
    {"IPTOS_DSCP_CS1", 0x20},
    {"IPTOS_DSCP_CS2", 0x40},
    {"IPTOS_DSCP_CS3", 0x60},
    {"IPTOS_DSCP_CS4", 0x80},
    {"IPTOS_DSCP_CS5", 0xa0},
    {"IPTOS_DSCP_CS6", 0xc0},
    {"IPTOS_DSCP_CS7", 0xe0},
    {"IPTOS_DSCP_EF", 0xb8},
    {"IPTOS_DSCP_AF11", 0x28},
    {"IPTOS_DSCP_AF21", 0x48},
    {"IPTOS_DSCP_AF31", 0x68},
    {"IPTOS_DSCP_AF41", 0x88},
    {"NULL", 0},
    {"true", 1},
    {"false", 0},
};

static const struct {
    const char *name;
    int value;
} errnos[] = {
    S(EACCES),
    S(EADDRINUSE),
    S(EADDRNOTAVAIL),
    S(EAFNOSUPPORT),
    S(EAGAIN),
    S(EALREADY),
    S(EBADF),
    S(ECONNABORTED),
    S(ECONNREFUSED),
    S(ECONNRESET),
    S(EDESTADDRREQ),
    S(EEXIST),
    S(EFAULT),
    S(EHOSTDOWN),
    S(EHOSTUNREACH),
    S(EINPROGRESS),
    S(EINTR),
    S(EINVAL),
    S(EIO),
    S(EISCONN),
    S(EMFILE),
    S(EMSGSIZE),
    S(ENETDOWN),
    S(ENETRESET),
    S(ENETUNREACH),
    S(ENOBUFS),
    S(ENOENT),
    S(ENOMEM),
    S(ENOPROTOOPT),
    S(ENOSYS),
    S(ENOTCONN),
    S(ENOTSOCK),
    S(ENOTTY),
    S(EOPNOTSUPP),
    S(EPERM),
    S(EPIPE),
    S(EPROTO),
    S(EPROTONOSUPPORT),
    S(ERANGE),
    S(ETIMEDOUT),
    {"EWOULDBLOCK", EWOULDBLOCK},
};

bool symbol_value(const char *name, int64_t *value)
{
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        if (strcmp(symbols[i].name, name) == 0) {
            *value = symbols[i].value;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++) {
        if (strcmp(errnos[i].name, name) == 0) {
            *value = errnos[i].value;
            return true;
        }
    }
    return false;
}

const char *symbol_errno(int err)
{
    for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++)
        if (errnos[i].value == err)
            return errnos[i].name;
    return err ? strerror(err) : "no error";
}
