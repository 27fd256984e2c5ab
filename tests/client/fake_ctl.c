/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake service's control socket: segments, handles and who closed them. */
#include "fake_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct seg *fake_new_seg(void)
{
    struct seg *s = &fake.seg[fake.nsegs];
    if (fake.nsegs == SEGS)
        die("segs");
    s->fd = memfd_create("seg", MFD_CLOEXEC);
    if (ftruncate(s->fd, (off_t)JR_SEG_SIZE) < 0)
        die("ftruncate");
    s->base = mmap(NULL, JR_SEG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s->fd, 0);
    if (s->base == MAP_FAILED)
        die("mmap");
    *hdr(s) = (struct jr_abi_seg_hdr){.magic = JR_ABI_MAGIC,
                                      .version = JR_ABI_VERSION,
                                      .checksum = JR_ABI_CHECKSUM,
                                      .seg_id = fake.nsegs,
                                      .nslots = JR_SEG_SLOTS,
                                      .key = {fake.nsegs * 77 + 1, 99}};
    __atomic_store_n(&hdr(s)->owner, (uint32_t)gettid() | FUTEX_WAITERS, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < JR_SEG_EQS; i++)
        s->eq_fd[i] = -1;
    fake.nsegs++;
    return s;
}

int fake_new_handle(struct seg *s, uint32_t slot)
{
    struct sock *so = sock_at(s, slot);
    char path[128];
    struct stat st;
    uint32_t gen = slot_of(&(struct sock){.seg = s, .slot = slot})->gen;
    memset(so, 0, sizeof *so);
    so->seg = s;
    so->slot = slot;
    so->pair = -1;
    snprintf(so->name, sizeof so->name, "h%u", fake.serial++);
    snprintf(path, sizeof path, "%s/h/%s", fake.dir, so->name);
    if (mkfifo(path, 0600) < 0)
        die("mkfifo");
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        die("fifo");
    so->ino = st.st_ino;
    so->handle_open = true;
    s->used[slot] = true;
    struct jr_abi_slot *sl = slot_of(so);
    memset(sl, 0, sizeof *sl);
    sl->tx.cap = sl->rx.cap = fake.cfg.ring;
    sl->tx_grant = fake.cfg.grant;
    __atomic_store_n(&sl->gen, gen + 1, __ATOMIC_RELEASE);
    atomic_fetch_add(&fake.handles, 1);
    return fd;
}

static void handle_closed(const char *name)
{
    for (unsigned i = 0; i < fake.nsegs * JR_SEG_SLOTS; i++) {
        struct sock *so = &fake.sock[i];
        if (!so->handle_open || strcmp(so->name, name) != 0)
            continue;
        char path[128];
        snprintf(path, sizeof path, "%s/h/%s", fake.dir, name);
        unlink(path);
        /* What was sent before close still goes out. */
        if (so->peer && (so->state & JR_ST_CONNECTED))
            fake_move_bytes(so, so->peer);
        fake_end_of_socket(so);
        atomic_fetch_add(&fake.closes, 1);
    }
}

bool fake_read_closes(void)
{
    char buf[4096] __attribute__((aligned(8)));
    ssize_t n = read(fake.in, buf, sizeof buf);
    for (ssize_t at = 0; at < n;) {
        struct inotify_event *e = (void *)(buf + at);
        if ((e->mask & IN_CLOSE_WRITE) && e->len)
            handle_closed(e->name);
        at += (ssize_t)(sizeof *e + e->len);
    }
    return n > 0;
}

/* ---- the control socket ---- */

static void reply(int fd, uint32_t op, int status, const void *p, uint32_t n, const int *fds, unsigned nfds)
{
    struct jr_abi_ctl_hdr h = {JR_ABI_MAGIC, op, status, n};
    struct iovec iov[2] = {{&h, sizeof h}, {(void *)p, n}};
    char c[CMSG_SPACE(JR_HANDLE_BATCH * sizeof(int))] = {0};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    if (nfds) {
        m.msg_control = c;
        m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        struct cmsghdr *h2 = CMSG_FIRSTHDR(&m);
        h2->cmsg_level = SOL_SOCKET;
        h2->cmsg_type = SCM_RIGHTS;
        h2->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(h2), fds, nfds * sizeof(int));
    }
    if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        die("reply");
}

static void on_handles(int fd, const struct jr_abi_ctl_handles_req *q)
{
    struct jr_abi_ctl_handles_rep p = {0};
    int fds[JR_HANDLE_BATCH];
    struct seg *s = &fake.seg[q->seg_id];
    for (uint32_t i = 0; i < JR_SEG_SLOTS && p.n < q->want && !fake.cfg.refuse_handles; i++)
        if (!s->used[i]) {
            fds[p.n] = fake_new_handle(s, i);
            p.slot[p.n++] = i;
        }
    reply(fd, JR_CTL_HANDLES, 0, &p, sizeof p, fds, p.n);
    for (uint32_t i = 0; i < p.n; i++)
        close(fds[i]);
}

static struct sock *sock_of_handle(int fd)
{
    struct stat st;
    fstat(fd, &st);
    for (unsigned i = 0; i < fake.nsegs * JR_SEG_SLOTS; i++)
        if (fake.sock[i].handle_open && fake.sock[i].ino == st.st_ino)
            return &fake.sock[i];
    return NULL;
}

static void on_adopt(int fd, int handle)
{
    struct jr_abi_ctl_adopt_rep p = {0};
    struct sock *so = sock_of_handle(handle);
    if (!so) {
        reply(fd, JR_CTL_ADOPT, -EBADF, &p, 0, NULL, 0);
        return;
    }
    p.seg_id = (uint32_t)(so->seg - fake.seg);
    p.slot = so->slot;
    p.gen = slot_of(so)->gen;
    p.new_seg = 1;
    reply(fd, JR_CTL_ADOPT, 0, &p, sizeof p, &so->seg->fd, 1);
}

static void on_eq(int fd, const struct jr_abi_ctl_eq_register_req *q, int efd)
{
    struct seg *s = &fake.seg[q->seg_id];
    struct jr_abi_ctl_eq_register_rep p = {0};
    int ok = memcmp(q->key, hdr(s)->key, sizeof q->key) == 0;
    if (ok) {
        if (s->eq_fd[q->eq] >= 0)
            close(s->eq_fd[q->eq]);
        s->eq_fd[q->eq] = dup(efd);
        s->eq_answered[q->eq] = eqs(s)[q->eq].woken_gen;
    }
    const unsigned port = atomic_exchange(&fake.move_at_queue, 0);
    if (port != 0)
        fake_move_sock((uint16_t)port);
    reply(fd, JR_CTL_EQ_REGISTER, ok ? 0 : -EPERM, &p, sizeof p, NULL, 0);
}

static void on_pair(int fd, const struct jr_abi_ctl_pair_req *q)
{
    struct sock *so = sock_at(&fake.seg[q->seg_id], q->slot);
    struct jr_abi_ctl_pair_rep p = {.pair_id = (uint32_t)so->pair, .end = (uint32_t)so->end};
    if (so->pair < 0)
        reply(fd, JR_CTL_PAIR, -ENOTCONN, &p, 0, NULL, 0);
    else
        reply(fd, JR_CTL_PAIR, 0, &p, sizeof p, &fake.pair[so->pair].fd, 1);
}

bool fake_on_request(int fd)
{
    union {
        struct jr_abi_ctl_hdr h;
        uint8_t b[1024];
    } u;
    char c[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&u, sizeof u};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int got = -1;
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
        memcpy(&got, CMSG_DATA(h), sizeof got);
    const void *req = u.b + sizeof u.h;
    if (!fake.cfg.silent)
        switch (u.h.op) {
        case JR_CTL_HELLO: {
            struct jr_abi_ctl_hello_rep p = {.version = JR_ABI_VERSION,
                                             .checksum = JR_ABI_CHECKSUM + fake.cfg.checksum_off};
            int fds[2] = {fake.policy_fd, fake.bell};
            reply(fd, u.h.op, 0, &p, sizeof p, fds, 2);
            break;
        }
        case JR_CTL_SEG_NEW: {
            struct seg *s = fake_new_seg();
            struct jr_abi_ctl_seg_new_rep p = {(uint32_t)(s - fake.seg), JR_SEG_SLOTS};
            reply(fd, u.h.op, 0, &p, sizeof p, &s->fd, 1);
            break;
        }
        case JR_CTL_HANDLES:
            on_handles(fd, req);
            break;
        case JR_CTL_EQ_REGISTER:
            on_eq(fd, req, got);
            break;
        case JR_CTL_ADOPT:
            on_adopt(fd, got);
            break;
        case JR_CTL_PAIR:
            on_pair(fd, req);
            break;
        case JR_CTL_SHADOW: {
            const struct jr_abi_ctl_shadow_rep p = {0};
            reply(fd, u.h.op, -ENOENT, &p, 0, NULL, 0);
            break;
        }
        }
    if (got >= 0)
        close(got);
    return true;
}
