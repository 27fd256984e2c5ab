/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Linux kernel as a backend: a network namespace of this process alone, in it a TUN device whose other end plays
 * the peer. Time is real. A call may block, so each runs in a thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "base/bits.h"

/* A call that is over by then did not block. One that should not block is given longer: the machine may be busy. */
enum { GRACE_US = 20000, PATIENCE_US = 900000 };

struct kernel {
    struct backend be;
    struct options opt;
    int tun;
    int64_t start_us;
    unsigned running; /* calls in threads */
    bool fds[1024];   /* open, by calls of the script */
};

struct job { /* a call in a thread; the last of the two frees it */
    struct kernel *k;
    struct sys sys;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static struct kernel *self(struct backend *be) { return JR_CONTAINER_OF(be, struct kernel, be); }

static int64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t k_now(struct backend *be) { return clock_us() - self(be)->start_us; }

static void k_pass(struct backend *be, int64_t until_us)
{
    struct kernel *k = self(be);
    struct pollfd p = {.fd = k->tun, .events = POLLIN};
    int64_t left = until_us - k_now(be);
    struct timespec ts;

    if (left <= 0)
        return;
    if (k->running && left > 1000)
        left = 1000;
    ts = (struct timespec){.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
    if (ppoll(&p, 1, &ts, NULL) > 0 &&
        !(k->running)) { /* something was sent: whoever waits for it looks, others sleep */
        ts = (struct timespec){.tv_nsec = left < 1000 ? left * 1000 : 1000000};
        nanosleep(&ts, NULL);
    }
}

static void k_inject(struct backend *be, const uint8_t *ip, uint32_t len)
{
    if (write(self(be)->tun, ip, len) != (ssize_t)len)
        fprintf(stderr, "tun: %s\n", strerror(errno));
}

/* Only what goes to the peer: the kernel also looks for routers and joins groups. */
static bool is_ours(const struct kernel *k, const uint8_t *b, ssize_t len)
{
    if (len >= 40 && b[0] >> 4 == 6)
        return memcmp(b + 24, k->opt.remote.b, 16) == 0;
    if (len < 20 || b[0] >> 4 != 4 || b[9] == PROTO_IGMP)
        return false;
    return memcmp(b + 16, k->opt.remote.b + 12, 4) == 0 || b[16] >> 4 == 14 || b[19] == 255;
}

static bool k_sent(struct backend *be, struct frame *out)
{
    struct kernel *k = self(be);
    ssize_t n;

    while ((n = read(k->tun, out->b, sizeof out->b)) > 0) {
        if (!is_ours(k, out->b, n))
            continue;
        out->len = (uint32_t)n;
        out->at_us = k_now(be);
        return true;
    }
    return false;
}

/* Linux' keys are for this kernel; FreeBSD's have no meaning here. */
static bool k_command(struct backend *be, const char *text, char *why, size_t room)
{
    int status;

    (void)be;
    if (strstr(text, "net.inet.") || strstr(text, "kern.ipc.") || strstr(text, "kldload"))
        return true;
    status = system(text);
    snprintf(why, room, "'%s' failed", text);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static long do_send(struct sys *s)
{
    static const char zeros[1 << 20];
    struct iovec iov = {.iov_base = (void *)(uintptr_t)zeros, .iov_len = jr_min_u32(s->len, sizeof zeros)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (s->addrlen) {
        m.msg_name = &s->addr;
        m.msg_namelen = s->addrlen;
    }
    return sendmsg(s->fd, &m, s->flags | MSG_NOSIGNAL);
}

static long do_recv(struct sys *s)
{
    char *buf = malloc(s->len + 1u);
    struct iovec iov = {.iov_base = buf, .iov_len = s->len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_name = &s->addr, .msg_namelen = sizeof s->addr};
    const long r = recvmsg(s->fd, &m, s->flags);

    s->addrlen = m.msg_namelen;
    s->msg_flags = m.msg_flags;
    free(buf);
    return r;
}

static long do_getsockopt(struct sys *s)
{
    socklen_t len = s->len;
    const long r = getsockopt(s->fd, s->a, s->b, s->val, &len);

    s->len = len;
    return r;
}

static long do_syscall(struct sys *s)
{
    struct sockaddr *addr = (struct sockaddr *)&s->addr;

    s->addrlen = s->no == SYS_ACCEPT || s->no >= SYS_GETSOCKNAME ? sizeof s->addr : s->addrlen;
    switch (s->no) {
    case SYS_SOCKET:
        return socket(s->a, s->b, s->c);
    case SYS_BIND:
        return bind(s->fd, addr, s->addrlen);
    case SYS_LISTEN:
        return listen(s->fd, s->a);
    case SYS_ACCEPT:
        return accept4(s->fd, addr, &s->addrlen, s->a);
    case SYS_CONNECT:
        return connect(s->fd, addr, s->addrlen);
    case SYS_SEND:
        return do_send(s);
    case SYS_RECV:
        return do_recv(s);
    case SYS_CLOSE:
        return close(s->fd);
    case SYS_SHUTDOWN:
        return shutdown(s->fd, s->a);
    case SYS_SETSOCKOPT:
        return setsockopt(s->fd, s->a, s->b, s->val, s->len);
    case SYS_GETSOCKOPT:
        return do_getsockopt(s);
    case SYS_FCNTL:
        return fcntl(s->fd, s->a, s->b);
    case SYS_IOCTL:
        return ioctl(s->fd, (unsigned long)(unsigned)s->a, &s->b);
    case SYS_POLL:
        return poll(s->fds, s->nfds, s->a);
    case SYS_EPOLL_CREATE:
        return epoll_create1(0);
    case SYS_EPOLL_CTL:
        return epoll_ctl(s->fd, s->a, s->b, &s->events[0]);
    case SYS_EPOLL_WAIT:
        return epoll_wait(s->fd, s->events, (int)s->nfds, s->a);
    case SYS_GETSOCKNAME:
        return getsockname(s->fd, addr, &s->addrlen);
    default:
        return getpeername(s->fd, addr, &s->addrlen);
    }
}

static void *job_main(void *arg)
{
    struct job *j = arg;
    const long r = do_syscall(&j->sys);
    const int err = errno;

    pthread_mutex_lock(&j->lock);
    j->sys.ret = r;
    j->sys.err = r < 0 ? err : 0;
    j->done = true;
    pthread_cond_signal(&j->cond);
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static void take_result(struct kernel *k, struct job *j, struct sys *sys)
{
    const long fd = j->sys.ret;

    k->running--;
    *sys = j->sys;
    sys->done = true;
    sys->priv = NULL;
    if ((sys->no == SYS_SOCKET || sys->no == SYS_ACCEPT || sys->no == SYS_EPOLL_CREATE) && fd >= 0 && fd < 1024)
        k->fds[fd] = true;
    if (sys->no == SYS_CLOSE && sys->ret == 0 && sys->fd < 1024)
        k->fds[sys->fd] = false;
    free(j);
}

static void k_again(struct backend *be, struct sys *sys)
{
    struct job *j = sys->priv;
    bool done;

    pthread_mutex_lock(&j->lock);
    done = j->done;
    pthread_mutex_unlock(&j->lock);
    if (done)
        take_result(self(be), j, sys);
}

static void k_begin(struct backend *be, struct sys *sys)
{
    struct job *j = calloc(1, sizeof *j);
    struct timespec until;
    pthread_t thread;

    j->k = self(be);
    j->sys = *sys;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->cond, NULL);
    sys->priv = j;
    self(be)->running++;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (sys->may_block ? GRACE_US : PATIENCE_US) * 1000l;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_create(&thread, NULL, job_main, j) != 0)
        abort();
    pthread_detach(thread);
    pthread_mutex_lock(&j->lock);
    while (!j->done && pthread_cond_timedwait(&j->cond, &j->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&j->lock);
    k_again(be, sys);
}

static bool k_end(struct backend *be, char *why, size_t room)
{
    struct kernel *k = self(be);
    const struct linger abort_it = {.l_onoff = 1};

    for (int fd = 0; fd < 1024; fd++) {
        if (!k->fds[fd])
            continue;
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
        close(fd);
    }
    close(k->tun);
    snprintf(why, room, "%u calls still block", k->running);
    const bool ok = k->running == 0;
    if (ok)
        free(k);
    return ok;
}

static const struct backend_ops kernel_ops = {
    .now = k_now,
    .pass = k_pass,
    .inject = k_inject,
    .sent = k_sent,
    .command = k_command,
    .begin = k_begin,
    .again = k_again,
    .end = k_end,
};

static int open_tun(char *why, size_t room)
{
    struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "tun0");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
        snprintf(why, room, "/dev/net/tun: %s", strerror(errno));
        return -1;
    }
    return fd;
}

static bool shell(char *why, size_t room, const char *cmd)
{
    const int status = system(cmd);

    snprintf(why, room, "'%s' failed", cmd);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool configure(const struct kernel *k, char *why, size_t room)
{
    const struct options *o = &k->opt;
    const bool v6 = o->ip_version == IP_V6;
    char local[64], cmd[512];

    if (v6)
        snprintf(local, sizeof local, "%x:%x:%x:%x:%x:%x:%x:%x", o->local.b[0] << 8 | o->local.b[1],
                 o->local.b[2] << 8 | o->local.b[3], o->local.b[4] << 8 | o->local.b[5],
                 o->local.b[6] << 8 | o->local.b[7], o->local.b[8] << 8 | o->local.b[9],
                 o->local.b[10] << 8 | o->local.b[11], o->local.b[12] << 8 | o->local.b[13],
                 o->local.b[14] << 8 | o->local.b[15]);
    else
        snprintf(local, sizeof local, "%d.%d.%d.%d", o->local.b[12], o->local.b[13], o->local.b[14], o->local.b[15]);
    snprintf(cmd, sizeof cmd,
             "ip link set lo up && ip link set tun0 mtu %u up && ip addr add %s/%u dev tun0 %s && "
             "ip %s route add default dev tun0",
             o->mtu, local, o->plen, v6 ? "nodad" : "", v6 ? "-6" : "");
    return shell(why, room, cmd);
}

struct backend *kernel_new(const struct options *opt, char *why, size_t room)
{
    struct kernel *k = calloc(1, sizeof *k);

    k->be.ops = &kernel_ops;
    k->opt = *opt;
    if (unshare(CLONE_NEWNET) < 0) {
        snprintf(why, room, "a network namespace: %s", strerror(errno));
        free(k);
        return NULL;
    }
    k->tun = open_tun(why, room);
    if (k->tun < 0 || !configure(k, why, room)) {
        free(k);
        return NULL;
    }
    k->start_us = clock_us();
    return &k->be;
}
